"""The first process of a node, in namespaces of its own: when it ends, all of the node does.

It hides from this machine what the node writes, joins the network, and starts containerd, kube-proxy
and kubelet. It is also who waits for containers that lost their parents.
"""

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

from .process import environment
from .report import last_lines, progress

POLL_SECONDS = 0.02
PATIENCE_SECONDS = 30
# Of the machine's: with a layer over them that takes what the node writes, and goes with it.
COVERED = ("/var/lib", "/var/log")
# Empty in the node: in the machine's are the sockets, and the containers, of its own containerd.
HIDDEN = "/run"
# What a kubelet sets for the whole machine, and to what.
KUBELET_SETTINGS = {
    "vm/overcommit_memory": 1,
    "vm/panic_on_oom": 0,
    "kernel/panic": 10,
    "kernel/panic_on_oops": 1,
    "kernel/keys/root_maxkeys": 1000000,
    "kernel/keys/root_maxbytes": 25000000,
}


def run(configuration_file):
    """Until one of the programs ends; returns which one did."""
    wanted = json.loads(Path(configuration_file).read_text())
    _cover(Path(wanted["scratch"]), wanted)
    _join_network(wanted)
    children = {}
    for name, command in wanted["programs"].items():
        children[_start(command, _log(wanted, name))] = name
        if name == "containerd":
            _wait_for("containerd's socket", lambda: os.path.exists(wanted["socket"]))
    progress("all programs are started")
    while True:
        pid, status = os.wait()
        if pid in children:
            end = last_lines(_log(wanted, children[pid]))
            return f"{children[pid]} has ended: {os.waitstatus_to_exitcode(status)}; its log ends with\n{end}"


def _cover(scratch, wanted):
    _do("mount", "-t", "tmpfs", "tmpfs", str(scratch))
    for number, place in enumerate(COVERED):
        upper, work = scratch / f"upper{number}", scratch / f"work{number}"
        upper.mkdir(mode=0o755)
        work.mkdir()
        layers = f"lowerdir={place},upperdir={upper},workdir={work}"
        _do("mount", "-t", "overlay", "-o", layers, "overlay", place)
    for place, folder in wanted["folders"].items():
        os.makedirs(place, exist_ok=True)
        _do("mount", "--bind", folder, place)
    _do("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", HIDDEN)
    if os.path.exists("/etc/resolv.conf"):  # and no link to what is hidden now
        _do("mount", "--bind", wanted["resolver"], "/etc/resolv.conf")
    for name, value in KUBELET_SETTINGS.items():
        setting = scratch / name.replace("/", "-")
        setting.write_text(f"{value}\n")
        _do("mount", "--bind", str(setting), f"/proc/sys/{name}")
    # Pods that ask for it see what is mounted later, and nobody outside of the node does.
    _do("mount", "--make-rshared", "/")
    _do("hostname", "node")


def _join_network(wanted):
    _do("ip", "link", "set", "lo", "up")
    _wait_for("eth0", lambda: "eth0" in (name for _, name in socket.if_nameindex()))
    _do("ip", "address", "add", f"{wanted['address']}/16", "dev", "eth0")
    _do("ip", "link", "set", "eth0", "up")
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
    for addresses in wanted["balancers"]:
        # So the node answers for them; kube-proxy has rules for those that a Service was given.
        _do("ip", "route", "add", "local", addresses, "dev", "lo")
    for pods, node in wanted["neighbours"].items():
        _do("ip", "route", "add", pods, "via", node)
    # To other clusters a pod has the address of its node, unless they are of one network.
    rule = ("-s", wanted["pods"], "!", "-d", "10.0.0.0/8", "-o", "eth0", "-j", "MASQUERADE")
    _do("iptables", "-w", "-t", "nat", "-A", "POSTROUTING", *rule)


def _log(wanted, name):
    return Path(wanted["logs"], f"{name}.log")


def _start(command, path):
    variables = environment()
    variables["PATH"] = f"{variables.get('PATH', '')}:/usr/sbin:/sbin"
    with open(path, "ab") as log:
        return subprocess.Popen(command, env=variables, stdin=subprocess.DEVNULL, stdout=log, stderr=log).pid


def _wait_for(what, is_there):
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not is_there():
        if time.monotonic() > deadline:
            raise OSError(f"{what} has not appeared after {PATIENCE_SECONDS} s")
        time.sleep(POLL_SECONDS)


def _do(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise OSError(f"'{' '.join(command)}' failed: {done.stderr.strip()}")


def main():
    try:
        progress(run(sys.argv[1]))
    except OSError as error:
        progress(str(error))
    return 1
