#!/usr/bin/env python3
"""What a real istioctl makes of the files that the clusters of the examples are given.

tests/golden/profiles holds these files, whole. Here istioctl renders each, and what came of it is
held against what the mesh has to agree on. No cluster is started.
"""

import subprocess
import unittest
from pathlib import Path

import yaml

from clusters import RIG_FOLDER, skip_without_rig

GOLDEN = Path(__file__).resolve().parent.parent / "golden" / "profiles"
EXAMPLES = GOLDEN.parent.parent.parent / "examples"
ADDRESS = "192.0.2.1"


def installer_files():
    """(example, cluster, installation, IstioOperator) of every file for istioctl."""
    for path in sorted(GOLDEN.glob("*/*.yaml")):
        for part in path.read_text().split("--- # ")[1:]:
            head, document = part.split("\n", 1)
            if ": istioctl" in head:
                yield path.parent.name, path.stem, head.split(":")[0], document


def known(document):
    """The document, as if all that is known later were this address."""
    words = document.split("(known after ")
    return words[0] + "".join(ADDRESS + rest.split(")", 1)[1] for rest in words[1:])


class Rendered:
    """The objects that istioctl renders of a file."""

    def __init__(self, istioctl, document):
        command = [istioctl, "manifest", "generate", "-f", "-"]
        done = subprocess.run(command, input=known(document), capture_output=True, text=True, check=False)
        self.problem = done.stderr if done.returncode else ""
        self.objects = [one for one in yaml.safe_load_all(done.stdout) if one]

    def of_kind(self, kind):
        return [one for one in self.objects if one["kind"] == kind]

    def namespaces(self):
        return {one["metadata"]["namespace"] for one in self.objects if "namespace" in one["metadata"]}

    def istiod(self):
        """The environment of the control plane, None where there is none."""
        for deployment in self.of_kind("Deployment"):
            container = deployment["spec"]["template"]["spec"]["containers"][0]
            if container["name"] == "discovery":
                return {one["name"]: one.get("value") for one in container["env"]}
        return None

    def injection(self):
        """Where webhooks are called: a path or a URL."""
        calls = [
            hook["clientConfig"].get("url") or hook["clientConfig"]["service"]["path"]
            for webhook in self.of_kind("MutatingWebhookConfiguration")
            for hook in webhook["webhooks"]
        ]
        return set(calls)


class Models(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        skip_without_rig("istioctl")
        rig = [RIG_FOLDER / "rig", "which", "istioctl"]
        cls.istioctl = subprocess.run(rig, capture_output=True, text=True, check=True).stdout.strip()
        cls.rendered = {
            (example, cluster, kind): Rendered(cls.istioctl, document)
            for example, cluster, kind, document in installer_files()
        }

    def each(self, *kinds):
        """Every rendering of these kinds with its cluster in the mesh file, as a subtest."""
        found = 0
        for (example, name, kind), rendered in self.rendered.items():
            if kind not in kinds:
                continue
            spec = yaml.safe_load((EXAMPLES / f"{example}.yaml").read_text())["spec"]
            defaults = spec.get("defaults", {})
            cluster = next(defaults | one for one in spec["clusters"] if one["name"] == name)
            with self.subTest(example=example, cluster=name, kind=kind):
                found += 1
                yield rendered, cluster, spec
        self.assertGreater(found, 0)

    def test_istioctl_takes_every_file(self):
        for rendered, _, _ in self.each("istiod", "remote", "config", "ingress", "external"):
            self.assertEqual(rendered.problem, "")
            self.assertEqual(len(rendered.namespaces()), 1)

    def test_a_primary_is_who_the_mesh_file_says(self):
        for rendered, cluster, spec in self.each("istiod"):
            env = rendered.istiod()
            managed = any(cluster["name"] in one.get("controlPlane", []) for one in spec["clusters"])
            managed = managed or cluster["name"] in spec.get("defaults", {}).get("controlPlane", [])
            self.assertEqual(env["CLUSTER_ID"], cluster["name"])
            self.assertEqual(env.get("EXTERNAL_ISTIOD"), "true" if managed else None)
            ambient = spec["istio"].get("dataPlane") == "ambient"
            self.assertEqual(env.get("AMBIENT_ENABLE_MULTI_NETWORK"), "true" if ambient else None)
            self.assertEqual(len(rendered.of_kind("DaemonSet")), 2 if ambient else 0)
            self.assertEqual(len(rendered.of_kind("Deployment")), 1, "no gateway comes along")

    def test_a_remote_calls_its_control_plane_as_itself(self):
        for rendered, cluster, _ in self.each("remote", "config"):
            self.assertIsNone(rendered.istiod())
            path = f"/inject/cluster/{cluster['name']}/net/{cluster['network']}"
            (call,) = rendered.injection()
            self.assertTrue(call.endswith(path), call)
            reached = [one for one in rendered.of_kind("EndpointSlice") if one["endpoints"][0]["addresses"]]
            self.assertEqual(len(reached), 0 if call.startswith("https:") else 1)

    def test_an_external_control_plane_speaks_for_its_config_cluster(self):
        for rendered, _, spec in self.each("external"):
            config = next(one for one in spec["clusters"] if one.get("role") == "config")
            env = rendered.istiod()
            self.assertEqual(env["CLUSTER_ID"], config["name"])
            self.assertEqual(env["LOCAL_CLUSTER_SECRET_WATCHER"], "true")
            self.assertEqual(rendered.injection(), set(), "webhooks are in the clusters that it serves")
            (deployment,) = rendered.of_kind("Deployment")
            mounts = deployment["spec"]["template"]["spec"]["containers"][0]["volumeMounts"]
            self.assertIn("/etc/istio/config", {one["mountPath"] for one in mounts})


if __name__ == "__main__":
    unittest.main()
