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

from support import ClusterTest, make_cacerts, wait_for

SYSTEM = "istio-system"
GATEWAY_PORTS = {"status-port": 15021, "tls": 15443, "tls-istiod": 15012, "tls-webhook": 15017}
NETWORKS = {"cluster1": "network1", "cluster2": "network2"}


def control_plane(cluster, **also):
    """What `istioctl install` is given for a primary."""
    values = {"meshID": "mesh1", "multiCluster": {"clusterName": cluster}, "network": NETWORKS[cluster]}
    return operator("minimal", values={"global": values | also})


def remote(cluster, address):
    path = f"/inject/cluster/{cluster}/net/{NETWORKS[cluster]}"
    return operator(
        "remote", values={"istiodRemote": {"injectionPath": path}, "global": {"remotePilotAddress": address}}
    )


def eastwest_gateway(cluster):
    network = NETWORKS[cluster]
    gateway = {
        "name": "istio-eastwestgateway",
        "enabled": True,
        "label": {
            "istio": "eastwestgateway",
            "app": "istio-eastwestgateway",
            "topology.istio.io/network": network,
        },
        "k8s": {
            "env": [{"name": "ISTIO_META_REQUESTED_NETWORK_VIEW", "value": network}],
            "service": {
                "ports": [
                    {"name": name, "port": port, "targetPort": port} for name, port in GATEWAY_PORTS.items()
                ]
            },
        },
    }
    values = {
        "gateways": {"istio-ingressgateway": {"injectionTemplate": "gateway"}},
        "global": {"network": network},
    }
    return operator("empty", "eastwest", values=values, components={"ingressGateways": [gateway]})


def operator(profile, name="control-plane", **spec):
    return {
        "apiVersion": "install.istio.io/v1alpha1",
        "kind": "IstioOperator",
        "metadata": {"name": name},
        "spec": {"profile": profile} | spec,
    }


def istiod_exposure():
    """The control ports of the east-west gateway, passed on to istiod."""
    route = {15012: 15012, 15017: 443}
    servers = [
        {
            "port": {"name": f"tls-{port}", "number": port, "protocol": "TLS"},
            "tls": {"mode": "PASSTHROUGH"},
            "hosts": ["*"],
        }
        for port in route
    ]
    rules = [
        {
            "match": [{"port": port, "sniHosts": ["*"]}],
            "route": [
                {"destination": {"host": f"istiod.{SYSTEM}.svc.cluster.local", "port": {"number": target}}}
            ],
        }
        for port, target in route.items()
    ]
    gateway = {"selector": {"istio": "eastwestgateway"}, "servers": servers}
    virtual_service = {"hosts": ["*"], "gateways": ["istiod-gateway"], "tls": rules}
    return (
        istio_object("Gateway", "istiod-gateway", gateway),
        istio_object("VirtualService", "istiod-vs", virtual_service),
    )


def istio_object(kind, name, spec):
    metadata = {"name": name, "namespace": SYSTEM}
    return {"apiVersion": "networking.istio.io/v1", "kind": kind, "metadata": metadata, "spec": spec}


def secret(files):
    metadata = {"name": "cacerts", "namespace": SYSTEM}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": files}


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

    def make_namespace(self, cluster, annotations=None):
        metadata = {"name": SYSTEM, "labels": {"topology.istio.io/network": NETWORKS[cluster]}}
        self.apply(
            cluster,
            {
                "apiVersion": "v1",
                "kind": "Namespace",
                "metadata": metadata | {"annotations": annotations or {}},
            },
        )

    def install(self, cluster, operator_file):
        path = self.folder / "operator.json"
        path.write_text(json.dumps(operator_file))
        self.istioctl(cluster, "install", "-y", "-f", str(path))

    def install_gateway(self, cluster):
        """Returns the address that its load balancer gave it."""
        self.install(cluster, eastwest_gateway(cluster))
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
        files = make_cacerts(self.folder, "cluster1")
        self.make_namespace("cluster1")
        self.apply("cluster1", secret(files))
        self.install("cluster1", control_plane("cluster1", externalIstiod=True))
        address = self.install_gateway("cluster1")
        self.make_namespace("cluster2", {"topology.istio.io/controlPlaneClusters": "cluster1"})
        self.install("cluster2", remote("cluster2", address))
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
        self.apply("cluster1", *istiod_exposure())
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
            self.apply(cluster, secret(make_cacerts(self.folder, cluster)))
            self.install(cluster, control_plane(cluster))
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
