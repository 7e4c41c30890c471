"""The network between nodes: a bridge in the clusters' network namespace, and a cable to each node.

The API server of cluster number N has the address 172.18.N.2 on the bridge, its node 172.18.N.3, its
load balancers 172.18.N.100 and on. All of it lives in namespaces and goes with them.
"""

import os
import subprocess
import time

from .report import RigError

DEVICE = "rig0"
POLL_SECONDS = 0.01
OWN_ADDRESS = "172.18.255.254"  # of whoever looks at the clusters from the outside
SET_UP = f"""\
ip link set lo up &&
echo 0 >/proc/sys/net/ipv4/ip_forward &&
ip link add {DEVICE} type bridge &&
ip link set {DEVICE} up &&
ip address add {OWN_ADDRESS}/16 dev {DEVICE} &&
echo ready && exec sleep infinity
"""


def node_address(block):
    return f"{block.network}.3"


def add_address(address):
    _ip("address", "replace", f"{address}/32", "dev", DEVICE)


def attach(pid, block):
    """Lays the cable to the node whose process this is; its end there is eth0."""
    while os.readlink(f"/proc/{pid}/ns/net") == os.readlink("/proc/self/ns/net"):
        time.sleep(POLL_SECONDS)  # it has not left this namespace for its own yet
    cable = f"node{block.number}"
    # That of a node before it, which the kernel takes away only some time after the node.
    subprocess.run(["ip", "link", "delete", cable], capture_output=True, check=False)
    _ip("link", "add", cable, "type", "veth", "peer", "name", "eth0", "netns", str(pid))
    _ip("link", "set", cable, "master", DEVICE, "up")
    # What the API server dials: Services of webhooks, and pods.
    for addresses in (block.service_range, block.pod_range):
        _ip("route", "replace", addresses, "via", node_address(block))


def _ip(*words):
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RigError(f"'ip {' '.join(words)}' failed: {done.stderr.strip()}")
