"""A node that runs pods: what its programs are given to read, and when it is of use.

The node is a process tree in namespaces of its own (`podinit.py`) with containerd, kubelet and
kube-proxy of this machine's file system, less what they write: that is seen by nobody else.
"""

import json
from dataclasses import dataclass

from . import bridge, build, cgroups, machine
from .files import private_folder
from .kwok import NODE
from .ports import BLOCK_COUNT, Block

NODE_NAME = NODE["metadata"]["name"]
REGISTRY_PORT = 5000
PAUSE = "registry.k8s.io/pause:rig"
CONTAINERD_SOCKET = "/run/containerd/containerd.sock"

CONTAINERD = """\
version = 2
disabled_plugins = ["io.containerd.internal.v1.opt"]
[grpc]
address = "{socket}"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{pause}"
# Without the capability CAP_SYS_RESOURCE, as in many containers, runc ends by such a wish.
restrict_oom_score_adj = true
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "{plugins}"
conf_dir = "{networks}"
[plugins."io.containerd.grpc.v1.cri".containerd]
snapshotter = "overlayfs"
discard_unpacked_layers = true
[plugins."io.containerd.grpc.v1.cri".registry]
config_path = "{registries}"
"""

# Whatever registry an image names: it comes from the rig's.
REGISTRY = """\
server = "http://{registry}"
[host."http://{registry}"]
capabilities = ["pull", "resolve"]
"""


@dataclass(frozen=True)
class Pods:
    """What a node that runs pods is to be like."""

    flat: bool  # pods of all clusters reach each other
    images: list  # the folders of the images that there are


def prepare(layout, block, api_address, pods):
    """Writes the files that the programs of the node, and the agent, will read."""
    private_folder(layout.node)
    for folder in (layout.networks, layout.registries / "_default", layout.kubelet, layout.containerd):
        folder.mkdir(parents=True)
    layout.scratch.mkdir()
    layout.resolver.write_text("")  # containerd would ask the machine's
    layout.containerd_configuration.write_text(
        CONTAINERD.format(
            socket=CONTAINERD_SOCKET,
            pause=PAUSE,
            plugins=machine.plugin_folder(),
            networks=layout.networks,
            registries=layout.registries,
        )
    )
    registry = f"{api_address}:{REGISTRY_PORT}"
    (layout.registries / "_default" / "hosts.toml").write_text(REGISTRY.format(registry=registry))
    _write(layout.networks / "rig.conflist", _network(block))
    _write(layout.kubelet_configuration, _kubelet(layout, block, api_address))
    _write(layout.proxy_configuration, _proxy(layout, block))
    _write(layout.node_configuration, _node(layout, block, pods.flat))
    agent = {
        "address": api_address,
        "registry_port": REGISTRY_PORT,
        "images": [str(folder) for folder in pods.images],
        "kubeconfig": str(layout.probe_kubeconfig),
        "balancer_network": block.network,
    }
    _write(layout.agent_configuration, agent)
    cgroups.make(cgroups.name_for(layout.folder))


def clean(layout):
    """What is left of a node whose processes have ended."""
    cgroups.remove(cgroups.name_for(layout.folder))


def why_not_ready(api):
    """None when the node takes pods."""
    status, answer = api.get(f"/api/v1/nodes/{NODE_NAME}")
    if status != 200:
        return "the kubelet has not registered the node"
    conditions = answer.get("status", {}).get("conditions", [])
    ready = next((one for one in conditions if one["type"] == "Ready"), {"message": "it does not say why"})
    if ready.get("status") != "True":
        return f"the node is not Ready: {ready['message']}"
    return "the node has taints" if answer["spec"].get("taints") else None


def _write(path, document):
    path.write_text(json.dumps(document, indent=2) + "\n")  # JSON is YAML


def _network(block):
    """A cable from the node to each pod. With a bridge between them the answers of a Service whose pod
    has the same node would not pass its address translation, unless the module br_netfilter is there."""
    addresses = {"type": "host-local", "subnet": block.pod_range, "routes": [{"dst": "0.0.0.0/0"}]}
    return {"cniVersion": "0.4.0", "name": "rig", "plugins": [{"type": "ptp", "ipMasq": False, "ipam": addresses}]}


def _kubelet(layout, block, api_address):
    never = {"memory.available": "0%", "nodefs.available": "0%", "imagefs.available": "0%"}
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        # Nobody else is in its network.
        "authentication": {"anonymous": {"enabled": True}, "webhook": {"enabled": False}},
        "authorization": {"mode": "AlwaysAllow"},
        "address": bridge.node_address(block),
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{cgroups.name_for(layout.folder)}",
        "clusterDomain": "cluster.local",
        "clusterDNS": [api_address],
        "containerRuntimeEndpoint": f"unix://{CONTAINERD_SOCKET}",
        # The machine's memory and disk are shared with all that runs here: no reason to end a pod.
        "evictionHard": never | {"nodefs.inodesFree": "0%", "imagefs.inodesFree": "0%"},
        "imageGCHighThresholdPercent": 100,
        "failSwapOn": False,
        "failCgroupV1": False,
        "localStorageCapacityIsolation": False,
        "oomScoreAdj": 0,
        "resolvConf": str(layout.resolver),
        "serializeImagePulls": False,
        # How late a changed Secret may be in a pod. Its default of a minute is no use in a test.
        "syncFrequency": "10s",
    }


def _proxy(layout, block):
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "iptables",
        "bindAddress": bridge.node_address(block),
        "hostnameOverride": NODE_NAME,
        "clientConnection": {"kubeconfig": str(layout.probe_kubeconfig)},
        "detectLocalMode": "ClusterCIDR",
        "clusterCIDR": block.pod_range,
        "conntrack": {"maxPerCore": 0, "min": 0},  # they are the machine's
        "iptables": {"minSyncPeriod": "100ms", "syncPeriod": "30s"},
        "oomScoreAdj": 0,
    }


def _node(layout, block, flat):
    """For `podinit.py`."""
    kubernetes = str(build.build())
    return {
        "address": bridge.node_address(block),
        "balancers": [f"{block.network}.64/26", f"{block.network}.128/25"],
        "pods": block.pod_range,
        "neighbours": _neighbours(block) if flat else {},
        "scratch": str(layout.scratch),
        "resolver": str(layout.resolver),
        "folders": {"/var/lib/kubelet": str(layout.kubelet), "/var/lib/containerd": str(layout.containerd)},
        "socket": CONTAINERD_SOCKET,
        "programs": {
            "containerd": [machine.find_program("containerd"), "--config", str(layout.containerd_configuration)],
            "kube-proxy": [kubernetes, "kube-proxy", f"--config={layout.proxy_configuration}"],
            "kubelet": [
                kubernetes,
                "kubelet",
                f"--config={layout.kubelet_configuration}",
                f"--kubeconfig={layout.probe_kubeconfig}",
                f"--hostname-override={NODE_NAME}",
                f"--node-ip={bridge.node_address(block)}",
            ],
        },
        "logs": str(layout.logs),
    }


def _neighbours(block):
    """Pods to the node that has them, of every cluster that there may be beside this one."""
    others = [Block(number) for number in range(BLOCK_COUNT) if number != block.number]
    return {one.pod_range: bridge.node_address(one) for one in others}
