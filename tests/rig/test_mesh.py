#!/usr/bin/env python3
"""Meshes of two clusters, made with istioctl, helm and kubectl: python3 tests/rig/test_mesh.py [-v].

They show that the rig is enough of a cloud: every wait of the installer ends, istiod adopts a remote
cluster, and its webhooks answer through a gateway. Skipped where network namespaces are forbidden.
"""

import base64
import json
import sys
import tempfile
import unittest
from pathlib import Path

sys.dont_write_bytecode = True

from riglib import documents
from riglib.blueprint import SYSTEM
from riglib.cacerts import make_cacerts
from support import ClusterTest, wait_for

NETWORKS = {"cluster1": "network1", "cluster2": "network2"}


class MeshTest(ClusterTest):
    PROGRAMS = ("kubernetes", "kwok", "pilot-discovery", "istioctl")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.skip_without_namespaces()

    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.answer("up", "--netns", *NETWORKS)

    def run_inside(self, *command, stdin=None):
        return self.rig("exec", *command, stdin=stdin)

    def kubectl(self, cluster, *arguments, stdin=None):
        return self.assert_exit(
            0, self.run_inside("kubectl", "--context", cluster, *arguments, stdin=stdin)
        ).stdout

    def istioctl(self, cluster, *arguments):
        return self.assert_exit(0, self.run_inside("istioctl", "--context", cluster, *arguments)).stdout

    def apply(self, cluster, *objects):
        return self.kubectl(cluster, "apply", "-f", "-", stdin="\n---\n".join(map(json.dumps, objects)))

    def make_namespace(self, cluster, control_plane=""):
        self.apply(cluster, documents.namespace(SYSTEM, NETWORKS[cluster], control_plane))

    def push_cacerts(self, cluster):
        files = make_cacerts(self.folder, cluster)
        self.apply(cluster, documents.secret(SYSTEM, "cacerts", files))
        return files

    def install_primary(self, cluster, manages_remotes=False):
        self.install(cluster, documents.control_plane(cluster, NETWORKS[cluster], "mesh1", manages_remotes))

    def install(self, cluster, operator_file):
        path = self.folder / "operator.json"
        path.write_text(json.dumps(operator_file))
        self.istioctl(cluster, "install", "-y", "-f", str(path))

    def install_gateway(self, cluster):
        """Returns the address that its load balancer gave it."""
        self.install(cluster, documents.eastwest_gateway(NETWORKS[cluster]))
        path = "jsonpath={.status.loadBalancer.ingress[0].ip}"
        return self.kubectl(cluster, "-n", SYSTEM, "get", "service", "istio-eastwestgateway", "-o", path)

    def introduce(self, cluster, other):
        """Gives `other` the remote secret of `cluster`."""
        self.kubectl(
            other, "apply", "-f", "-", stdin=self.istioctl(cluster, "create-remote-secret", "--name", cluster)
        )

    def assert_synced(self, cluster, other):
        listing = wait_for(
            lambda: [
                line
                for line in self.istioctl(cluster, "remote-clusters").splitlines()
                if line.split()[:1] == [other] and " synced " in line
            ]
        )
        self.assertTrue(listing, self.istioctl(cluster, "remote-clusters"))

    def root_of(self, cluster, namespace=SYSTEM):
        """The root that the workloads of a namespace are given; empty as long as there is none."""
        path = r"jsonpath={.data.root-cert\.pem}"
        return self.kubectl(
            cluster,
            "-n",
            namespace,
            "get",
            "configmap",
            "istio-ca-root-cert",
            "--ignore-not-found",
            "-o",
            path,
        )


class PrimaryRemote(MeshTest):
    def test_a_remote_is_adopted_and_injected_through_the_gateway(self):
        self.make_namespace("cluster1")
        files = self.push_cacerts("cluster1")
        self.install_primary("cluster1", manages_remotes=True)
        address = self.install_gateway("cluster1")
        self.make_namespace("cluster2", control_plane="cluster1")
        self.install("cluster2", documents.remote("cluster2", NETWORKS["cluster2"], address))
        self.introduce("cluster2", "cluster1")

        self.assert_synced("cluster1", "cluster2")
        self.assertTrue(wait_for(lambda: self.root_of("cluster2") == files["root-cert.pem"]))
        bundle = "jsonpath={.webhooks[0].clientConfig.caBundle}"
        webhook = ("get", "mutatingwebhookconfiguration", "istio-sidecar-injector", "-o", bundle)
        self.assertTrue(
            wait_for(
                lambda: (
                    base64.b64decode(self.kubectl("cluster2", *webhook)).decode() == files["root-cert.pem"]
                )
            )
        )

        self.kubectl("cluster2", "create", "namespace", "sample")
        self.kubectl("cluster2", "label", "namespace", "sample", "istio-injection=enabled")
        self.assertIn('failed calling webhook "namespace.sidecar-injector.istio.io"', self.run_web().stderr)
        self.apply("cluster1", *documents.istiod_exposure())
        self.assertTrue(wait_for(lambda: self.run_web().returncode == 0))
        names = "jsonpath={.spec.initContainers[*].name} {.spec.containers[*].name}"
        containers = self.kubectl("cluster2", "-n", "sample", "get", "pod", "web", "-o", names).split()
        self.assertEqual({"istio-init", "istio-proxy", "web"}, set(containers))
        self.install_gateway("cluster2")

    def run_web(self):
        return self.run_inside(
            "kubectl", "--context", "cluster2", "-n", "sample", "run", "web", "--image=web"
        )


class MultiPrimary(MeshTest):
    def test_two_istiods_see_both_clusters_and_share_a_root(self):
        for cluster in NETWORKS:
            self.make_namespace(cluster)
            self.push_cacerts(cluster)
            self.install_primary(cluster)
            self.assertRegex(self.install_gateway(cluster), r"^172\.18\.\d+\.100$")
        self.introduce("cluster1", "cluster2")
        self.introduce("cluster2", "cluster1")
        self.assert_synced("cluster1", "cluster2")
        self.assert_synced("cluster2", "cluster1")
        root = (self.folder / "root.pem").read_text()
        self.assertEqual([root, root], [self.root_of(cluster) for cluster in NETWORKS])


class Helm(MeshTest):
    PROGRAMS = ("kubernetes", "kwok", "pilot-discovery", "helm", "istio-charts")

    def test_the_charts_of_the_pinned_istio_install(self):
        charts = self.folder / "charts"
        self.assert_exit(0, self.run_inside("istio-charts", str(charts)))
        self.make_namespace("cluster1")
        for release, chart in (("istio-base", "base"), ("istiod", "istio-control/istio-discovery")):
            words = (
                "--kube-context",
                "cluster1",
                "-n",
                SYSTEM,
                "install",
                release,
                str(charts / "charts" / chart),
            )
            self.assert_exit(0, self.run_inside("helm", *words, "--wait"))
        self.assertTrue(wait_for(lambda: self.root_of("cluster1")))


if __name__ == "__main__":
    unittest.main()
