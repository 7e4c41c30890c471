"""A network namespace for the clusters of a state folder.

Without pods every address of the clusters is an address of this machine in it; with pods it has the
bridge that their nodes are connected to. A process that does nothing holds it. Whatever is to see the
clusters runs inside: the rig enters it by itself, `rig exec` does so for other programs. Nothing
inside reaches a network, nothing outside reaches the clusters. An ordinary user gets it in a user
namespace of its own.
"""

import json
import os
import subprocess
import sys
import time
from dataclasses import asdict

from . import bridge, process
from .files import write_private
from .report import EXIT_CANNOT_BUILD, RigError, last_lines

# What a namespace is for: clusters without pods; with pods; with pods that are all of one network.
PLAIN, NODES, FLAT = "plain", "nodes", "flat"
# Services and pods have 10.x.x.x, API servers and load balancers 172.18.x.x.
SET_UP = """\
ip link set lo up &&
ip route add local 10.0.0.0/8 dev lo &&
ip route add local 172.18.0.0/16 dev lo &&
echo ready && exec sleep infinity
"""
# What pods do in it: an istiod finds the secrets of its pod where they have to be by a mount
# namespace of its own (`pods.py`). Tried beforehand, for an istiod would fail by it minutes later.
TRY_OUT = """\
ip link set lo up &&
ip route add local 10.0.0.0/8 dev lo &&
exec unshare --mount mount -t tmpfs tmpfs /run
"""
POLL_SECONDS = 0.02
HINT = (
    "it takes the programs 'unshare' and 'ip' (apt-get install iproute2), and a kernel and a container "
    "that allow network and mount namespaces"
)


def require():
    """Makes what a namespace for meshes takes and lets it go again; fails where that cannot be."""
    command = [*_share(), "sh", "-c", TRY_OUT]
    try:
        tried = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    except FileNotFoundError as error:
        raise _cannot(f"there is no program '{command[0]}'") from error
    if tried.returncode != 0:
        raise _cannot(tried.stderr.decode(errors="replace").strip() or f"exit status {tried.returncode}")


def _share():
    # An ordinary user gets it in a user namespace of its own.
    return ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--net"]


def _cannot(why):
    return RigError(f"this machine cannot hold a mesh: {why}", HINT, exit_code=EXIT_CANNOT_BUILD)


class Namespace:
    """That of one state folder, if it has one; `file` is where the process that holds it is noted."""

    def __init__(self, file):
        self.file = file
        self._log = file.with_suffix(".log")

    def exists(self):
        return self.file.exists()

    def kind(self):
        """What it is for; None without one."""
        return json.loads(self.file.read_text())["kind"] if self.exists() else None

    def has_nodes(self):
        return self.kind() in (NODES, FLAT)

    def create(self, kind=PLAIN):
        """Starts the holder. The caller holds the lock of the state folder."""
        require()
        self._log.unlink(missing_ok=True)
        command = [*_share(), "sh", "-c", SET_UP if kind == PLAIN else bridge.SET_UP]
        holder, child = process.spawn_child("namespace", command, "/", self._log, process.environment())
        write_private(self.file, json.dumps(asdict(holder) | {"kind": kind}) + "\n")
        while "ready\n" not in self._log.read_text():
            if child.poll() is not None:
                told = last_lines(self._log)
                self.remove()
                raise _cannot(f"no network namespace:\n{told}")
            time.sleep(POLL_SECONDS)

    def remove(self):
        """Ends the holder; the namespace goes with the last process in it."""
        if self.exists():
            process.stop([self._holder()], grace_seconds=0)
            self.file.unlink()
            self._log.unlink(missing_ok=True)

    def enter(self):
        """Starts this very program anew inside, unless there is no namespace or this is inside."""
        if not self.exists() or self._is_inside():
            return
        holder = self._holder()
        if not holder.is_alive():
            raise RigError(
                f"the network namespace is gone: the process that held it (pid {holder.pid}) has ended",
                "'rig down' removes what is left",
            )
        join = ["nsenter", "--target", str(holder.pid), "--net"]
        if os.geteuid() != 0:
            join += ["--user", "--preserve-credentials"]
        sys.stdout.flush()
        os.execvp(join[0], [*join, sys.executable, *sys.argv])

    def _is_inside(self):
        try:
            return os.readlink("/proc/self/ns/net") == os.readlink(f"/proc/{self._holder().pid}/ns/net")
        except FileNotFoundError:
            return False

    def _holder(self):
        noted = json.loads(self.file.read_text())
        return process.Process(noted["server"], noted["pid"], noted["started"])
