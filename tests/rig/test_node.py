#!/usr/bin/env python3
"""Tests of the rig's nodes, and of istiod on them: python3 tests/rig/test_node.py [-v] [CLASS[.TEST]]."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

sys.dont_write_bytecode = True

from riglib.addresses import Addresses
from riglib.gateways import Gateways
from riglib.mounts import write_volume
from riglib.routes import Routes
from riglib.cacerts import make_cacerts
from support import RIG, ClusterTest, processes_of, rig, wait_for

SYSTEM = "istio-system"
PORT = re.compile(r"^Forwarding from 127\.0\.0\.1:(\d+) ", re.MULTILINE)


class NodeTest(ClusterTest):
    """Works on the cluster east with kubectl, as a person would."""

    PROGRAMS = ("kubernetes", "kwok", "pilot-discovery")

    @classmethod
    def kubectl(cls, *arguments, stdin=None):
        return subprocess.run(
            cls.command(*arguments), input=stdin, capture_output=True, text=True, check=False
        )

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

    @contextlib.contextmanager
    def forwarded(self, pod, port):
        """The local end of a `kubectl port-forward`."""
        command = self.command("-n", SYSTEM, "port-forward", pod, f":{port}")
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as forward:
            try:
                yield PORT.match(forward.stdout.readline())[1]
            finally:
                forward.terminate()

    def served_chain(self, pod):
        """The issuers, from the leaf up, of what istiod's port 15012 shows through a port-forward."""
        with self.forwarded(pod, 15012) as port:
            return self.issuers_at(f"127.0.0.1:{port}")

    def issuers_at(self, place):
        answer = self.rig("exec", "openssl", "s_client", "-connect", place, "-showcerts", stdin="").stdout
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
            self.issuers_at("127.0.0.1:" + PORT.match(child.stdout.readline())[1])
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
        metadata = {"name": "cacerts", "namespace": SYSTEM}
        self.apply(
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": metadata,
                "stringData": make_cacerts(folder, name),
            }
        )


class InNamespace(NodeTest):
    """Clusters whose addresses are those of a network namespace."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.skip_without_namespaces()
        cls.told = cls.start("east", "--netns", "--istiod")

    def setUp(self):
        pass  # the state folder is the class's

    @classmethod
    def command(cls, *arguments):
        return [RIG, "--state", cls.state, "exec", "kubectl", *arguments]

    def test_the_api_server_has_an_address_that_others_could_use(self):
        self.assertRegex(self.told, r"east: ready in \d+\.\d s at https://172\.18\.\d+\.2:\d+\n")
        self.assertIn(
            f"next: {RIG} --state {self.state} exec kubectl --context east get pods -A\n", self.told
        )
        self.assertEqual("ok", self.ask("get", "--raw", "/readyz"))

    def test_nothing_gets_out_or_in(self):
        loopback_only = self.answer("exec", "ip", "-o", "link").splitlines()
        self.assertEqual(1, len(loopback_only), loopback_only)
        kubectl = (rig("which", "kubectl").stdout.strip(), "--kubeconfig", f"{self.state}/kubeconfig")
        outside = subprocess.run(
            [*kubectl, "--request-timeout=2s", "get", "nodes"], capture_output=True, check=False
        )
        self.assertNotEqual(0, outside.returncode)

    def test_a_service_answers_at_its_addresses(self):
        self.ask("-n", SYSTEM, "patch", "service", "istiod", "-p", '{"spec": {"type": "LoadBalancer"}}')
        paths = "{.spec.clusterIP} {.status.loadBalancer.ingress[0].ip}"
        read = ("-n", SYSTEM, "get", "service", "istiod", "-o", f"jsonpath={paths}")
        self.assertTrue(wait_for(lambda: len(self.ask(*read).split()) == 2))
        for address in self.ask(*read).split():
            self.assertIn("O = cluster.local", wait_for(lambda: self.issuers_at(f"{address}:15012")))

    def test_port_forward_arrives_from_within_the_pod_and_proxying_does_not(self):
        (pod,) = self.istiods()
        with self.forwarded(pod, 15014) as port:
            fetch = f"import urllib.request as u; print(u.urlopen('http://127.0.0.1:{port}/debug/clusterz').read())"
            self.assertIn('"id":"east"', self.answer("exec", sys.executable, "-c", fetch))
        proxied = f"/api/v1/namespaces/{SYSTEM}/{pod.replace('pod/', 'pods/')}:15014/proxy"
        self.assertIn("citadel_server", self.ask("get", "--raw", f"{proxied}/metrics"))
        refused = self.kubectl("get", "--raw", f"{proxied}/debug/clusterz")
        self.assertIn("the server has asked for the client to provide credentials", refused.stderr)

    def test_the_log_of_a_pod_is_read_as_anywhere(self):
        (pod,) = self.istiods()
        read = ("-n", SYSTEM, "logs", pod, "--container", "discovery")
        self.assertTrue(wait_for(lambda: "FLAG: --domain" in self.ask(*read)))
        self.assertEqual(2, len(self.ask(*read, "--tail=2").splitlines()))

    def test_status_works_from_outside(self):
        self.assertIn("east: running at https://172.18.", self.answer("status"))

    def test_exec_hands_on_the_exit_code_and_knows_a_typing_error(self):
        self.assert_exit(7, self.rig("exec", "--", "sh", "-c", "exit 7"))
        self.assertEqual(
            "rig: error: no program 'kubectll' on PATH\nrig: hint: 'rig build' makes programs\n",
            self.rig("exec", "kubectll").stderr,
        )


class Machines(ClusterTest):
    """A machine that forbids something: what a container may do, a program on PATH does here."""

    def setUp(self):
        self.skip_without_namespaces()
        super().setUp()

    def refused_by(self, condition):
        """What `can` and `up` say where unshare fails on some words."""
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        stand_in = Path(folder.name, "unshare")
        stand_in.write_text(
            f'#!/bin/sh\ncase "$*" in {condition}) echo "unshare failed: not permitted" >&2; exit 1 ;; esac\n'
            f'exec {shutil.which("unshare")} "$@"\n'
        )
        stand_in.chmod(0o755)
        path = {"PATH": f"{folder.name}:{os.environ['PATH']}"}
        answers = {self.rig(*words, **path) for words in (("can",), ("up", "--netns", "east"))}
        return {(answer.returncode, answer.stdout, answer.stderr) for answer in answers}

    def test_without_namespaces_are_found_out_before_anything_starts(self):
        message = (
            "rig: error: this machine cannot hold a mesh: unshare failed: not permitted\n"
            "rig: hint: it takes the programs 'unshare' and 'ip' (apt-get install iproute2), and a kernel and a "
            "container that allow network and mount namespaces\n"
        )
        for condition in ("*--net*", "--mount*"):
            with self.subTest(condition):
                self.assertEqual({(69, "", message)}, self.refused_by(condition))
                self.assertEqual([], processes_of(self.state))


class NamespaceLives(ClusterTest):
    PROGRAMS = NodeTest.PROGRAMS

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.skip_without_namespaces()

    def test_it_ends_with_its_last_cluster(self):
        self.answer("up", "--netns", "east")
        self.answer("down", "east")
        self.assertEqual([], processes_of(self.state))
        self.assertEqual([], os.listdir(self.state))

    def test_clusters_outside_keep_others_from_going_inside(self):
        self.answer("up", "east")
        refused = self.assert_exit(1, self.rig("up", "--netns", "west"))
        self.assertEqual(
            f"rig: error: '{self.state}' has clusters outside of a network namespace: east\n"
            "rig: hint: 'rig down' first, or give another --state\n",
            refused.stderr,
        )

    def test_one_that_is_gone_is_told(self):
        self.answer("up", "--netns", "east")
        holder = json.loads(Path(self.state, "namespace.json").read_text())["pid"]
        os.kill(holder, signal.SIGKILL)
        wait_for(lambda: not Path("/proc", str(holder)).exists())
        self.assertEqual(
            f"rig: error: the network namespace is gone: the process that held it (pid {holder}) has ended\n"
            "rig: hint: 'rig down' removes what is left\n",
            self.rig("status").stderr,
        )
        self.answer("down")
        self.assertEqual([], os.listdir(self.state))


class Volumes(unittest.TestCase):
    """As the kubelet keeps them: see `mounts.py`."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.volume = Path(folder.name, "volume")

    def seen(self):
        return {
            path.name: path.read_bytes() for path in self.volume.iterdir() if not path.name.startswith("..")
        }

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

    def get(self, namespace, name):
        found = (one for one in self._objects if one["metadata"] == {"namespace": namespace, "name": name})
        return next(found, None)


class Routing(unittest.TestCase):
    SERVICE = {
        "metadata": {"namespace": SYSTEM, "name": "istiod"},
        "spec": {"clusterIP": "10.100.0.9", "ports": [{"name": "https", "port": 443}]},
    }

    def routes(self, *endpoints, pods=(), gateways=None):
        one_slice = {
            "metadata": {"namespace": SYSTEM, "labels": {"kubernetes.io/service-name": "istiod"}},
            "ports": [{"name": "https", "port": 15017}],
            "endpoints": [
                {"addresses": [address], "conditions": {"ready": ready}} for address, ready in endpoints
            ],
        }
        addresses = Addresses("10.150.0.0/16", in_namespace=False)
        return Routes(addresses, Fixed(self.SERVICE), Fixed(one_slice), Fixed(*pods), gateways)

    def test_a_pod_is_found_where_it_listens(self):
        self.assertEqual(("127.150.0.7", 8080), self.routes().target("10.150.0.7", 8080))

    def test_any_other_address_is_taken_as_it_is(self):
        for address in ("127.0.0.1", "10.1.2.3", "localhost"):
            self.assertEqual((address, 1), self.routes().target(address, 1))

    def test_a_service_leads_to_its_ready_endpoints_in_turn(self):
        routes = self.routes(("10.150.0.1", True), ("10.150.0.2", False), ("10.150.0.3", True))
        found = [routes.target("10.100.0.9", 443) for _ in range(3)]
        self.assertEqual([("127.150.0.1", 15017), ("127.150.0.3", 15017), ("127.150.0.1", 15017)], found)

    def test_a_gateway_leads_to_what_is_exposed_through_it_and_no_further(self):
        pod = {
            "metadata": {
                "namespace": SYSTEM,
                "name": "gateway",
                "labels": {"istio": "eastwestgateway", "app": "g"},
            },
            "status": {"podIP": "10.150.0.8"},
        }
        server = {"port": {"number": 15017}, "tls": {"mode": "PASSTHROUGH"}}
        gateway = {
            "metadata": {"namespace": SYSTEM, "name": "istiod-gateway"},
            "spec": {
                "selector": {"istio": "eastwestgateway"},
                "servers": [server, {"port": {"number": 15012}}],
            },
        }
        destination = {"host": f"istiod.{SYSTEM}.svc.cluster.local", "port": {"number": 443}}
        exposure = {
            "metadata": {"namespace": SYSTEM, "name": "istiod-vs"},
            "spec": {
                "gateways": ["istiod-gateway"],
                "tls": [{"match": [{"port": 15017}], "route": [{"destination": destination}]}],
            },
        }
        gateways = Gateways(Fixed(gateway), Fixed(exposure))
        routes = self.routes(("10.150.0.1", True), pods=(pod,), gateways=gateways)
        self.assertEqual(("127.150.0.1", 15017), routes.target("10.150.0.8", 15017))
        for port in (15012, 15443):
            with self.assertRaisesRegex(
                OSError, f"^pod {SYSTEM}/gateway passes nothing on that comes to port {port}$"
            ):
                routes.target("10.150.0.8", port)
        closed = self.routes(("10.150.0.1", True), pods=(pod,), gateways=Gateways(Fixed(gateway), Fixed()))
        with self.assertRaises(OSError):
            closed.target("10.150.0.8", 15017)

    def test_a_service_without_endpoints_refuses(self):
        with self.assertRaisesRegex(
            OSError, "^service istio-system/istiod has no ready endpoint for port 443$"
        ):
            self.routes().target("10.100.0.9", 443)
        with self.assertRaisesRegex(OSError, "^service istio-system/istiod has no port 80$"):
            self.routes().target("10.100.0.9", 80)


if __name__ == "__main__":
    unittest.main()
