"""One cluster: its record on disk, and how it is started, probed and stopped."""

import json
import re
import shutil
import socket
import threading
import time
from dataclasses import asdict, dataclass, replace

from . import bridge, node, podnode, process, programs
from .api import Api
from .files import private_folder, write_private
from .kubeconfig import Access, write_kubeconfig
from .layout import Layout
from .pki import YEARS, Identity
from .ports import LOOPBACK, Block, claim_block
from .podnode import Pods
from .programs import (
    AGENT,
    API_SERVER,
    CONTROLLER_MANAGER,
    ETCD,
    ISTIOD,
    KWOK,
    NODE,
    POD_AGENT,
    SCHEDULER,
    Programs,
)
from .report import Interrupted, RigError, last_lines

POLL_SECONDS = 0.1
GRACE_SECONDS = 5
FLAGS = {
    ETCD: programs.etcd_flags,
    API_SERVER: programs.api_server_flags,
    CONTROLLER_MANAGER: programs.controller_manager_flags,
    SCHEDULER: programs.scheduler_flags,
    KWOK: programs.kwok_flags,
    AGENT: programs.agent_flags,
    NODE: programs.node_flags,
    POD_AGENT: programs.agent_flags,
}


@dataclass(frozen=True)
class Record:
    """What it takes to find a cluster again; rewritten after every server that starts."""

    block: Block
    address: str  # of the API server
    has_controllers: bool
    has_node: bool = False
    has_istiod: bool = False  # the bare one of `up --istiod`
    has_pods: bool = False  # the node runs what others pretend to
    processes: tuple = ()
    is_ready: bool = False  # it once was: the start is complete

    @property
    def server(self):
        return f"https://{self.address}:{self.block.api}"


@dataclass(frozen=True)
class Wish:
    """How clusters are to be started."""

    programs: Programs
    timeout: float  # seconds
    with_istiod: bool
    in_namespace: bool  # where each API server has an address of its own
    pods: Pods | None  # where the node runs pods
    stop: threading.Event  # set when the attempt is to be given up


@dataclass(frozen=True)
class Launch:
    """One attempt to start a cluster."""

    wish: Wish
    block: Block
    claim: socket.socket
    begun: float

    @property
    def api_address(self):
        return f"{self.block.network}.2" if self.wish.in_namespace else LOOPBACK


class Cluster:
    def __init__(self, name, folder):
        self.name = name
        self.layout = Layout(folder)

    def record(self):
        """None when there is no such cluster, or only the logs of one that failed to start."""
        try:
            fields = json.loads(self.layout.record.read_text())
            fields["block"] = Block(**fields["block"])
            fields["processes"] = tuple(process.Process(**one) for one in fields["processes"])
            return Record(**fields)
        except FileNotFoundError:
            return None
        except (ValueError, TypeError, KeyError) as error:
            raise RigError(
                f"cannot read '{self.layout.record}', written by another version of the rig? {error!r}",
                f"stop the processes it names, then remove '{self.layout.folder}'",
            ) from error

    def what_is_wrong(self):
        """None when the cluster runs and answers, else the first thing that is wrong, in words."""
        record = self.record()
        if record is None:
            return f"it failed to start, see '{self.layout.logs}'"
        for server in record.processes:
            if not server.is_alive():
                return f"{server.server} (pid {server.pid}) is gone"
        if not record.is_ready:
            return "its start was cut short"
        return _why_api_is_not_ready(self.probe())

    def start(self, wish):
        """Starts the cluster in an empty folder; returns the seconds until it was ready.

        Whatever goes wrong, its servers are stopped again; their logs stay for the reader.
        """
        begun = time.monotonic()
        for folder in (self.layout.folder, self.layout.pki, self.layout.logs, self.layout.users):
            private_folder(folder)
        try:
            block, claim = claim_block(LOOPBACK)
            with claim:
                self._launch(Launch(wish, block, claim, begun))
        except BaseException:
            self.stop()
            self._keep_only_logs()
            raise
        return time.monotonic() - begun

    def stop(self):
        """Ends the servers: the agent before its pods, the database last, as others say goodbye to it."""
        record = self.record()
        if record is not None:
            nodes = [one for one in record.processes if one.server == NODE]
            # Its first process, which takes all others of the node along before it is gone.
            process.stop([*(child for one in nodes for child in process.children(one)), *nodes], 0)
            process.stop([one for one in record.processes if one.server == AGENT], GRACE_SECONDS)
            node.stop_pods(self.layout)
            process.stop([one for one in record.processes if one.server != ETCD], GRACE_SECONDS)
            process.stop([one for one in record.processes if one.server == ETCD], GRACE_SECONDS)
        podnode.clean(self.layout)

    def remove(self):
        if self.layout.folder.exists():
            self.stop()
            shutil.rmtree(self.layout.folder)

    def admin(self):
        certificate, key = self.layout.admin_certificate, self.layout.admin_key
        return self._access(f"{self.name}-admin", Identity.load(certificate, key))

    def add_user(self, user, groups, lifetime, path):
        """Writes a kubeconfig with a new client certificate for `user`."""
        identity = self.layout.authority.issue_client(user, groups, lifetime)
        write_kubeconfig(path, [self._access(user, identity)])

    def _access(self, user, identity):
        authority = self.layout.authority.certificate_file.read_text()
        return Access(self.name, self.record().server, authority, user, identity)

    def _launch(self, launch):
        wish, block = launch.wish, launch.block
        chosen = wish.programs
        record = Record(
            block,
            launch.api_address,
            chosen.has_controllers,
            chosen.has_node,
            wish.with_istiod,
            chosen.has_pods,
        )
        record = self._spawn(ETCD, launch, record)
        self._make_credentials((record.address, block.kubernetes_service))  # etcd elects itself in the meantime
        if record.has_pods:
            podnode.prepare(self.layout, block, record.address, wish.pods)
            bridge.add_address(record.address)
        elif record.has_node:
            node.prepare(self.layout, block, chosen.commands[ISTIOD][0], wish.in_namespace)
        record = self._spawn(API_SERVER, launch, record)
        self._wait(launch, record, API_SERVER, _why_api_is_not_ready)
        if record.has_controllers:
            # Not earlier: until the API server is ready they only compete with it for the processors.
            record = self._spawn(CONTROLLER_MANAGER, launch, record)
            self._wait(launch, record, CONTROLLER_MANAGER, _why_controllers_are_not_ready)
        if record.has_pods:
            record = self._launch_pods(launch, record)
        elif record.has_node:
            record = self._launch_node(launch, record)
        self._write(replace(record, is_ready=True))

    def _launch_node(self, launch, record):
        api = self.probe()
        node.create_objects(api)
        record = self._spawn(SCHEDULER, launch, record)
        self._wait(launch, record, API_SERVER, node.why_kwok_cannot_start)
        record = self._spawn(KWOK, launch, record)
        record = self._spawn(AGENT, launch, record)
        self._wait(launch, record, KWOK, node.why_not_ready)
        if launch.wish.with_istiod:
            node.create_istiod(api, self.name)
            self._wait(launch, record, AGENT, node.why_no_istiod)
        return record

    def _launch_pods(self, launch, record):
        record = self._spawn(SCHEDULER, launch, record)
        record = self._spawn(POD_AGENT, launch, record)
        record = self._spawn(NODE, launch, record)
        bridge.attach(record.processes[-1].pid, launch.block)
        self._wait(launch, record, NODE, podnode.why_not_ready)
        return record

    def _spawn(self, server, launch, record):
        flags = FLAGS[server](self.layout, launch.block, record.address)
        if server == API_SERVER and record.has_node and not launch.wish.in_namespace:
            flags += programs.egress_flags(self.layout)
        command = launch.wish.programs.commands[server] + flags
        log = self.layout.log(server)
        started = process.spawn(server, command, self.layout.folder, log, launch.claim)
        record = replace(record, processes=(*record.processes, started))
        self._write(record)
        return record

    def _wait(self, launch, record, newest, why_not_ready):
        """Waits for the server that was started last, as long as all of them live."""
        api = self.probe()
        while (reason := why_not_ready(api)) is not None:
            if launch.wish.stop.is_set():
                raise Interrupted
            for one in record.processes:
                if not one.is_alive():
                    raise self._failure(f"{one.server} has ended", one.server)
            if time.monotonic() > launch.begun + launch.wish.timeout:
                raise self._failure(f"not ready after {launch.wish.timeout:g} s, {reason}", newest)
            time.sleep(POLL_SECONDS)

    def _make_credentials(self, addresses):
        layout, authority = self.layout, self.layout.authority
        layout.audit_policy.write_text(programs.AUDIT_POLICY)
        authority.create(self.name, addresses)
        authority.create_service_account_key(layout.service_account_key)
        authority.issue_server().save(layout.server_certificate, layout.server_key)
        admin = authority.issue_client(f"{self.name}-admin", ["system:masters"])
        admin.save(layout.admin_certificate, layout.admin_key)
        write_kubeconfig(layout.kubeconfig, [self.admin()])
        # Names of their own, so that in the audit log the admin is nobody but the tester.
        self.add_user("rig", ["system:masters"], YEARS, layout.probe_kubeconfig)
        self.add_user(f"system:{CONTROLLER_MANAGER}", [], YEARS, layout.controllers_kubeconfig)
        self.add_user(f"system:{SCHEDULER}", [], YEARS, layout.scheduler_kubeconfig)

    def probe(self):
        """Asks in the name of the rig, so that nobody takes its requests for a tester's."""
        return Api.of_kubeconfig(self.layout.probe_kubeconfig)

    def _failure(self, what, server):
        log = self.layout.log(server)
        return RigError(
            f"cannot start cluster '{self.name}': {what}; its log ends with\n{last_lines(log)}",
            f"the whole log: {log}",
        )

    def _keep_only_logs(self):
        for path in self.layout.folder.iterdir():
            if path.is_dir() and path != self.layout.logs:
                shutil.rmtree(path)
            elif not path.is_dir():
                path.unlink()

    def _write(self, record):
        write_private(self.layout.record, json.dumps(asdict(record), indent=2) + "\n")


def _why_api_is_not_ready(api):
    """None when the API server is ready, else what it lacks, in words."""
    try:
        status, answer = api.get("/readyz")
    except OSError as error:
        return f"the API server does not answer: {error}"
    if status == 200:
        return None
    # One line for each check, like "[-]poststarthook/rbac/bootstrap-roles failed: reason withheld".
    lacking = re.findall(r"^\[-\](?:poststarthook/)?(\S+)", str(answer), re.MULTILINE)
    return f"/readyz says {status}, still to come: {', '.join(lacking) or 'it does not say what'}"


def _why_controllers_are_not_ready(api):
    """None when the controllers do their work: pods need this account, and they make it early."""
    try:
        status, _ = api.get("/api/v1/namespaces/default/serviceaccounts/default")
    except OSError as error:
        return f"the API server does not answer: {error}"
    return None if status == 200 else "the controllers have made no default service account"
