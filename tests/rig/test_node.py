#!/usr/bin/env python3
"""Tests of the rig's nodes, and of istiod on them: python3 tests/rig/test_node.py [-v] [CLASS[.TEST]]."""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

sys.dont_write_bytecode = True

from riglib.addresses import Addresses
from riglib.mounts import write_volume
from riglib.routes import Routes
from support import ClusterTest, processes_of, rig, wait_for

SYSTEM = "istio-system"
PORT = re.compile(r"^Forwarding from 127\.0\.0\.1:(\d+) ", re.MULTILINE)


class NodeTest(ClusterTest):
    """Works on the cluster east with kubectl, as a person would."""

    PROGRAMS = ("kubernetes", "kwok", "pilot-discovery")

    @classmethod
    def kubectl(cls, *arguments, stdin=None):
        return subprocess.run(cls.command(*arguments), input=stdin, capture_output=True, text=True, check=False)

    @classmethod
    def command(cls, *arguments):
        return [rig("which", "kubectl").stdout.strip(), "--kubeconfig", f"{cls.state}/kubeconfig", *arguments]

    def ask(self, *arguments, stdin=None):
        return self.assert_exit(0, self.kubectl(*arguments, stdin=stdin)).stdout

    def apply(self, *objects):
        self.ask("apply", "-f", "-", stdin="\n---\n".join(json.dumps(one) for one in objects))

    def istiods(self):
        """The names of istiod's pods that are there, in the order of their age."""
        order = "--sort-by=.metadata.creationTimestamp"
        return self.ask("-n", SYSTEM, "get", "pods", "-l", "app=istiod", order, "-o", "name").split()

    def roll_out(self):
        self.ask("-n", SYSTEM, "rollout", "status", "deployment/istiod", "--timeout=60s")

    def process_of(self, pod):
        uid = self.ask("-n", SYSTEM, "get", pod, "-o", "jsonpath={.metadata.uid}")
        return json.loads(Path(self.state, "clusters/east/node/pods", uid, "process.json").read_text())["pid"]

    def served_chain(self, pod):
        """The issuers, from the leaf up, of what istiod's port 15012 shows through `kubectl port-forward`."""
        forward = subprocess.Popen(
            self.command("-n", SYSTEM, "port-forward", pod, ":15012"), stdout=subprocess.PIPE, text=True
        )
        try:
            port = PORT.match(forward.stdout.readline())[1]
            answer = subprocess.run(
                ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-showcerts"],
                stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
            ).stdout  # fmt: skip
        finally:
            forward.terminate()
            forward.wait()
            forward.stdout.close()
        return re.findall(r"^   i:(.*)$", answer, re.MULTILINE)


class Node(NodeTest):
    """One cluster with a node and an istiod, which all the cases share."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.start("east", "--istiod")

    def setUp(self):
        pass  # the state folder is the class's

    def test_any_deployment_becomes_available(self):
        self.ask("create", "deployment", "web", "--image=web", "--replicas=3")
        self.ask("wait", "deployment/web", "--for=condition=Available", "--timeout=30s")
        self.ask("delete", "deployment/web", "--wait", "--cascade=foreground", "--timeout=30s")

    def test_port_forward_reaches_the_port_that_signs(self):
        (pod,) = self.istiods()
        issuers = self.served_chain(pod)
        self.assertEqual(["O = cluster.local"], list(dict.fromkeys(issuers)))

    def test_the_api_server_passes_requests_on_to_pod_and_service(self):
        (pod,) = self.istiods()
        for target in (pod.replace("pod/", "pods/"), "services/istiod"):
            metrics = self.ask("get", "--raw", f"/api/v1/namespaces/{SYSTEM}/{target}:15014/proxy/metrics")
            self.assertIn("\ncitadel_server_root_cert_expiry_timestamp ", metrics)

    def test_other_ports_are_not_forwarded(self):
        (pod,) = self.istiods()
        forward = self.command("-n", SYSTEM, "port-forward", pod, ":1234")
        with subprocess.Popen(forward, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
            port = PORT.match(child.stdout.readline())[1]
            subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{port}"], stdin=subprocess.DEVNULL,
                           capture_output=True, check=False)  # fmt: skip
            child.terminate()
            self.assertIn("forward not found for port 1234", child.communicate()[1])

    def test_status_names_the_servers_of_the_node(self):
        told = self.answer("status")
        for server in ("kube-scheduler", "kwok", "node-agent"):
            self.assertRegex(told, rf"{server} \d+")


class Lives(NodeTest):
    """What becomes of istiod's processes; every case has a cluster of its own."""

    def setUp(self):
        type(self).state = self.new_state()
        self.answer("up", "east", "--istiod")

    def test_cacerts_counts_from_the_next_start_and_then_at_once(self):
        with tempfile.TemporaryDirectory() as folder:
            self.plug_in(folder, "first")
            (before,) = self.istiods()
            self.assertNotIn("first", str(self.served_chain(before)))
            self.ask("-n", SYSTEM, "rollout", "restart", "deployment/istiod")
            self.roll_out()
            self.assertTrue(wait_for(lambda: before not in self.istiods(), 60))
            (after,) = self.istiods()
            self.assertEqual(["CN = first", "CN = root"], self.served_chain(after)[:2])
            self.plug_in(folder, "second")
            self.assertTrue(wait_for(lambda: self.served_chain(after)[:1] == ["CN = second"]))
            self.assertEqual([after], self.istiods())

    def test_an_istiod_that_was_killed_comes_back_in_the_same_pod(self):
        (pod,) = self.istiods()
        os.kill(self.process_of(pod), signal.SIGKILL)
        restarts = "jsonpath={.status.containerStatuses[0].restartCount}/{.status.containerStatuses[0].ready}"
        self.assertTrue(wait_for(lambda: self.ask("-n", SYSTEM, "get", pod, "-o", restarts) == "1/true"))

    def test_every_replica_is_a_process(self):
        self.ask("-n", SYSTEM, "scale", "deployment/istiod", "--replicas=2")
        self.roll_out()
        first, second = self.istiods()
        doomed = {pod: self.process_of(pod) for pod in (first, second)}
        self.assertEqual(2, len(set(doomed.values())))
        self.ask("-n", SYSTEM, "scale", "deployment/istiod", "--replicas=1")
        self.assertTrue(wait_for(lambda: len(self.istiods()) == 1, 60))
        (left,) = self.istiods()
        gone = doomed.pop(left), *doomed.values()
        self.assertTrue(Path("/proc", str(gone[0])).exists())
        self.assertFalse(Path("/proc", str(gone[1])).exists())

    def test_down_ends_istiod_even_without_the_agent(self):
        os.kill(self.pids("east")["node-agent"], signal.SIGKILL)
        self.assertNotEqual([], processes_of(self.state))
        self.answer("down")
        self.assertEqual([], processes_of(self.state))

    def plug_in(self, folder, name):
        """Makes a `cacerts` whose CA has this name, under the root of the first one."""
        def openssl(*arguments):
            subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

        new_key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2")
        if not Path(folder, "root.pem").exists():
            openssl("req", "-x509", *new_key, "-keyout", "root.key", "-out", "root.pem", "-subj", "/CN=root")
        openssl("req", "-x509", *new_key, "-keyout", "ca.key", "-out", "ca.pem", "-subj", f"/CN={name}",
                "-CA", "root.pem", "-CAkey", "root.key", "-addext", "keyUsage=critical,keyCertSign,cRLSign")  # fmt: skip
        ca, key, root = (Path(folder, file).read_text() for file in ("ca.pem", "ca.key", "root.pem"))
        files = {"ca-cert.pem": ca, "ca-key.pem": key, "cert-chain.pem": ca + root, "root-cert.pem": root}
        metadata = {"name": "cacerts", "namespace": SYSTEM}
        self.apply({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": files})


class Volumes(unittest.TestCase):
    """As the kubelet keeps them: see `mounts.py`."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.volume = Path(folder.name, "volume")

    def seen(self):
        return {path.name: path.read_bytes() for path in self.volume.iterdir() if not path.name.startswith("..")}

    def test_files_are_links_to_one_version(self):
        write_volume(self.volume, {"a": b"1", "b": b"2"})
        self.assertEqual({"a": b"1", "b": b"2"}, self.seen())
        self.assertEqual("..data/a", os.readlink(self.volume / "a"))
        self.assertEqual(2, len([path for path in self.volume.iterdir() if path.name.startswith("..")]))

    def test_a_new_version_replaces_all_of_the_old_one(self):
        write_volume(self.volume, {"a": b"1", "b": b"2"})
        write_volume(self.volume, {"b": b"3", "c": b"4"})
        self.assertEqual({"b": b"3", "c": b"4"}, self.seen())
        self.assertEqual(2, len([path for path in self.volume.iterdir() if path.name.startswith("..")]))

    def test_the_same_files_change_nothing(self):
        self.assertTrue(write_volume(self.volume, {"a": b"1"}))
        before = os.readlink(self.volume / "..data")
        self.assertFalse(write_volume(self.volume, {"a": b"1"}))
        self.assertEqual(before, os.readlink(self.volume / "..data"))

    def test_keys_are_for_the_owner_alone(self):
        write_volume(self.volume, {"ca-key.pem": b"secret"})
        self.assertEqual(0o600, (self.volume / "ca-key.pem").stat().st_mode & 0o777)


class Fixed:
    """Objects that do not change, in place of a `watch.Watch`."""

    def __init__(self, *objects):
        self._objects = objects

    def objects(self):
        return self._objects


class Routing(unittest.TestCase):
    SERVICE = {
        "metadata": {"namespace": SYSTEM, "name": "istiod"},
        "spec": {"clusterIP": "10.100.0.9", "ports": [{"name": "https", "port": 443}]},
    }

    def routes(self, *endpoints):
        one_slice = {
            "metadata": {"namespace": SYSTEM, "labels": {"kubernetes.io/service-name": "istiod"}},
            "ports": [{"name": "https", "port": 15017}],
            "endpoints": [{"addresses": [address], "conditions": {"ready": ready}} for address, ready in endpoints],
        }
        return Routes(Addresses("10.150.0.0/16"), Fixed(self.SERVICE), Fixed(one_slice))

    def test_a_pod_is_found_where_it_listens(self):
        self.assertEqual(("127.150.0.7", 8080), self.routes().target("10.150.0.7", 8080))

    def test_any_other_address_is_taken_as_it_is(self):
        for address in ("127.0.0.1", "10.1.2.3", "localhost"):
            self.assertEqual((address, 1), self.routes().target(address, 1))

    def test_a_service_leads_to_its_ready_endpoints_in_turn(self):
        routes = self.routes(("10.150.0.1", True), ("10.150.0.2", False), ("10.150.0.3", True))
        found = [routes.target("10.100.0.9", 443) for _ in range(3)]
        self.assertEqual([("127.150.0.1", 15017), ("127.150.0.3", 15017), ("127.150.0.1", 15017)], found)

    def test_a_service_without_endpoints_refuses(self):
        with self.assertRaisesRegex(OSError, "^service istio-system/istiod has no ready endpoint for port 443$"):
            self.routes().target("10.100.0.9", 443)
        with self.assertRaisesRegex(OSError, "^service istio-system/istiod at 10.100.0.9 has no port 80$"):
            self.routes().target("10.100.0.9", 80)


if __name__ == "__main__":
    unittest.main()
