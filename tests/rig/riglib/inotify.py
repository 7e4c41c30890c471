"""The one setting of the whole machine that real pods take: more users of inotify than Linux allows.

Each kubelet, istiod and sidecar watches files, and the limit of 128 is for all of them together. It is
raised while any rig with pods is up, and put back by the last one.
"""

import contextlib
import hashlib
from pathlib import Path

from .files import locked, private_folder

LIMIT = Path("/proc/sys/fs/inotify/max_user_instances")
WANTED = 1024
USERS = Path("/run/meshtrust-rig/inotify")  # gone after a reboot, as the limit is
BEFORE = "before"


def raise_limit(namespace_file):
    """For the rig that has this file as long as it is up."""
    with _users() as users:
        found = int(LIMIT.read_text())
        if found < WANTED:
            (users / BEFORE).write_text(str(found))
            LIMIT.write_text(str(WANTED))
        entry(namespace_file).write_text(str(namespace_file))


def put_back(namespace_file):
    """For a rig that is down; harmless for one that never raised it."""
    if not USERS.exists():
        return
    with _users() as users:
        entry(namespace_file).unlink(missing_ok=True)
        for other in users.glob("user-*"):
            if not Path(other.read_text()).exists():  # its state folder was removed by hand
                other.unlink()
        if not any(users.glob("user-*")) and (users / BEFORE).exists():
            LIMIT.write_text((users / BEFORE).read_text())
            (users / BEFORE).unlink()
    with contextlib.suppress(OSError):  # somebody else has come
        USERS.rmdir()
        USERS.parent.rmdir()


@contextlib.contextmanager
def _users():
    private_folder(USERS)
    with locked(USERS, "another rig"):
        yield USERS


def entry(namespace_file):
    """The file that says that this rig is up."""
    return USERS / f"user-{hashlib.sha256(str(namespace_file).encode()).hexdigest()[:12]}"
