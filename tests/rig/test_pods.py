#!/usr/bin/env python3
"""Clusters whose pods run, and a mesh of them: python3 tests/rig/test_pods.py [-v] [CLASS[.TEST]].

They take root, and what `rig can --pods` asks for; without it they are skipped with one loud line.
MESHTRUST_REQUIRE_RIG=1 makes that a failure where only programs are missing.
"""

import contextlib
import json
import os
import re
import signal
import struct
import subprocess
import sys
import tarfile
import tempfile
import threading
import unittest
import urllib.error
import urllib.request
from pathlib import Path
from unittest import mock

sys.dont_write_bytecode = True

from riglib import cgroups, dns, inotify, machine, oci, podinit, process
from riglib.registry import Registry
from riglib.report import EXIT_CANNOT_BUILD, EXIT_INTERRUPTED, EXIT_USAGE, RigError
from support import RIG, ClusterTest, RigTest, processes_of, rig, wait_for

SETTINGS = ("net/ipv4/ip_forward", *podinit.KUBELET_SETTINGS)
PLACES = ("/run/containerd", "/var/lib/kubelet", "/var/lib/cni", "/var/log/pods")

HELLO = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: hello}
spec:
  selector: {matchLabels: {app: hello}}
  template:
    metadata: {labels: {app: hello}}
    spec:
      containers:
      - {name: hello, image: registry.istio.io/release/examples-helloworld-v1:1.0}
---
apiVersion: v1
kind: Service
metadata: {name: hello}
spec: {type: LoadBalancer, selector: {app: hello}, ports: [{port: 80, targetPort: 5000}]}
---
apiVersion: v1
kind: Pod
metadata: {name: curl}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - name: curl
    image: docker.io/curlimages/curl:8.16.0
    command: [/bin/sh, -c, "echo hello log; exec sleep infinity"]
---
apiVersion: v1
kind: Pod
metadata: {name: nosuch}
spec: {containers: [{name: nosuch, image: "example.com/nosuch:1"}]}
---
apiVersion: v1
kind: Pod
metadata: {name: crashing}
spec: {containers: [{name: crashing, image: "curlimages/curl", command: [/bin/sh, -c, exit 3]}]}
"""


class PodsTest(ClusterTest):
    PROGRAMS = ("pods",)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.skip_where_rig_cannot("--pods")

    def kubectl(self, cluster, *words, stdin=None):
        return self.answer_inside("kubectl", "--context", cluster, *words, stdin=stdin)

    def answer_inside(self, *command, stdin=None):
        return self.assert_exit(0, self.rig("exec", *command, stdin=stdin)).stdout.strip()


def machine_state(state):
    """What a rig with that state folder must leave as it was, whatever other rigs do meanwhile."""
    names = [cgroups.name_for(Path(state, "clusters", name)) for name in ("east", "west", "north")]
    return {
        "settings": {name: Path("/proc/sys", name).read_text() for name in SETTINGS},
        "links": re.findall(r"^\d+: (\S+):", _told("ip", "-o", "link"), re.MULTILINE),
        "rules": [line for line in _told("iptables-save").splitlines() if not line.startswith(("#", ":"))],
        "places": [place for place in PLACES if os.path.exists(place)],
        "groups": [
            str(mount / name) for mount, _ in cgroups.hierarchies() for name in names if (mount / name).exists()
        ],
        "mounts": [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if str(state) in line],
        # The limit itself is put back by the last rig, of which there may be others.
        "raises limits": inotify.entry(Path(state, "namespace.json")).exists(),
    }


def _told(*command):
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def processes_in_pods(folder):
    """Of the cluster with that folder, as processes that are recognized again."""
    tree = next(mount for mount, kinds in cgroups.hierarchies() if "pids" in kinds) / cgroups.name_for(folder)
    pids = [int(pid) for file in tree.rglob("cgroup.procs") for pid in file.read_text().split()]
    return [process.Process("in a pod", pid, process.start_time(pid)) for pid in pids]


class TwoClusters(PodsTest):
    """What pods are for, which all the cases share."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.before = machine_state("/nowhere")
        cls.start("--pods", "east", "west")
        for name in ("east", "west"):
            kubectl = ("--state", cls.state, "exec", "kubectl", "--context", name)
            rig(*kubectl, "apply", "-f", "-", stdin=HELLO)
            rig(*kubectl, "wait", "--for=condition=Available", "deployment/hello", "--timeout=60s")
            rig(*kubectl, "wait", "--for=condition=Ready", "pod/curl", "--timeout=60s")

    def setUp(self):
        pass  # the state folder is the class's

    def hello(self, cluster, *words):
        return self.rig(
            "exec", "kubectl", "--context", cluster, "exec", "curl", "--", "curl", "-sS", "-m", "3", *words
        )

    def balanced(self, cluster):
        path = "jsonpath={.status.loadBalancer.ingress[0].ip}"
        return wait_for(lambda: self.kubectl(cluster, "get", "service", "hello", "-o", path))

    def test_a_service_is_found_by_its_names(self):
        for name in ("hello", "hello.default", "hello.default.svc.cluster.local"):
            self.assertIn("Hello version: v1", self.hello("east", f"http://{name}/hello").stdout)

    def test_a_name_that_is_not_there_is_said_not_to_be(self):
        self.assertIn("Could not resolve host: nosuch", self.hello("east", "http://nosuch/hello").stderr)

    def test_a_load_balancer_is_reached_from_everywhere(self):
        address = self.balanced("west")
        self.assertRegex(address, r"^172\.18\.\d+\.100$")
        for told in (
            self.hello("east", f"http://{address}/hello").stdout,
            self.hello("west", f"http://{address}/hello").stdout,
            self.answer_inside("curl", "-sS", "-m", "3", f"http://{address}/hello"),
        ):
            self.assertIn("Hello version: v1", told)

    def test_a_pod_of_another_cluster_is_out_of_reach(self):
        address = self.kubectl("west", "get", "pod", "curl", "-o", "jsonpath={.status.podIP}")
        self.assertIn("Failed to connect", self.hello("east", f"http://{address}:5000").stderr)

    def test_a_container_tells_what_it_wrote(self):
        self.assertEqual("hello log", self.kubectl("east", "logs", "curl"))

    def test_a_port_is_forwarded_to_a_pod(self):
        kubectl = [RIG, "--state", self.state, "exec", "kubectl", "--context", "east"]
        with subprocess.Popen(
            [*kubectl, "port-forward", "service/hello", ":80"], stdout=subprocess.PIPE, text=True
        ) as forward:
            port = re.search(r"127\.0\.0\.1:(\d+)", forward.stdout.readline())[1]
            told = self.answer_inside("curl", "-sS", "-m", "3", f"http://127.0.0.1:{port}/hello")
            forward.terminate()
        self.assertIn("Hello version: v1", told)

    def test_the_api_server_reaches_pods(self):
        path = "/api/v1/namespaces/default/services/hello:80/proxy/hello"
        self.assertIn("Hello version: v1", self.kubectl("east", "get", "--raw", path))

    def test_what_goes_wrong_with_a_container_is_told_as_ever(self):
        path = "jsonpath={.status.containerStatuses[0].state.waiting.reason}"
        for pod, reasons in (
            ("nosuch", {"ErrImagePull", "ImagePullBackOff"}),
            ("crashing", {"CrashLoopBackOff"}),
        ):
            with self.subTest(pod):
                self.assertTrue(wait_for(lambda: self.kubectl("east", "get", "pod", pod, "-o", path) in reasons))

    def test_down_leaves_the_machine_as_it_was(self):
        state = self.state  # of clusters of this case's own
        self.state = self.new_state()
        try:
            self.answer("up", "--pods", "north")
            self.kubectl("north", "apply", "-f", "-", stdin=HELLO)
            self.kubectl("north", "wait", "--for=condition=Ready", "pod/curl", "--timeout=60s")
            inside = processes_in_pods(Path(self.state, "clusters", "north"))
            self.assertLessEqual(2, len(inside))
            self.answer("down")
            self.assertEqual([], [one for one in inside if one.is_alive()])
            self.assertEqual([], processes_of(self.state))
            self.assertEqual([], os.listdir(self.state))
        finally:
            self.state = state

    @classmethod
    def tearDownClass(cls):
        """The case that is about all of the machine comes when nothing else is up."""
        rig("--state", cls.state, "down")
        found = machine_state(cls.state)
        if found != cls.before:
            raise AssertionError(f"found {found}, wanted {cls.before}")


class Ending(PodsTest):
    def setUp(self):
        super().setUp()
        self.before = machine_state(self.state)

    def start_and(self, which, servers):
        """Sends a signal to a rig that starts two clusters, once these servers of one are there."""
        child = subprocess.Popen(
            [RIG, "--state", self.state, "up", "--pods", "east", "west"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        self.assertTrue(wait_for(lambda: any(servers in line for line in processes_of(self.state)), 60))
        child.send_signal(which)
        child.communicate()
        return child.returncode

    def assert_as_before(self):
        self.assertEqual([], processes_of(self.state))
        self.assertEqual(self.before, machine_state(self.state))

    def test_ctrl_c_leaves_nothing(self):
        self.assertEqual(EXIT_INTERRUPTED, self.start_and(signal.SIGINT, "kubelet"))
        self.assert_as_before()
        self.assertEqual([], os.listdir(self.state))

    def test_down_takes_away_what_a_killed_rig_left(self):
        self.assertEqual(-signal.SIGKILL, self.start_and(signal.SIGKILL, "kubelet"))
        self.assertIn("its start was cut short", self.answer("status"))
        self.answer("down")
        self.assert_as_before()

    def test_a_node_that_lost_a_program_is_gone_and_started_anew(self):
        self.answer("up", "--pods", "east")
        (kubelet,) = [
            int(path.parent.name)
            for path in Path("/proc").glob("[0-9]*/cmdline")
            if b"\0kubelet\0" in _read(path) and self.state.encode() in _read(path)
        ]
        os.kill(kubelet, signal.SIGKILL)
        self.assertTrue(wait_for(lambda: "east: broken: node (pid" in self.answer("status")))
        self.assertIn("kubelet has ended: -9", Path(self.state, "clusters/east/logs/node.log").read_text())
        self.answer("up", "--pods", "east")
        self.assertEqual("True", self.node_is_ready("east"))

    def node_is_ready(self, cluster):
        path = 'jsonpath={.status.conditions[?(@.type=="Ready")].status}'
        return self.kubectl(cluster, "get", "node", "node", "-o", path)


def _read(path):
    with contextlib.suppress(OSError):
        return path.read_bytes()
    return b""


class Flat(PodsTest):
    def test_pods_of_all_clusters_reach_each_other_as_who_they_are(self):
        self.answer("up", "--pods", "--flat", "east", "west")
        for name in ("east", "west"):
            self.kubectl(name, "apply", "-f", "-", stdin=HELLO)
        for name in ("east", "west"):
            self.kubectl(name, "wait", "--for=condition=Ready", "pod", "-l", "app=hello", "--timeout=60s")
            self.kubectl(name, "wait", "--for=condition=Ready", "pod/curl", "--timeout=60s")
        address = self.kubectl("west", "get", "pod", "-l", "app=hello", "-o", "jsonpath={.items[0].status.podIP}")
        told = self.kubectl("east", "exec", "curl", "--", "curl", "-sS", "-m", "3", f"http://{address}:5000/hello")
        self.assertIn("Hello version: v1", told)


class WrongInput(RigTest):
    def test_options_that_contradict_each_other_are_told(self):
        for words, told in (
            (("east", "--flat"), "--flat is of no use without --pods"),
            (("east", "--workload-ttl", "60s"), "--workload-ttl is of no use without --pods"),
            (("east", "--samples"), "--samples is of no use without --pods"),
            (("east", "--pods", "--samples"), "--samples want a mesh\nrig: hint: --mesh MODEL, or 'rig samples' later"),
            (("east", "--pods", "--istiod"), "--istiod is for clusters without pods\nrig: hint: '--mesh MODEL' with --pods"),
            (
                ("east", "west", "--pods", "--mesh", "ambient-multi-network"),
                "no ambient mesh with --pods: there is no ztunnel to make an image of",
            ),
        ):
            with self.subTest(words=words), tempfile.TemporaryDirectory() as state:
                done = self.assert_exit(EXIT_USAGE, rig("--state", state, "up", *words))
                self.assertEqual(f"rig: error: {told}\n", done.stderr)

    def test_the_state_is_where_nodes_see_it(self):
        done = self.assert_exit(EXIT_USAGE, rig("--state", "/run/nowhere", "up", "--pods", "east"))
        self.assertEqual(
            "rig: error: no --pods with the state in '/run/nowhere': nodes do not see '/run'\n"
            "rig: hint: give another --state\n",
            done.stderr,
        )

    def test_a_time_to_live_is_one_that_istio_reads(self):
        for text in ("1d", "60", "0s"):
            done = self.assert_exit(EXIT_USAGE, rig("up", "east", "--pods", "--workload-ttl", text))
            self.assertIn("wanted ", done.stderr)


class Machine(unittest.TestCase):
    """A machine that cannot says what it lacks, in one line."""

    def refused(self, ask):
        with self.assertRaises(RigError) as raised:
            ask()
        self.assertEqual(EXIT_CANNOT_BUILD, raised.exception.exit_code)
        return str(raised.exception), raised.exception.hints

    def test_packages_are_named_all_at_once(self):
        lacking = lambda name: None if name in ("containerd", "conntrack") else f"/bin/{name}"
        with mock.patch.object(machine, "find_program", lacking), mock.patch.object(machine, "PLUGIN_FOLDERS", ()):
            told = self.refused(machine.require_packages)
        packages = ("containerd", "conntrack", "containernetworking-plugins")
        self.assertEqual(f"this machine cannot run pods: it lacks {', '.join(packages)}", told[0])
        self.assertEqual((f"'apt-get install {' '.join(packages)}' as root, or 'scripts/setup'",), told[1])

    def test_who_is_not_root_is_told(self):
        with mock.patch.object(os, "geteuid", lambda: 1000):
            told, _ = self.refused(machine.require_abilities)
        self.assertEqual("this machine cannot run pods: it takes root, for mounts and control groups", told)

    def test_all_that_the_kernel_refuses_is_told(self):
        with (
            mock.patch.object(os, "geteuid", lambda: 0),
            mock.patch("riglib.namespace.require"),
            mock.patch.object(machine, "_why_no_overlay", lambda: "it has no overlayfs: mount: denied"),
            mock.patch.object(cgroups, "why_not", lambda: "there is no cgroup controller memory"),
        ):
            told, _ = self.refused(machine.require_abilities)
        self.assertEqual(
            "this machine cannot run pods: it has no overlayfs: mount: denied; there is no cgroup controller memory",
            told,
        )


class ControlGroups(unittest.TestCase):
    """Of machines that this one is not."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)

    def why_not(self, *mounts):
        """With hierarchies of (kind, options)."""
        lines = []
        for number, (kind, options) in enumerate(mounts):
            place = self.root / str(number)
            place.mkdir(exist_ok=True)
            lines.append(f"1 0 0:1 / {place} rw - {kind} {kind} {options}\n")
        (self.root / "mountinfo").write_text("".join(lines))
        with mock.patch.object(cgroups, "MOUNTS", self.root / "mountinfo"):
            return cgroups.why_not()

    def write_v2(self, **files):
        (self.root / "0").mkdir()
        for name, text in files.items():
            (self.root / "0" / f"cgroup.{name}").write_text(text)

    def test_v1_takes_a_hierarchy_for_each_controller(self):
        self.assertIsNone(self.why_not(("cgroup", "rw,cpu,cpuacct"), ("cgroup", "rw,cpuset"), ("cgroup", "rw,memory"), ("cgroup", "rw,pids")))
        self.assertEqual("there is no cgroup controller memory, pids", self.why_not(("cgroup", "rw,cpu"), ("cgroup", "rw,cpuset")))

    def test_v2_takes_one_that_has_them_all(self):
        self.write_v2(controllers="cpuset cpu io memory pids\n")
        self.assertIsNone(self.why_not(("cgroup2", "rw")))

    def test_v2_in_a_container_hands_on_what_was_enabled(self):
        self.write_v2(controllers="cpuset cpu memory pids\n", type="domain\n", procs="1\n", subtree_control="cpuset cpu memory pids\n")
        self.assertIsNone(self.why_not(("cgroup2", "rw")))

    def test_v2_in_a_container_with_processes_at_the_top_hands_on_nothing(self):
        self.write_v2(controllers="cpuset cpu memory pids\n", type="domain\n", procs="1\n", subtree_control="\n")
        self.assertEqual(
            f"the controllers of '{self.root}/0' cannot be handed on, for it holds processes",
            self.why_not(("cgroup2", "rw")),
        )


class Inotify(unittest.TestCase):
    def test_the_last_rig_puts_the_limit_back(self):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            limit, first, second = (folder / one for one in ("limit", "first", "second"))
            for path, text in ((limit, "128"), (first, ""), (second, "")):
                path.write_text(text)
            with mock.patch.object(inotify, "LIMIT", limit), mock.patch.object(inotify, "USERS", folder / "users/x"):
                inotify.raise_limit(first)
                inotify.raise_limit(second)
                self.assertEqual("1024", limit.read_text())
                inotify.put_back(first)
                self.assertEqual("1024", limit.read_text())
                inotify.put_back(second)
                self.assertEqual("128", limit.read_text())
                self.assertFalse((folder / "users").exists())

    def test_a_rig_whose_state_was_removed_by_hand_does_not_count(self):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            limit, second = folder / "limit", folder / "second"
            limit.write_text("128")
            second.write_text("")
            with mock.patch.object(inotify, "LIMIT", limit), mock.patch.object(inotify, "USERS", folder / "users/x"):
                inotify.raise_limit(folder / "gone")
                inotify.raise_limit(second)
                inotify.put_back(second)
                self.assertEqual("128", limit.read_text())


class Kept:
    """In the place of a `watch.Watch`."""

    def __init__(self, *objects):
        self._objects = {(one["metadata"]["namespace"], one["metadata"]["name"]): one for one in objects}

    def objects(self):
        return list(self._objects.values())

    def get(self, namespace, name):
        return self._objects.get((namespace, name))


def _service(name, **spec):
    return {"metadata": {"namespace": "shop", "name": name}, "spec": spec}


class Dns(unittest.TestCase):
    NAMES = dns.Names(
        Kept(
            _service("web", clusterIP="10.100.0.7"),
            _service("each", clusterIP="None"),
            _service("away", type="ExternalName", externalName="web.shop.svc.cluster.local"),
        ),
        Kept(
            {
                "metadata": {"namespace": "shop", "name": "s", "labels": {"kubernetes.io/service-name": "each"}},
                "endpoints": [
                    {"addresses": ["10.150.0.2"], "hostname": "one"},
                    {"addresses": ["10.150.0.3"], "conditions": {"ready": True}},
                    {"addresses": ["10.150.0.4"], "conditions": {"ready": False}},
                ],
            }
        ),
    )

    def test_what_is_found(self):
        for name, expected in (
            ("web.shop.svc.cluster.local", [(dns.A, "10.100.0.7")]),
            ("each.shop.svc.cluster.local", [(dns.A, "10.150.0.2"), (dns.A, "10.150.0.3")]),
            ("one.each.shop.svc.cluster.local", [(dns.A, "10.150.0.2")]),
            ("two.each.shop.svc.cluster.local", None),
            ("one.web.shop.svc.cluster.local", None),
            ("away.shop.svc.cluster.local", [(dns.CNAME, "web.shop.svc.cluster.local")]),
            ("other.shop.svc.cluster.local", None),
            ("web.other.svc.cluster.local", None),
            ("web.shop", None),
            ("example.com", None),
        ):
            with self.subTest(name):
                self.assertEqual(expected, self.NAMES.find(name.split(".")))

    def ask(self, name, kind):
        """(code, count of answers, the last 4 bytes)"""
        question = b"".join(bytes([len(one)]) + one.encode() for one in name.split(".")) + b"\0"
        packet = struct.pack(">HHHHHH", 7, 0x0100, 1, 0, 0, 0) + question + struct.pack(">HH", kind, dns.IN)
        reply = dns.answer(self.NAMES, packet)
        number, flags, _, answers = struct.unpack(">HHHH", reply[:8])
        self.assertEqual(7, number)
        return flags & 0xF, answers, reply[-4:]

    def test_how_it_is_said(self):
        name = "WEB.shop.svc.cluster.local"
        self.assertEqual((dns.NO_ERROR, 1, bytes([10, 100, 0, 7])), self.ask(name, dns.A))
        aaaa = 28
        self.assertEqual((dns.NO_ERROR, 0), self.ask(name, aaaa)[:2])
        self.assertEqual((dns.NO_SUCH_NAME, 0), self.ask("example.com", dns.A)[:2])

    def test_a_broken_packet_is_told_or_left(self):
        self.assertEqual(dns.FORMAT_ERROR, dns.answer(self.NAMES, b"\0\7" + bytes(9))[3] & 0xF)
        self.assertEqual(b"", dns.answer(self.NAMES, b"\0"))


class Images(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        program = self.folder / "program"
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
        self.content = oci.Content({"/usr/bin/program": program}, {"/usr/bin/other": "program"}, {"/etc/passwd": "root\n"})

    def write(self, name):
        layer = oci.write_layer(self.folder, self.content)
        folder = self.folder / name
        oci.write_image(folder, name, layer, {"Entrypoint": ["/usr/bin/program"]})
        return folder, layer

    def test_a_layer_holds_what_it_was_given_and_is_the_same_each_time(self):
        _, layer = self.write("first")
        with tarfile.open(layer) as archive:
            found = {one.name: (one.mode, one.linkname) for one in archive if not one.isdir()}
            self.assertEqual(0o1777, archive.getmember("tmp").mode)
        self.assertEqual(
            {"etc/passwd": (0o644, ""), "usr/bin/other": (0o644, "program"), "usr/bin/program": (0o755, "")}, found
        )
        os.utime(self.folder / "program", (1, 1))
        self.assertEqual(layer.name, self.write("second")[1].name)

    def test_the_registry_gives_an_image_for_any_host_and_tag(self):
        folder, layer = self.write("curl")
        registry = Registry(("127.0.0.1", 0), [folder])
        self.addCleanup(registry.server_close)
        threading.Thread(target=registry.serve_forever, daemon=True).start()
        self.addCleanup(registry.shutdown)
        base = f"http://127.0.0.1:{registry.server_port}/v2"

        def get(path):
            with urllib.request.urlopen(base + path, timeout=5) as answer:
                return answer.read()

        manifest = json.loads(get("/curlimages/curl/manifests/8.16.0?ns=docker.io"))
        self.assertEqual(manifest, json.loads(get("/mirror/a/curl/manifests/other?ns=registry.example.com")))
        self.assertEqual(layer.read_bytes(), get(f"/curl/blobs/{manifest['layers'][0]['digest']}"))
        for path in ("/nosuch/manifests/1", "/curl/manifests/1?ns=registry.invalid", "/curl/blobs/sha256:00", "/curl"):
            with self.subTest(path), self.assertRaises(urllib.error.HTTPError) as raised:
                get(path)
            self.assertEqual(404, raised.exception.code)
            raised.exception.close()


if __name__ == "__main__":
    unittest.main()
