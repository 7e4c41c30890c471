#!/usr/bin/env python3
"""Whole meshes, from kubeconfigs to istiods that see each other and back to nothing.

One rig in a network namespace serves all models, one after the other: each begins with clusters that
the one before has left empty, so that `destroy` is judged by what follows it. Runs itself once more
inside of the namespace, where the clusters are; see tests/rig/README.md.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

from support import BINARY, PASSPHRASE, real

from riglib.build import gateway_api_folder

HERE = Path(__file__).resolve()
RIG = str(real.RIG_FOLDER / "rig")
PROGRAMS = ("kubernetes", "kwok", "pilot-discovery", "istioctl")
NAMES = ("cluster1", "cluster2")
ALL = (*NAMES, "cluster3")
INSIDE = "MESHTRUST_TEST_INSIDE"
GATEWAY_API = "MESHTRUST_TEST_GATEWAY_API"
VERSION = "1.31.0"
# What a cluster without a mesh has of its own accord.
OWN_CONFIG_MAPS = {"kube-root-ca.crt"}


def mesh_file(cluster1, cluster2, istio=""):
    return f"""\
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


MODELS = {
    "multi-primary-multi-network": mesh_file("network: network1", "network: network2"),
    "multi-primary": mesh_file("network: network1", "network: network1"),
    "primary-remote-multi-network": mesh_file(
        "network: network1", "network: network2, role: remote, controlPlane: [cluster1]"
    ),
    "primary-remote": mesh_file(
        "network: network1", "network: network1, role: remote, controlPlane: [cluster1]"
    ),
    "external-control-plane": mesh_file(
        "network: hub, role: external", "network: network1, role: config, controlPlane: [cluster1]"
    ),
    "ambient-multi-network": mesh_file("network: network1", "network: network2", ", dataPlane: ambient"),
}


# Two meshes share a cluster when each looks at namespaces of its own: istiods publish their root in all that they see.
NOT_SECOND = (
    ", values: {meshConfig: {discoverySelectors: [{matchExpressions: "
    "[{key: mesh, operator: NotIn, values: [second]}]}]}}"
)
SECOND = f"""\
apiVersion: meshtrust/v1
kind: Mesh
metadata: {{name: second}}
spec:
  istio:
    version: "{VERSION}"
    namespace: istio-two
    revision: two
    values: {{meshConfig: {{discoverySelectors: [{{matchLabels: {{mesh: second}}}}]}}}}
  clusters:
  - {{name: cluster1, network: network1}}
"""

# Where sample workloads are tried as well: sidecars by a cluster's own istiod, and by one elsewhere.
SAMPLED = {"multi-primary-multi-network", "primary-remote-multi-network"}


class Models(unittest.TestCase):
    """From outside: starts the clusters and runs `Inside` among them."""

    def test_every_model_comes_up_stays_quiet_and_goes(self):
        real.skip_without_rig(*PROGRAMS)
        shared = os.environ.get("MESHTRUST_RIG_STATE")
        state = shared or tempfile.mkdtemp(prefix="meshtrust-models-")
        rig = [RIG, "--state", state]
        if not shared:
            self.addCleanup(subprocess.run, [*rig, "down"], capture_output=True, check=False)
        made = subprocess.run([*rig, "up", "--netns", *ALL], capture_output=True, text=True, check=False)
        if made.returncode == 69 and os.environ.get("MESHTRUST_REQUIRE_RIG") != "1":
            self.skipTest(made.stderr)
        self.assertEqual(0, made.returncode, made.stderr)
        # Looked for out here: inside of a namespace there is no network to fetch it by.
        around = os.environ | {INSIDE: state, GATEWAY_API: str(gateway_api_folder())}
        inside = subprocess.run([*rig, "exec", sys.executable, "-B", str(HERE), "-v", "Inside"], env=around, check=False)
        self.assertEqual(0, inside.returncode)


class Inside(unittest.TestCase):
    """Within the namespace, with the program in a home of its own."""

    maxDiff = None

    def setUp(self):
        if INSIDE not in os.environ:
            self.skipTest("runs inside of a rig's namespace, by `Models`")
        home = tempfile.TemporaryDirectory(prefix="meshtrust-models-home-")
        self.addCleanup(home.cleanup)
        self.home = Path(home.name)

    def meshtrust(self, code, *words):
        done = subprocess.run(
            [BINARY, *words, "--progress", "plain"],
            cwd=self.home,
            env=self.environment(),
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        self.assertEqual(code, done.returncode, f"{words}\n{done.stdout}{done.stderr}")
        return done

    def environment(self):
        return os.environ | {"HOME": str(self.home), "MESHTRUST_PASSWORD": PASSPHRASE, "XDG_STATE_HOME": ""}

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

    def left_over(self, cluster):
        """Names of what a mesh could have left."""
        kinds = (
            "mutatingwebhookconfigurations,validatingwebhookconfigurations,clusterroles,clusterrolebindings,"
            "customresourcedefinitions,namespaces"
        )
        names = self.kubectl(cluster, "get", kinds, "-o", "name").split()
        config_maps = self.kubectl(
            cluster, "get", "configmaps", "-A", "-o", "jsonpath={range .items[*]}{.metadata.name}{'\\n'}{end}"
        ).split()
        return [one for one in names + config_maps if "istio" in one or "meshtrust" in one]

    def install_gateway_api(self):
        """As the line does that is printed where it is missing; meshtrust installs no CRDs of others."""
        for name in NAMES:
            self.kubectl(name, "apply", "--server-side", "-f", os.environ[GATEWAY_API])

    def goes_through(self, model):
        (self.home / "mesh.yaml").write_text(MODELS[model])
        if model.startswith("ambient"):
            refused = self.meshtrust(4, "apply", "--yes")
            self.assertIn("the Gateway API is not installed", refused.stderr)
            self.install_gateway_api()
        first = self.meshtrust(0, "apply", "--yes")
        self.assertIn("the mesh works", first.stdout)
        before = self.marks()
        again = self.meshtrust(0, "apply", "--yes")
        self.assertIn("Nothing to do", again.stdout)
        self.assertEqual([], self.writes_since(before))
        verified = self.meshtrust(0, "verify")
        self.assertIn("the mesh works", verified.stdout)
        self.judge(model)
        if model in SAMPLED:
            self.try_samples()
        self.assertNotRegex(first.stdout + first.stderr + again.stderr + verified.stdout, r"eyJ[A-Za-z0-9_-]{20}")
        self.meshtrust(0, "destroy", "--yes")
        self.assertEqual({name: [] for name in NAMES}, {name: self.left_over(name) for name in NAMES})
        self.assertIn("Nothing to do", self.meshtrust(0, "destroy", "--yes").stdout)

    def write_mesh(self, text, *lines):
        (self.home / "mesh.yaml").write_text(text + "".join(f"  - {{{line}}}\n" for line in lines))

    def apply_and_die_while_the_installer_runs(self):
        running = subprocess.Popen(
            [BINARY, "apply", "--yes", "--progress", "plain"],
            cwd=self.home,
            env=self.environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL,
        )
        log = self.home / ".local" / "state" / "meshtrust" / "shop" / "cluster1-istiod.log"
        while running.poll() is None and "Processing" not in (log.read_text() if log.exists() else ""):
            time.sleep(0.02)
        running.kill()
        self.assertEqual(-signal.SIGKILL, running.wait())

    def make_namespace(self, cluster, name, label):
        text = f"{{apiVersion: v1, kind: Namespace, metadata: {{name: {name}, labels: {{{label}}}}}}}"
        command = ["kubectl", "--context", cluster, "apply", "-f", "-"]
        subprocess.run(command, input=text, capture_output=True, text=True, check=True)

    def test_a_live_mesh_survives_a_kill_a_slip_a_neighbour_and_a_guest(self):
        two = mesh_file("network: network1", "network: network2", NOT_SECOND)
        self.write_mesh(two)
        self.apply_and_die_while_the_installer_runs()
        self.assertIn("the mesh works", self.meshtrust(0, "apply", "--yes").stdout)

        # A slip: told, and mended.
        self.kubectl("cluster1", "-n", "istio-system", "delete", "gateways.networking.istio.io", "--all")
        self.assertIn("[missing]", self.meshtrust(4, "verify").stderr)
        self.assertIn("the mesh works", self.meshtrust(0, "apply", "--yes").stdout)

        # A neighbour: another mesh in one of the clusters, in a namespace that somebody made for it.
        self.make_namespace("cluster1", "istio-two", "mesh: second")
        (self.home / "second.yaml").write_text(SECOND)
        self.assertIn("the mesh works", self.meshtrust(0, "apply", "--yes", "-f", "second.yaml").stdout)
        self.assertIn("Nothing to do", self.meshtrust(0, "apply", "--yes").stdout)
        self.meshtrust(0, "destroy", "--yes", "-f", "second.yaml")
        self.assertEqual("namespace/istio-two\n", self.kubectl("cluster1", "get", "ns", "istio-two", "-o", "name"))
        self.assertEqual("", self.kubectl("cluster1", "-n", "istio-two", "get", "secrets,deployments", "-o", "name"))
        self.kubectl("cluster1", "delete", "namespace", "istio-two")
        self.assertIn("Nothing to do", self.meshtrust(0, "apply", "--yes").stdout)

        # A guest: joins by a line, leaves by a command and the line.
        guest = "name: cluster3, network: network3"
        self.write_mesh(two, guest)
        joined = self.meshtrust(0, "apply", "--yes")
        self.assertNotRegex(joined.stderr, "done +cluster[12]: control plane, ")
        self.assertIn("the mesh works", joined.stdout)
        self.meshtrust(0, "destroy", "cluster3", "--yes")
        self.assertEqual([], self.left_over("cluster3"))
        self.write_mesh(two)
        self.assertIn("Nothing to do", self.meshtrust(0, "apply", "--yes").stdout)
        self.meshtrust(0, "destroy", "--yes")
        self.assertEqual({name: [] for name in NAMES}, {name: self.left_over(name) for name in NAMES})

    def try_samples(self):
        """Pods of a rig run nothing, so calls are refused; all else is as in any cluster."""
        before = self.marks()
        done = self.meshtrust(0, "verify", "--samples", "-o", "json")
        verified = json.loads(done.stdout)
        self.assertTrue(verified["proved"])
        samples = verified["samples"]
        self.assertEqual([], samples["errors"] + samples["left"])
        sidecars = {(pod["cluster"], pod["app"]): pod["sidecar"]["clusterID"] for pod in samples["pods"]}
        self.assertEqual({(name, app): name for name in NAMES for app in ("curl", "helloworld")}, sidecars)
        self.assertEqual({"not proved"}, {way["answers"] for way in samples["ways"]})
        self.assertIn("traffic not proved here", done.stderr)
        deleted = [(name, uri) for name, verb, uri in self.writes_since(before) if verb == "delete"]
        self.assertEqual([(name, "/api/v1/namespaces/sample") for name in NAMES], sorted(deleted))
        for name in NAMES:
            self.assertNotIn("namespace/sample", self.kubectl(name, "get", "namespaces", "-o", "name").split())

    def judge(self, model):
        """The independent judge finds nothing that is not so with every mesh."""
        import mesh_checker
        from riglib.blueprint import blueprint

        clusters = {name: mesh_checker.Cluster(name, name) for name in NAMES}
        found = mesh_checker.Checker(blueprint(model, NAMES), clusters).findings()
        self.assertEqual([], [one for one in found if one.check != mesh_checker.WORLD_READABLE])


def add_model(model):
    setattr(Inside, f"test_{model.replace('-', '_')}", lambda self: self.goes_through(model))


for one in MODELS:
    add_model(one)


if __name__ == "__main__":
    unittest.main()
