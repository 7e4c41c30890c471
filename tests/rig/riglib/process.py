"""Servers as processes of their own: started detached, recognized again later, stopped."""

import os
import select
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Process:
    """A pid and the moment its process started: together they never mean another process."""

    server: str
    pid: int
    started: int  # clock ticks since boot

    def is_alive(self):
        return start_time(self.pid) == self.started


def spawn(server, command, folder, log, claim):
    """Starts a server in a session of its own, so that it outlives the rig and its terminal."""
    started, _ = spawn_child(server, command, folder, log, environment(), [claim.fileno()])
    return started


def spawn_child(server, command, folder, log, variables, descriptors=()):
    """The same for a parent that stays: returns the child too, to be waited for."""
    with open(log, "ab") as output:
        child = subprocess.Popen(
            command,
            cwd=folder,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=descriptors,
        )
    # Its child cannot have been reaped yet, so this is certainly the process that was started.
    return Process(server, child.pid, start_time(child.pid, even_if_ended=True)), child


def stop(processes, grace_seconds):
    """Ends these processes, by SIGKILL those that are left after the grace period."""
    handles = [handle for process in processes if (handle := _open(process)) is not None]
    try:
        _send(handles, signal.SIGTERM)
        left = _wait(handles, grace_seconds)
        _send(left, signal.SIGKILL)
        _wait(left, None)
    finally:
        for handle in handles:
            os.close(handle)


def children(parent):
    """The processes that a living process has started and not waited for."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has just ended
        if int(fields[4 - 3]) == parent.pid and parent.is_alive():
            found.append(Process(f"child of {parent.server}", int(path.parent.name), int(fields[22 - 3])))
    return found


def environment():
    # etcd takes any ETCD_* variable for a flag, and the API server would send webhooks to a proxy.
    return {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}


def _open(process):
    """A handle on this very process: unlike its pid, it cannot come to mean another one."""
    try:
        handle = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return None
    if process.is_alive():
        return handle
    os.close(handle)
    return None


def _send(handles, which):
    for handle in handles:
        try:
            signal.pidfd_send_signal(handle, which)
        except ProcessLookupError:
            pass  # it has just ended


def _wait(handles, seconds):
    """Waits for the processes to end and returns the handles of those that have not."""
    deadline = None if seconds is None else time.monotonic() + seconds
    left = set(handles)
    while left:
        timeout = None if deadline is None else max(0.0, deadline - time.monotonic())
        ended, _, _ = select.select(left, [], [], timeout)
        if not ended:
            break
        left -= set(ended)
    return left


def start_time(pid, even_if_ended=False):
    """When the process started, or None when there is none or it only waits to be reaped."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            # The program's name, in parentheses, may hold anything; fields 3 and on follow it.
            fields = file.read().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    if fields[0] in "ZX" and not even_if_ended:
        return None
    return int(fields[22 - 3])
