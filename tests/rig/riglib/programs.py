"""Which program is which server, and the flags each one gets."""

import os
from dataclasses import dataclass
from pathlib import Path

from . import build
from .report import RigError, progress

ETCD = "etcd"
API_SERVER = "kube-apiserver"
CONTROLLER_MANAGER = "kube-controller-manager"

# Where an in-cluster client would find the API server: an address for documentation, RFC 5737,
# that belongs to nobody. It may not be a loopback address, and without any the server looks for a
# default route, which a network namespace need not have.
ADVERTISED = "203.0.113.1"

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


def choose_programs():
    """The programs of KUBEBUILDER_ASSETS if that is set, else the one that the rig builds."""
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    if assets:
        return _assets(Path(assets))
    program = str(build.build())
    return Programs({server: [program, server] for server in (ETCD, API_SERVER, CONTROLLER_MANAGER)})


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


def etcd_flags(layout, address, block):
    client, peer = (f"http://{address}:{port}" for port in (block.etcd, block.etcd_peer))
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


def api_server_flags(layout, address, block):
    return [
        f"--etcd-servers=http://{address}:{block.etcd}",
        f"--bind-address={address}",
        f"--secure-port={block.api}",
        f"--advertise-address={ADVERTISED}",
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
    ]


def controller_manager_flags(layout, address, block):
    return [
        f"--kubeconfig={layout.controllers_kubeconfig}",
        f"--bind-address={address}",
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
    ]
