"""Whether this machine can run real pods, found out before anything is built or started."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from . import cgroups, namespace
from .report import EXIT_CANNOT_BUILD, RigError

# Program: the Debian package that has it.
PROGRAMS = {
    "containerd": "containerd",
    "runc": "runc",
    "iptables": "iptables",
    "conntrack": "conntrack",
    "ip": "iproute2",
    "curl": "curl",
}
PLUGINS = ("ptp", "host-local", "loopback")
PLUGIN_PACKAGE = "containernetworking-plugins"
PLUGIN_FOLDERS = (Path("/usr/lib/cni"), Path("/opt/cni/bin"))
# Of a user namespace the root is nobody to control groups and settings of the machine.
UIDS, ALL_UIDS = Path("/proc/self/uid_map"), ["0", "0", "4294967295"]
# What a node does with mounts: some of the machine's folders with a layer of its own over them.
TRY_OUT = """\
mount -t tmpfs tmpfs "$1" && mkdir "$1/upper" "$1/work" "$1/over" &&
exec mount -t overlay -o "lowerdir=/var/lib,upperdir=$1/upper,workdir=$1/work" overlay "$1/over"
"""


def require_packages():
    """Fails where something is missing that can be installed."""
    missing = [package for program, package in PROGRAMS.items() if find_program(program) is None]
    if plugin_folder() is None:
        missing.append(PLUGIN_PACKAGE)
    if missing:
        hint = f"'apt-get install {' '.join(missing)}' as root, or 'scripts/setup'"
        raise _cannot(f"it lacks {', '.join(missing)}", hint)


def require_abilities():
    """Fails where the kernel, or the container around, does not allow what a node does."""
    if os.geteuid() != 0 or UIDS.read_text().split() != ALL_UIDS:
        raise _cannot("it takes root, for mounts and control groups", "put 'sudo' in front of the command")
    namespace.require()
    reasons = [reason for reason in (_why_no_overlay(), cgroups.why_not()) if reason]
    if reasons:
        raise _cannot("; ".join(reasons), "pods want a machine, virtual or not, or a privileged container")


def find_program(name):
    # Of users' PATHs many leave out where Debian has iptables.
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


def plugin_folder():
    """Where the programs are that give pods their networks; None when any is missing."""
    return next((one for one in PLUGIN_FOLDERS if all((one / name).exists() for name in PLUGINS)), None)


def _why_no_overlay():
    with tempfile.TemporaryDirectory(prefix="rig-trial-") as folder:
        command = ["unshare", "--mount", "sh", "-c", TRY_OUT, "sh", folder]
        tried = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    return None if tried.returncode == 0 else f"it has no overlayfs: {tried.stderr.strip()}"


def _cannot(why, hint):
    return RigError(f"this machine cannot run pods: {why}", hint, exit_code=EXIT_CANNOT_BUILD)
