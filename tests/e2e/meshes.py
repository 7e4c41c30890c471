"""Whole meshes for the tests: clusters in a network namespace, and the program among them.

A file of tests calls `run_inside` from outside, which starts the clusters and runs the file's own
class `Inside`, a `InsideTest`, where they are; see tests/rig/README.md.
"""

import itertools
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

from support import BINARY, PASSPHRASE, real

from riglib.build import gateway_api_folder

RIG = str(real.RIG_FOLDER / "rig")
PROGRAMS = ("kubernetes", "kwok", "pilot-discovery", "istioctl")
NAMES = ("cluster1", "cluster2")
ALL = (*NAMES, "cluster3")
INSIDE = "MESHTRUST_TEST_INSIDE"
GATEWAY_API = "MESHTRUST_TEST_GATEWAY_API"
VERSION = "1.31.0"
NO_FAULT = "no fault found in trust, what is installed and what istiods see; traffic was not tried"
NEXT_FINDING = re.compile(r": (error|warning|note|next): ")


def mesh_file(cluster1, cluster2, istio="", third=None):
    text = f"""\
apiVersion: meshtrust/v1
kind: Mesh
metadata: {{name: shop}}
spec:
  trust:
    store: shop.trust
  istio: {{version: "{VERSION}"{istio}}}
  clusters:
  - {{name: cluster1, {cluster1}}}
  - {{name: cluster2, {cluster2}}}
"""
    return text + (f"  - {{name: cluster3, {third}}}\n" if third else "")

def run_inside(test, file, names=ALL):
    """Starts clusters and runs the class `Inside` of a file among them."""
    real.skip_without_rig(*PROGRAMS)
    shared = os.environ.get("MESHTRUST_RIG_STATE")
    state = shared or tempfile.mkdtemp(prefix="meshtrust-meshes-")
    rig = [RIG, "--state", state]
    if not shared:
        test.addCleanup(subprocess.run, [*rig, "down"], capture_output=True, check=False)
    made = subprocess.run([*rig, "up", "--netns", *names], capture_output=True, text=True, check=False)
    if made.returncode == 69 and os.environ.get("MESHTRUST_REQUIRE_RIG") != "1":
        test.skipTest(made.stderr)
    test.assertEqual(0, made.returncode, made.stderr)
    # Looked for out here: inside of a namespace there is no network to fetch it by.
    around = os.environ | {INSIDE: state, GATEWAY_API: str(gateway_api_folder())}
    inside = subprocess.run([*rig, "exec", sys.executable, "-B", str(file), "-v", "Inside"], env=around, check=False)
    test.assertEqual(0, inside.returncode)


def hints_at_the_start(told):
    """Those of a finding whose first line comes before `told`."""
    lines = itertools.takewhile(lambda line: not NEXT_FINDING.search(line), told.splitlines())
    return [line for line in lines if ": hint: " in line]


class InsideTest(unittest.TestCase):
    """Within the namespace, with the program in a home of its own."""

    maxDiff = None
    editor = "false"  # what a hint's 'kubectl edit' opens

    def setUp(self):
        if INSIDE not in os.environ:
            self.skipTest("runs inside of a rig's namespace, from outside")
        home = tempfile.TemporaryDirectory(prefix="meshtrust-meshes-home-")
        self.addCleanup(home.cleanup)
        self.home = Path(home.name)

    def meshtrust(self, code, *words):
        done = self.tried(BINARY, *words, "--progress", "plain")
        self.assertEqual(code, done.returncode, f"{words}\n{done.stdout}{done.stderr}")
        return done

    def tried(self, *command):
        return subprocess.run(
            command,
            cwd=self.home,
            env=self.environment(),
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )

    def eventually(self, is_enough, *words):
        """The first answer of the program to `words` that is enough, within a minute."""
        end = time.monotonic() + 60
        while True:
            done = self.tried(BINARY, *words, "--progress", "plain")
            if is_enough(done):
                return done
            self.assertLess(time.monotonic(), end, f"{words}\n{done.stdout}{done.stderr}")
            time.sleep(0.5)

    def hints_of(self, finding):
        """What `verify` says to do about it, once it finds it."""
        code = f"[{finding}]\n"
        told = self.eventually(lambda done: code in done.stderr, "verify").stderr.split(code, 1)[1]
        return hints_at_the_start(told)

    def follow(self, hints):
        """Every command in them, as a person types it."""
        for command in re.findall(r"'((?:meshtrust|kubectl|rm) [^']*)'", "\n".join(hints)):
            program, *words = shlex.split(command)
            if program != "meshtrust":
                done = self.tried("sh", "-c", command)
                self.assertEqual(0, done.returncode, f"{command}\n{done.stderr}")
            elif words[0] == "apply":
                self.eventually(lambda done: done.returncode == 0, *words, "--yes")
            elif words[0] == "destroy":
                self.meshtrust(0, *words, "--yes")
            else:
                self.meshtrust(0, *words)

    def environment(self):
        own = {"HOME": str(self.home), "MESHTRUST_PASSWORD": PASSPHRASE, "XDG_STATE_HOME": ""}
        return os.environ | own | {"KUBE_EDITOR": self.editor}

    def kubectl(self, cluster, *words):
        done = subprocess.run(
            ["kubectl", "--context", cluster, *words], capture_output=True, text=True, check=True
        )
        return done.stdout

    def marks(self):
        return {name: self.audit(name).stat().st_size for name in NAMES}

    def audit(self, name):
        rig = [RIG, "--state", os.environ[INSIDE], "audit", name]
        return Path(subprocess.run(rig, capture_output=True, text=True, check=True).stdout.strip())

    def writes_since(self, marks):
        """By whomever a person's programs are: the installer as well as the program under test."""
        found = []
        for name, mark in marks.items():
            with self.audit(name).open() as log:
                log.seek(mark)
                events = [json.loads(line) for line in log]
            found += [
                (name, event["verb"], event["requestURI"])
                for event in events
                if event["stage"] == "ResponseComplete"
                and event["user"]["username"].endswith("-admin")
                and event["verb"] not in {"get", "list", "watch"}
                and not event["requestURI"].partition("?")[0].endswith("reviews")
                and "/portforward" not in event["requestURI"]
            ]
        return found

    def expect_nothing_left(self, names, namespace="istio-system"):
        """By the independent judge."""
        import mesh_checker
        from riglib.blueprint import Blueprint, Member

        mesh = Blueprint("any", namespace, tuple(Member(name, "primary", "network1") for name in names))
        clusters = {name: mesh_checker.Cluster(name, name) for name in names}
        self.assertEqual([], mesh_checker.Checker(mesh, clusters).gone())

    def goes_away(self, names, namespace):
        self.meshtrust(0, "destroy", "--yes")
        self.expect_nothing_left(names, namespace)
        self.assertIn("Nothing to do", self.meshtrust(0, "destroy", "--yes").stdout)

    def write_mesh(self, text, *lines):
        (self.home / "mesh.yaml").write_text(text + "".join(f"  - {{{line}}}\n" for line in lines))
