"""Builds the control plane program from its Go module, once for each content of that module."""

import hashlib
import os
import re
import subprocess
import tempfile
import time
from pathlib import Path

from . import toolchain
from .files import cache_folder, locked
from .report import EXIT_CANNOT_BUILD, RigError, last_lines, progress

MODULE = Path(__file__).resolve().parent.parent / "kubernetes"
NOTICE_SECONDS = 10


def built_program():
    """The cached program for the module as it stands now, or None when it was not built yet."""
    program = _target()
    return program if program.exists() else None


def build():
    """Makes the program unless it is there already; returns its path."""
    program = _target()
    if program.exists():
        return program
    program.parent.mkdir(parents=True, exist_ok=True)
    lock = cache_folder() / "build.lock"
    lock.touch()
    with locked(lock, "another build"):
        if not program.exists():  # the other build may have been of the same program
            _build_locked(program)
    return program


def kubernetes_version():
    return re.search(r"k8s\.io/kubernetes (v\S+)", (MODULE / "go.mod").read_text())[1]


def _target():
    digest = hashlib.sha256()
    for name in ("go.mod", "go.sum", "main.go"):
        digest.update((MODULE / name).read_bytes())
    digest.update(_linker_flags().encode())
    return cache_folder() / digest.hexdigest()[:16] / "kubernetes"


def _linker_flags():
    # Unstamped servers call themselves v0.0.0-master, and istioctl refuses to install on those.
    version = kubernetes_version()
    major, minor = re.match(r"v(\d+)\.(\d+)\.", version).groups()
    stamps = {
        "k8s.io/component-base/version.gitVersion": version,
        "k8s.io/component-base/version.gitMajor": major,
        "k8s.io/component-base/version.gitMinor": minor,
        "k8s.io/client-go/pkg/version.gitVersion": version,
    }
    return "-s -w " + " ".join(f"-X {name}={value}" for name, value in stamps.items())


def _build_locked(program):
    started = time.monotonic()
    go = toolchain.find_go()
    log = program.parent / "build.log"
    progress(f"building Kubernetes {kubernetes_version()} with '{go}', some 5 minutes on 2 cores; log: '{log}'")
    # Listing loads every package, so it fetches exactly the modules that the build needs. As a step
    # of its own it tells a missing network, which is the machine's fault, from code that does not
    # compile, which is ours.
    listing = [go, "list", "-mod=readonly", "-deps", "-f", "{{.ImportPath}}", "."]
    if _run("fetching modules", listing, log, started) != 0:
        raise RigError(
            f"cannot fetch the Go modules of '{MODULE}':\n{last_lines(log)}",
            "check the network and GOPROXY, then try 'rig build' again",
            f"the whole log: {log}",
            exit_code=EXIT_CANNOT_BUILD,
        )
    temporary = Path(tempfile.mkdtemp(dir=program.parent, prefix="building-")) / program.name
    try:
        compiling = [go, "build", "-v", "-mod=readonly", "-trimpath", "-buildvcs=false"]
        compiling += ["-ldflags", _linker_flags(), "-o", str(temporary), "."]
        if _run("compiling packages", compiling, log, started) != 0:
            raise RigError(f"cannot compile '{MODULE}':\n{last_lines(log)}", f"the whole log: {log}")
        os.replace(temporary, program)
    finally:
        temporary.unlink(missing_ok=True)
        temporary.parent.rmdir()
    progress(f"built '{program}' in {time.monotonic() - started:.0f} s")


def _run(doing, command, log, started):
    """Runs one step of the build and says every 10 s how far it is: Go logs a line per item."""
    with open(log, "w") as output:
        child = subprocess.Popen(
            command, cwd=MODULE, env=toolchain.environment(), stdout=subprocess.DEVNULL, stderr=output
        )
    try:
        while True:
            try:
                return child.wait(NOTICE_SECONDS)
            except subprocess.TimeoutExpired:
                items = log.read_bytes().count(b"\n")
                progress(f"{doing}: {items} so far, {time.monotonic() - started:.0f} s")
    finally:
        if child.poll() is None:
            child.terminate()
            child.wait()
