"""The control groups of one node: a tree of its own in each hierarchy of this machine, cgroup v1 and v2.

It stands at the top of the hierarchies: below the caller's own group its processes would be in the
way, for of cgroup v2 a group holds processes or groups, never both.
"""

import hashlib
import os
import time
from pathlib import Path

MOUNTS = Path("/proc/self/mountinfo")
WANTED = {"cpu", "cpuset", "memory", "pids"}  # what kubelet and runc do not do without
PATIENCE_SECONDS = 10
POLL_SECONDS = 0.02


def name_for(folder):
    """The name of the tree of the node whose files are in `folder`; another folder has another."""
    return f"meshtrust-rig-{hashlib.sha256(str(folder).encode()).hexdigest()[:12]}"


def make(name):
    for hierarchy, _ in hierarchies():
        (hierarchy / name).mkdir(exist_ok=True)


def remove(name):
    """Waits for processes that are about to end, for a group that holds any cannot go."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while left := [tree for hierarchy, _ in hierarchies() if (tree := hierarchy / name).exists()]:
        for tree in left:
            _try_to_remove(tree)
        if time.monotonic() > deadline:
            raise OSError(f"control group '{left[0]}' still holds processes")
        time.sleep(POLL_SECONDS)


def why_not():
    """None when nodes can have control groups here, else what is in the way."""
    found = hierarchies()
    missing = WANTED - set().union(*(controllers for _, controllers in found))
    if missing:
        return f"there is no cgroup controller {', '.join(sorted(missing))}"
    for hierarchy, controllers in found:
        trial = hierarchy / f"meshtrust-rig-trial-{os.getpid()}"
        try:
            trial.mkdir()
            trial.rmdir()
        except OSError as error:
            return f"no control group can be made in '{hierarchy}': {error.strerror.lower()}"
        if controllers & WANTED and _keeps_controllers(hierarchy):
            return f"the controllers of '{hierarchy}' cannot be handed on, for it holds processes"
    return None


def hierarchies():
    """(mount point, names of its controllers) of each."""
    found = []
    for line in MOUNTS.read_text().splitlines():
        before, _, after = line.partition(" - ")
        place = Path(before.split()[4])
        kind, _, options = after.split(maxsplit=2)
        if kind == "cgroup":
            found.append((place, set(options.split(","))))
        elif kind == "cgroup2":
            found.append((place, set((place / "cgroup.controllers").read_text().split())))
    return found


def _keeps_controllers(hierarchy):
    """Of v2: a group that is not the very root, as in a container, and that processes are in."""
    if not (hierarchy / "cgroup.type").exists():
        return False
    enabled = set((hierarchy / "cgroup.subtree_control").read_text().split())
    return not enabled >= WANTED and bool((hierarchy / "cgroup.procs").read_text())


def _try_to_remove(tree):
    for folder, _, _ in os.walk(tree, topdown=False):
        try:
            os.rmdir(folder)  # the files in it are the kernel's and go with it
        except OSError:
            pass
