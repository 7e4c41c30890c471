#!/usr/bin/env python3
"""Times eight server-side applies to each of many API servers: meshtrust's client, and a loop of kubectl.

usage: bench/apiservers.py [--build DIR] [--kubectl PROGRAM] [--rounds N] [--kubectl-servers N] [--jobs N]

The servers are one Go program (bench/apiservers/server): TLS, HTTP/2, 20 ms before every answer. All runs
on this machine, so servers and clients share its cores. Printed are the medians of each case.
"""

import argparse
import contextlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "tests" / "rig"))

from riglib import toolchain  # noqa: E402

OBJECTS = 8
# What the product promises: seconds, and megabytes resident.
CASES = {
    "100 servers": {"count": 100, "dead": 0, "seconds": 2.5, "megabytes": 150},
    "1000 servers": {"count": 1000, "dead": 0, "seconds": 20.0, "megabytes": 150},
    "1000 servers and 16 dead": {"count": 1000, "dead": 16, "seconds": 20.0, "megabytes": 150},
}


def build_server(folder):
    program = folder / "server"
    command = [toolchain.find_go(), "build", "-o", str(program), "."]
    source = ROOT / "bench" / "apiservers" / "server"
    subprocess.run(command, cwd=source, env=toolchain.environment(), check=True)
    return program


@contextlib.contextmanager
def servers(program, count, dead):
    """The running servers, as {"ca", "ports", "dead"}."""
    command = [program, "-count", str(count), "-dead", str(dead)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield json.loads(process.stdout.readline())
        process.stdin.close()  # tells it to end


def write_kubeconfig(path, ca_file, ports):
    """JSON is YAML. The dead come first: that is where they would delay others most."""

    def entries(kind, value):
        return [{"name": f"c{port}", kind: value(port)} for port in ports]

    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": f"c{ports[0]}",
        "clusters": entries(
            "cluster", lambda port: {"server": f"https://127.0.0.1:{port}", "certificate-authority": str(ca_file)}
        ),
        "users": entries("user", lambda port: {"token": "bench"}),
        "contexts": entries("context", lambda port: {"cluster": f"c{port}", "user": f"c{port}"}),
    }
    path.write_text(json.dumps(config, indent=1))
    path.chmod(0o600)


def run_client(options, folder, found):
    ca_file = folder / "ca.pem"
    ca_file.write_text(found["ca"])
    config = folder / "config"
    write_kubeconfig(config, ca_file, (found["dead"] or []) + found["ports"])
    command = [options.build / "bench" / "apiservers_client", config, str(OBJECTS), str(options.jobs)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    result = json.loads(done.stdout)
    if result["failed"] != len(found["dead"] or []):
        raise SystemExit(f"{result['failed']} clusters failed: {result}")
    return result


def median_of(results):
    return {key: statistics.median(result[key] for result in results) for key in results[0]}


def time_client(options, server, folder, case):
    results = []
    for _ in range(options.rounds):
        with servers(server, case["count"], case["dead"]) as found:
            results.append(run_client(options, folder, found))
    return median_of(results)


def time_kubectl(options, server, folder):
    """Seconds per server of `kubectl apply --server-side`, one process a server, all objects in one file."""
    objects = [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": f"bench-{i}", "namespace": "istio-system"},
            "data": {"number": str(i), "text": "x" * 1000},
        }
        for i in range(OBJECTS)
    ]
    manifest = folder / "objects.json"
    manifest.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))
    home = folder / "home"
    home.mkdir(exist_ok=True)
    command = [options.kubectl, "apply", "--server-side", "--validate=false", "--field-manager=bench", "-f", manifest]
    with servers(server, options.kubectl_servers, 0) as found:
        (folder / "ca.pem").write_text(found["ca"])
        configs = [folder / f"config-{port}" for port in found["ports"]]
        for config, port in zip(configs, found["ports"]):
            write_kubeconfig(config, folder / "ca.pem", [port])
        start = time.monotonic()
        for config in configs:
            environment = {"PATH": os.environ["PATH"], "HOME": str(home), "KUBECONFIG": str(config)}
            done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                raise SystemExit(f"kubectl: {done.stderr}")
        return (time.monotonic() - start) / len(configs)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=Path, default=ROOT / "build" / "release")
    parser.add_argument("--kubectl", default=shutil.which("kubectl"))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--kubectl-servers", type=int, default=20)
    parser.add_argument("--jobs", type=int, default=16)
    options = parser.parse_args()

    with tempfile.TemporaryDirectory(prefix="meshtrust-bench-") as name:
        folder = Path(name)
        server = build_server(folder)
        kept = True
        each = None
        for name, case in CASES.items():
            result = time_client(options, server, folder, case)
            seconds, megabytes = result["living_done_s"], result["resident_mb"]
            met = seconds <= case["seconds"] and megabytes <= case["megabytes"]
            kept = kept and met
            each = seconds / case["count"]
            print(
                f"{name:25} {seconds:6.2f} s (at most {case['seconds']} s), {megabytes:.0f} MB resident "
                f"(at most {case['megabytes']}), {result['cpu_s']:.1f} s of CPU: {'kept' if met else 'BROKEN'}",
                flush=True,
            )
        if options.kubectl:
            kubectl = time_kubectl(options, server, folder)
            print(
                f"kubectl, one server after the other: {kubectl:.3f} s a server, {kubectl * 1000:.0f} s for 1000; "
                f"meshtrust is {kubectl / each:.0f} times as fast"
            )
        else:
            print("no kubectl on PATH: nothing to compare with (--kubectl PROGRAM)")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
