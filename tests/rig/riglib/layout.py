"""Where one cluster keeps its files."""

from .pki import Authority


class Layout:
    def __init__(self, folder):
        self.folder = folder
        self.record = folder / "cluster.json"
        self.kubeconfig = folder / "kubeconfig"
        self.audit_log = folder / "audit.jsonl"
        self.users = folder / "users"
        self.logs = folder / "logs"
        self.etcd = folder / "etcd"
        self.pki = folder / "pki"
        self.authority = Authority(self.pki)
        self.server_certificate = self.pki / "server.crt"
        self.server_key = self.pki / "server.key"
        self.admin_certificate = self.pki / "admin.crt"
        self.admin_key = self.pki / "admin.key"
        self.service_account_key = self.pki / "service-accounts.key"
        self.audit_policy = self.pki / "audit-policy.yaml"
        self.controllers_kubeconfig = self.pki / "kube-controller-manager.kubeconfig"
        self.scheduler_kubeconfig = self.pki / "kube-scheduler.kubeconfig"
        self.probe_kubeconfig = self.pki / "rig.kubeconfig"

        self.node = folder / "node"
        self.egress = self.node / "egress.yaml"
        self.egress_socket = self.node / "egress.sock"
        self.kwok_configuration = self.node / "kwok.yaml"
        self.agent_configuration = self.node / "agent.json"
        self.pods = self.node / "pods"

        # Of a node that runs pods.
        self.node_configuration = self.node / "node.json"
        self.containerd_configuration = self.node / "containerd.toml"
        self.kubelet_configuration = self.node / "kubelet.yaml"
        self.proxy_configuration = self.node / "kube-proxy.yaml"
        self.networks = self.node / "cni"
        self.registries = self.node / "registries"
        self.resolver = self.node / "resolv.conf"
        self.scratch = self.node / "scratch"
        self.kubelet = self.node / "kubelet"
        self.containerd = self.node / "containerd"

    def log(self, server):
        return self.logs / f"{server}.log"
