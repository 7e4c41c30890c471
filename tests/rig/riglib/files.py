"""Folders, private files and file locks."""

import contextlib
import fcntl
import os
import tempfile
import time
from pathlib import Path

from .report import progress

LOCK_POLL_SECONDS = 0.1
LOCK_NOTICE_SECONDS = 10


def cache_folder():
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "meshtrust" / "rig"


def default_state_folder():
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(base) / "meshtrust" / "rig"


def private_folder(path):
    """Makes the folder, readable by its owner alone: certificates' keys and audit logs live in it."""
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(0o700)
    return path


def write_private(path, text):
    """Replaces `path` in one step, mode 0600, so that no reader ever sees half a file."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


@contextlib.contextmanager
def locked(path, waiting_for):
    """Holds the lock of a file or folder; says at once, then every 10 s, that it waits for it."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        _wait_for_lock(descriptor, waiting_for)
        yield
    finally:
        os.close(descriptor)  # which also lets go of the lock


def _wait_for_lock(descriptor, waiting_for):
    started = time.monotonic()
    next_notice = started
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            pass
        now = time.monotonic()
        if now >= next_notice:
            progress(f"waiting for {waiting_for} ({now - started:.0f} s)")
            next_notice = now + LOCK_NOTICE_SECONDS
        time.sleep(LOCK_POLL_SECONDS)
