#!/usr/bin/env python3
"""The judge of meshes judged: meshes made by hand pass, and every sabotage of one is found.

Starts clusters in a network namespace and makes meshes on them; a minute a model. It runs itself once
more inside of the namespace, where kubectl reaches the clusters.
"""

import os
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

import clusters as real
import mesh_checker
import sabotage
from riglib.blueprint import MODELS, blueprint

HERE = Path(__file__).resolve()
RIG = str(real.RIG_FOLDER / "rig")
PROGRAMS = ("kubernetes", "kwok", "pilot-discovery", "istioctl")
NAMES = ("cluster1", "cluster2")
INSIDE = "MESHTRUST_TEST_INSIDE"
NOTICE_SECONDS = 90


class MadeByHand(unittest.TestCase):
    """From outside: starts a mesh and lets a case of `Inside` look at it."""

    @classmethod
    def setUpClass(cls):
        real.skip_without_rig(*PROGRAMS)
        real.skip_without_namespaces()

    def make(self, model, case):
        state = tempfile.TemporaryDirectory(prefix="meshtrust-checker-")
        self.addCleanup(state.cleanup)
        rig = [RIG, "--state", state.name]
        self.addCleanup(subprocess.run, [*rig, "down"], capture_output=True)
        made = subprocess.run([*rig, "up", "--mesh", model, *NAMES], capture_output=True, text=True, check=False)
        self.assertEqual(0, made.returncode, made.stdout + made.stderr)
        look = [*rig, "exec", sys.executable, "-B", str(HERE), f"Inside.{case}"]
        done = subprocess.run(look, env=os.environ | {INSIDE: model}, capture_output=True, text=True, check=False)
        self.assertEqual(0, done.returncode, done.stdout + done.stderr)

    def test_every_sabotage_is_found(self):
        self.make("primary-remote-multi-network", "sabotages")


def add_model(model):
    setattr(MadeByHand, f"test_{model.replace('-', '_')}_passes", lambda self: self.make(model, "passes"))


for one in MODELS:
    add_model(one)


class Inside(unittest.TestCase):
    """Within the namespace, beside a mesh."""

    def setUp(self):
        self.mesh = blueprint(os.environ[INSIDE], NAMES)
        self.clusters = {name: mesh_checker.Cluster(name, name) for name in NAMES}

    def findings(self):
        """What is wrong beside what is wrong with every mesh as Istio makes it."""
        found = mesh_checker.Checker(self.mesh, self.clusters).findings()
        return [one for one in found if one.check != mesh_checker.WORLD_READABLE]

    def passes(self):
        # An istiod makes its webhook strict when it has seen it work, a moment after it is ready.
        self.assertTrue(self.wait(lambda: not self.findings()), self.findings())
        checked = mesh_checker.Checker(self.mesh, self.clusters).findings()
        readers = [one for member, _ in self.mesh.istiods() for one in self.mesh.known_to(member)[1:]]
        self.assertEqual(len(readers), len(checked), checked)  # each reader reads secrets
        left = {one.text for one in mesh_checker.Checker(self.mesh, self.clusters).gone()}
        self.assertIn(f"namespace {self.mesh.namespace}", left)
        self.assertTrue(any(one.startswith("mutatingwebhookconfiguration istio-") for one in left), left)

    def sabotages(self):
        self.assertTrue(self.wait(lambda: not self.findings()), self.findings())
        for name in sabotage.ALL:
            with self.subTest(name=name):
                with sabotage.of(name, lambda role: self.clusters[self.mesh.having(role)[0].name]):
                    checks = self.wait(lambda: {sabotage.expected_of(name)} <= {one.check for one in self.findings()})
                self.assertTrue(checks, f"{name}: not noticed: {self.findings()}")
                print(f"{name}: noticed", file=sys.stderr, flush=True)
                if name != list(sabotage.ALL)[-1]:
                    self.assertTrue(self.wait(lambda: not self.findings()), f"{name}: {self.findings()}")

    def wait(self, question):
        deadline = time.monotonic() + NOTICE_SECONDS
        while not (answer := question()) and time.monotonic() < deadline:
            time.sleep(0.5)
        return answer


def load_tests(loader, _tests, _pattern):
    return loader.loadTestsFromTestCase(MadeByHand)


if __name__ == "__main__":
    if os.environ.get(INSIDE):
        case = Inside(sys.argv[1].partition(".")[2])
        result = unittest.TextTestRunner(verbosity=2).run(case)
        sys.exit(not result.wasSuccessful())
    unittest.main()
