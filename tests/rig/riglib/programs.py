"""Which program is which server, and the flags each one gets."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from . import build
from .ports import LOOPBACK
from .report import RigError, progress

ETCD = "etcd"
API_SERVER = "kube-apiserver"
CONTROLLER_MANAGER = "kube-controller-manager"
SCHEDULER = "kube-scheduler"
KWOK = "kwok"
AGENT = "node-agent"
ISTIOD = "pilot-discovery"
NODE = "node"
POD_AGENT = "pod-agent"

# Where an in-cluster client would find the API server: an address for documentation, RFC 5737,
# that belongs to nobody. It may not be a loopback address, and without any the server looks for a
# default route, which a network namespace need not have.
ADVERTISED = "203.0.113.1"

AGENT_PROGRAM, POD_AGENT_PROGRAM, NODE_PROGRAM = (
    Path(__file__).resolve().parent.parent / name for name in ("node-agent", "pod-agent", "pod-node")
)

# A node is a process tree of its own: what ends its first process ends all of it, and nobody but the
# node sees its mounts.
UNSHARE = ["unshare", "--mount", "--net", "--pid", "--uts", "--ipc", "--fork", "--kill-child", "--mount-proc"]

# Whatever the API server dials in the cluster (pods, webhooks' Services, the kubelet) it asks the
# node agent for, which knows where those addresses are to be found on this machine. The path counts
# from the cluster's folder, where both run: the whole path could be longer than a socket's may be.
EGRESS = """\
apiVersion: apiserver.k8s.io/v1beta1
kind: EgressSelectorConfiguration
egressSelections:
- name: cluster
  connection:
    proxyProtocol: HTTPConnect
    transport: {uds: {udsName: node/egress.sock}}
"""

AUDIT_POLICY = """\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
"""


@dataclass(frozen=True)
class Programs:
    """How to run each server."""

    commands: dict  # server: the words its command line starts with

    @property
    def has_controllers(self):
        return CONTROLLER_MANAGER in self.commands

    @property
    def has_node(self):
        return AGENT in self.commands or self.has_pods

    @property
    def has_pods(self):
        return NODE in self.commands


def choose_programs(with_node, with_pods=False):
    """The programs of KUBEBUILDER_ASSETS if that is set, else those that the rig builds.

    A node runs pods or pretends to; `with_pods` decides which.
    """
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    if assets and (with_node or with_pods):
        raise RigError(
            "KUBEBUILDER_ASSETS is set: without controllers and scheduler a node is of no use",
            "unset KUBEBUILDER_ASSETS to use the rig's own build",
        )
    if assets:
        return _assets(Path(assets))
    program = str(build.build())
    commands = {server: [program, server] for server in (ETCD, API_SERVER, CONTROLLER_MANAGER, SCHEDULER)}
    python = [sys.executable, "-B"]
    if with_pods:
        commands[NODE] = [*UNSHARE, *python, str(NODE_PROGRAM)]
        commands[POD_AGENT] = [*python, str(POD_AGENT_PROGRAM)]
    elif with_node:
        commands[KWOK] = [str(build.build(build.KWOK))]
        commands[AGENT] = [*python, str(AGENT_PROGRAM)]
        commands[ISTIOD] = [str(build.build(build.ISTIOD))]
    return Programs(commands)


def _assets(folder):
    commands = {}
    for server in (ETCD, API_SERVER):
        program = folder / server
        if not os.access(program, os.X_OK):
            raise RigError(
                f"KUBEBUILDER_ASSETS is '{folder}', which holds no program '{server}'",
                "unset KUBEBUILDER_ASSETS to use the rig's own build",
            )
        commands[server] = [str(program)]
    progress(f"using '{folder}' (KUBEBUILDER_ASSETS): no controllers, so nobody fills service account tokens")
    return Programs(commands)


def etcd_flags(layout, block, _api_address):
    client, peer = (f"http://{LOOPBACK}:{port}" for port in (block.etcd, block.etcd_peer))
    return [
        f"--data-dir={layout.etcd}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
        "--unsafe-no-fsync",  # the data does not outlive the cluster, so a power cut may have it
        "--log-level=warn",
        # It waits this long for other members to vote before it serves; there are none.
        "--heartbeat-interval=10",
        "--election-timeout=100",
    ]


def api_server_flags(layout, block, api_address):
    return [
        f"--etcd-servers=http://{LOOPBACK}:{block.etcd}",
        f"--bind-address={api_address}",
        f"--secure-port={block.api}",
        f"--advertise-address={ADVERTISED if api_address == LOOPBACK else api_address}",
        f"--cert-dir={layout.pki}",
        f"--tls-cert-file={layout.server_certificate}",
        f"--tls-private-key-file={layout.server_key}",
        f"--client-ca-file={layout.authority.certificate_file}",
        f"--service-account-key-file={layout.service_account_key}",
        f"--service-account-signing-key-file={layout.service_account_key}",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-cluster-ip-range={block.service_range}",
        "--authorization-mode=RBAC",
        "--allow-privileged",
        f"--audit-policy-file={layout.audit_policy}",
        f"--audit-log-path={layout.audit_log}",
        "--audit-log-format=json",
        "--audit-log-mode=blocking",  # an event is in the file before the answer is complete
        "--audit-log-maxsize=2048",  # megabytes: a log that is cut in two proves nothing
        "--kubelet-preferred-address-types=InternalIP",
    ]


def egress_flags(layout):
    return [f"--egress-selector-config-file={layout.egress}"]


def controller_manager_flags(layout, block, _api_address):
    return [
        f"--kubeconfig={layout.controllers_kubeconfig}",
        f"--bind-address={LOOPBACK}",
        f"--secure-port={block.controllers}",
        f"--tls-cert-file={layout.server_certificate}",
        f"--tls-private-key-file={layout.server_key}",
        f"--root-ca-file={layout.authority.certificate_file}",
        f"--service-account-private-key-file={layout.service_account_key}",
        "--use-service-account-credentials",
        "--leader-elect=false",
        # Its default of 20 requests a second makes the controllers queue for 4 s at the start.
        "--kube-api-qps=500",
        "--kube-api-burst=500",
        "--node-monitor-grace-period=240h",  # nobody renews the lease of a node that is not there
        # It makes this folder, and by default in /usr/libexec.
        f"--flex-volume-plugin-dir={layout.folder / 'volume-plugins'}",
    ]


def scheduler_flags(layout, block, _api_address):
    return [
        f"--kubeconfig={layout.scheduler_kubeconfig}",
        f"--bind-address={LOOPBACK}",
        f"--secure-port={block.scheduler}",
        f"--tls-cert-file={layout.server_certificate}",
        f"--tls-private-key-file={layout.server_key}",
        "--leader-elect=false",
    ]


def kwok_flags(layout, block, _api_address):
    return [
        f"--kubeconfig={layout.probe_kubeconfig}",
        f"--config={layout.kwok_configuration}",
        f"--cidr={block.pod_range}",
        "--manage-all-nodes",
        "--node-lease-duration-seconds=0",
        f"--node-ip={LOOPBACK}",
        f"--node-port={block.kubelet}",
        f"--server-address={LOOPBACK}:{block.kubelet}",
        f"--tls-cert-file={layout.server_certificate}",
        f"--tls-private-key-file={layout.server_key}",
        "--enable-crds=PortForward,Logs",
    ]


def agent_flags(layout, _block, _api_address):
    return [str(layout.agent_configuration)]


def node_flags(layout, _block, _api_address):
    return [str(layout.node_configuration)]
