"""The images that pods of a mesh are made of, from programs of the rig and of this machine.

They have the names by which Istio's manifests and samples ask for them, whatever registry and version
stand around: the last part of an image's path decides (`registry.py`).
"""

import hashlib
import json
import re
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from . import build, machine, oci
from .files import cache_folder, locked
from .report import EXIT_CANNOT_BUILD, RigError

ACCOUNTS = {
    "/etc/passwd": "root:x:0:0::/root:/bin/sh\nistio-proxy:x:1337:1337::/:/bin/sh\n",
    "/etc/group": "root:x:0:\nistio-proxy:x:1337:\n",
}
# Upstream's Envoy lacks these filters of Istio's, and refuses all of a configuration that names one.
# The third, for metrics, is switched off by an object (`telemetry.py`).
WITHOUT_ISTIOS_FILTERS = {
    "PILOT_ENABLE_METADATA_EXCHANGE": "false",
    "PILOT_ENABLE_ALPN_FILTER": "false",
}
IPTABLES = [
    f"{ip}tables{kind}{verb}"
    for ip in ("ip", "ip6")
    for kind in ("", "-nft")
    for verb in ("", "-save", "-restore")
]


@dataclass(frozen=True)
class Recipe:
    name: str
    entrypoint: tuple = ()
    environment: dict = field(default_factory=dict)
    programs: dict = field(default_factory=dict)  # path in the image: here; with the libraries they take
    files: dict = field(default_factory=dict)  # the same, as they are
    links: dict = field(default_factory=dict)
    user: str = ""  # root's


def make(workload_ttl=None):
    """Makes what is not in the cache yet; returns the folders of all, each an OCI layout."""
    folder = cache_folder() / "images"
    (folder / "layers").mkdir(parents=True, exist_ok=True)
    with locked(folder, "another rig that makes images"):
        return [_image(folder, recipe) for recipe in _recipes(workload_ttl)]


def _recipes(workload_ttl):
    """A time to live, like 60s, is what istiod and sidecars have for one unless a manifest tells them."""
    of_istiod = {f"{which}_WORKLOAD_CERT_TTL": workload_ttl for which in ("DEFAULT", "MAX") if workload_ttl}
    of_sidecars = {"SECRET_TTL": workload_ttl} if workload_ttl else {}
    workload = build.build(build.WORKLOAD)
    authorities = {"/etc/ssl/certs/ca-certificates.crt": "/etc/ssl/certs/ca-certificates.crt"}
    shell = {f"/bin/{name}": machine.find_program(name) for name in ("sh", "sleep", "cat", "ls", "env")}
    return [
        Recipe("pause", ("/workload", "pause"), programs={"/workload": workload}),
        *(
            Recipe(f"examples-helloworld-{one}", ("/workload", "helloworld", one), programs={"/workload": workload})
            for one in ("v1", "v2")
        ),
        Recipe(
            "curl",
            ("/usr/bin/curl",),
            programs=shell | {"/usr/bin/curl": machine.find_program("curl"), "/usr/bin/workload": workload},
            files=authorities,
        ),
        Recipe(
            "pilot",
            ("/usr/local/bin/pilot-discovery",),
            WITHOUT_ISTIOS_FILTERS | of_istiod,
            programs=shell | {"/usr/local/bin/pilot-discovery": build.build(build.ISTIOD)},
            files=authorities,
            user="1337:1337",
        ),
        _proxy(shell, authorities, of_sidecars),
    ]


def _proxy(shell, authorities, environment):
    iptables = Path(machine.find_program("iptables")).resolve()
    extensions = _iptables_extensions()
    programs = {
        "/usr/local/bin/envoy": build.build(build.ENVOY),
        "/usr/local/bin/pilot-agent": build.build(build.ISTIO_AGENT),
        "/usr/bin/curl": machine.find_program("curl"),
        "/usr/sbin/xtables-nft-multi": iptables,
    }
    bootstrap = {"/var/lib/istio/envoy/envoy_bootstrap_tmpl.json": build.envoy_bootstrap()}
    return Recipe(
        "proxyv2",
        ("/usr/local/bin/pilot-agent",),
        environment,
        programs=shell | programs | {str(path): path for path in extensions},
        files=authorities | bootstrap,
        links={f"/usr/sbin/{name}": "xtables-nft-multi" for name in IPTABLES},
    )


def _iptables_extensions():
    found = sorted(Path("/usr/lib").glob("*/xtables/*.so"))
    if not found:
        wanted = "'apt-get install iptables' brings them"
        raise RigError("no extensions of iptables below '/usr/lib'", wanted, exit_code=EXIT_CANNOT_BUILD)
    return found


def _image(folder, recipe):
    content = _content(recipe)
    settings = {
        "User": recipe.user,
        "Entrypoint": list(recipe.entrypoint),
        "Env": ["PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]
        + [f"{name}={value}" for name, value in recipe.environment.items()],
    }
    sources = {path: _stamp(source) for path, source in content.files.items()}
    of_layer = _digest([sources, content.links, content.texts])
    target = folder / _digest([of_layer, recipe.name, settings])
    if not target.exists():
        with tempfile.TemporaryDirectory(dir=folder) as temporary:
            unfinished = Path(temporary, "image")
            oci.write_image(unfinished, recipe.name, _layer(folder / "layers" / of_layer, content), settings)
            unfinished.rename(target)
    return target


def _layer(folder, content):
    folder.mkdir(exist_ok=True)
    found = [path for path in folder.iterdir() if not path.name.startswith("tmp")]
    return found[0] if found else oci.write_layer(folder, content)


def _content(recipe):
    libraries = {library: library for library in _libraries(recipe.programs.values())}
    files = recipe.files | libraries | recipe.programs
    return oci.Content({path: Path(source).resolve() for path, source in files.items()}, recipe.links, ACCOUNTS)


def _libraries(programs):
    """Where the loader finds what the programs are linked with; nothing for static ones."""
    told = subprocess.run(["ldd", *map(str, programs)], capture_output=True, text=True, check=False).stdout
    return re.findall(r"(?:=> |^\s*)(/\S+) \(0x", told, re.MULTILINE)


def _stamp(path):
    status = path.stat()
    return [str(path), status.st_size, status.st_mtime_ns]


def _digest(value):
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]
