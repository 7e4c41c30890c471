#!/usr/bin/env python3
"""Troubles that people on call have with a mesh: what is said of each is true, and what it says helps.

Every hint is done as it stands: its commands are run, and what it asks to be written into the mesh
file is written there. See test_meshes.py for troubles of webhooks and of the CA, test_locks.py for
runs at the same time, test_connection.py for servers that cannot be had.
"""

import json
import re
import subprocess
import threading
import time
import unittest
from dataclasses import dataclass
from pathlib import Path

from meshes import BINARY, NAMES, NO_FAULT, InsideTest, mesh_file, run_inside

HERE = Path(__file__).resolve()
SYSTEM = "istio-system"
GATEWAY = "istio-eastwestgateway"
NO_BALANCER = "node.kubernetes.io/exclude-from-external-load-balancers"
ROUTED = "172.18.0.77"  # to cluster1, by whoever looks after the network
LOST_NAME = "gateway.balancer.example"


@dataclass(frozen=True)
class Slip:
    """Something done to cluster1 of a mesh that works, by hand."""

    done: tuple  # what kubectl was told, each in the words of one command
    finding: str
    told: str  # of what `verify` says
    editor: str = ""  # what a person does in an editor that a hint opens, in sed's words


SLIPS = {
    "istiod scaled down": Slip(
        ("scale deployment/istiod --replicas=0",),
        "not-control-plane-ready",
        "cluster1: deployment istio-system/istiod is scaled to 0 replicas",
    ),
    "gateway scaled down": Slip(
        (f"scale deployment/{GATEWAY} --replicas=0",),
        "not-gateway-up",
        f"cluster1: deployment istio-system/{GATEWAY} is scaled to 0 replicas",
    ),
    "gateway's service deleted": Slip(
        (f"delete service {GATEWAY}",),
        "not-gateway-address-known",
        f"cluster1: there is no service istio-system/{GATEWAY}",
    ),
    "gateway of another network": Slip(
        (f"label --overwrite service {GATEWAY} topology.istio.io/network=elsewhere",),
        "drifted",
        "metadata.labels.topology.istio.io/network: elsewhere -> network1",
        "s/elsewhere/network1/",
    ),
    "another mesh ID": Slip(
        ("edit configmap istio",),
        "installation-differs",
        "cluster1: somebody changed it after it was installed",
        "s/meshId: shop/meshId: other/",
    ),
    "another trust domain": Slip(
        ("edit configmap istio",),
        "trust-domain-differs",
        "cluster1: the live trust domain is 'other.local', the mesh file says 'cluster.local'",
        "s/other.local/cluster.local/;t;s/trustDomain: cluster.local/trustDomain: other.local/",
    ),
    "injection into another network": Slip(
        ("edit configmap istio-sidecar-injector",),
        "installation-differs",
        "cluster1: somebody changed it after it was installed",
        r's/"network": "network1"/"network": "elsewhere"/',
    ),
    "roots that nobody can read": Slip(
        (
            "scale deployment/istiod --replicas=0",
            "wait --for=delete pod -l app=istiod",
            'patch configmap istio-ca-root-cert --type=merge -p {"data":{"root-cert.pem":"lost"}}',
        ),
        "live-root-unreadable",
        "cluster1: the roots that its workloads trust .* cannot be read",
    ),
}


def append(path, text):
    with path.open("a") as file:
        file.write(text)


class Troubles(unittest.TestCase):
    """From outside: starts the clusters and runs `Inside` among them."""

    def test_what_is_said_of_them_is_true_and_what_it_says_helps(self):
        run_inside(self, HERE, NAMES)


class Inside(InsideTest):
    def setUp(self):
        super().setUp()
        for name in NAMES:
            self.addCleanup(self.kubectl, name, "label", "node", "node", f"{NO_BALANCER}-")

    def write(self, gateway="", more="", istio=""):
        """The mesh file, with what it says of cluster1's gateway, of cluster2, and of Istio."""
        gateway = f", eastWestGateway: {{{gateway}}}" if gateway else ""
        self.write_mesh(mesh_file(f"network: network1{gateway}", f"network: network2{more}", istio))

    def in_system(self, *words, cluster="cluster1"):
        return self.kubectl(cluster, "-n", SYSTEM, *words)

    def works(self):
        self.eventually(lambda done: NO_FAULT in done.stdout, "verify")
        self.assertIn("Nothing to do", self.meshtrust(0, "apply", "--yes").stdout)

    def without_balancer(self, cluster):
        self.kubectl(cluster, "label", "node", "node", f"{NO_BALANCER}=")

    def test_two_primaries(self):
        self.write()
        told = self.meshtrust(4, "status").stderr
        for name in NAMES:
            self.assertEqual(1, told.count(f"{name}: "), told)
            self.assertIn(f"meshtrust: {name}: nothing of mesh 'shop' is there yet\n", told)

        self.lack_an_image()
        self.lack_a_balancer()
        for name, slip in SLIPS.items():
            with self.subTest(name):
                self.slip(slip)
        self.outlive_a_ca()
        self.be_held()

    def lack_an_image(self):
        self.write(istio=", values: {global: {hub: registry.invalid/istio}}")
        begun = time.monotonic()
        failed = self.meshtrust(5, "apply", "--yes").stderr
        self.assertLess(time.monotonic() - begun, 120)
        image = r"'registry\.invalid/istio/pilot:\S+'"
        self.assertRegex(failed, rf"waiting cluster1/istiod: not ready: istiod-\S+ \(discovery: \w+ for image {image}")
        told = re.search(r"(?s)error: cluster1/istiod: .*?\n(?=meshtrust: error|meshtrust: \d)", failed)[0]
        self.assertRegex(
            told,
            rf"\Aerror: cluster1/istiod: pod istio-system/istiod-\S+ does not get image {image}: \w+\n"
            r"meshtrust: hint: spec\.istio\.values\.global\.hub and global\.tag in the mesh file say where images come "
            r"from; 'meshtrust apply' goes on once they can be had\n\Z",
        )

    def lack_a_balancer(self):
        """The image can be had from here on; an address cannot."""
        self.without_balancer("cluster1")
        self.write()
        failed = self.meshtrust(5, "apply", "--yes", "--timeout", "10s").stderr
        self.assertIn("gateway-address: gave up after 10s; last seen: its east-west gateway has no address yet", failed)
        told = self.meshtrust(4, "verify").stderr
        self.assertIn("Write it as its 'eastWestGateway: {type: NodePort, address: ADDRESS}'\n", told)
        self.write(f"type: NodePort, address: {ROUTED}")
        self.assertIn(NO_FAULT, self.meshtrust(0, "apply", "--yes").stdout)
        self.works()

        # By its nodes, each at an address of its own.
        self.write("type: NodePort")
        self.assertIn("add the annotation traffic.istio.io/nodeSelector", self.meshtrust(65, "plan").stderr)
        self.write("type: NodePort, annotations: {traffic.istio.io/nodeSelector: '{}'}")
        failed = self.meshtrust(5, "apply", "--yes", "--timeout", "6s").stderr
        self.assertIn("gave up after 6s; last seen: no node has an external address", failed)
        self.assertIn("no node has an external address", self.meshtrust(4, "status").stdout)
        self.reach_node_at(ROUTED)
        self.eventually(lambda done: done.returncode == 0, "apply", "--yes")
        self.works()

        # The slips that follow are those of a mesh with load balancers.
        self.reach_node_at()
        self.kubectl("cluster1", "label", "node", "node", f"{NO_BALANCER}-")
        self.write()
        self.assertIn(NO_FAULT, self.meshtrust(0, "apply", "--yes").stdout)

    def reach_node_at(self, *addresses):
        given = [{"type": "ExternalIP", "address": one} for one in addresses]
        status = json.dumps({"status": {"addresses": [{"type": "InternalIP", "address": "127.0.0.1"}, *given]}})
        self.kubectl("cluster1", "patch", "node", "node", "--subresource=status", "--type=merge", "-p", status)

    def slip(self, slip):
        self.editor = f"sed -i '{slip.editor}'"
        for words in slip.done:
            done = self.tried("kubectl", "--context", "cluster1", "-n", SYSTEM, *words.split())
            self.assertEqual(0, done.returncode, done.stderr)
        hints = self.hints_of(slip.finding)
        self.assertNotEqual([], hints)
        told = self.tried(BINARY, "verify")
        self.assertEqual(4 if "error: " in told.stderr else 3, told.returncode)
        self.assertRegex(told.stderr, slip.told)
        self.assertNotIn(NO_FAULT, told.stdout)
        status = self.tried(BINARY, "status")
        self.assertNotRegex(status.stderr, "next: .*'meshtrust apply --only trust'")
        self.mend(hints)
        self.eventually(lambda done: NO_FAULT in done.stdout, "verify")
        self.assertIn("Nothing to do", self.meshtrust(0, "apply", "--yes").stdout)

    def mend(self, hints):
        """As the hints say, then as those say of what is still wrong."""
        for _ in range(3):
            refused = [one for one in hints if "apply" in one] and self.tried(BINARY, "apply", "--yes")
            if refused and refused.returncode == 4:
                hints = [line for line in refused.stderr.splitlines() if ": hint: " in line]
                self.follow([line for line in hints if "kubectl" in line])
            else:
                self.follow(hints)
            time.sleep(1)
            left = self.tried(BINARY, "verify")
            if NO_FAULT in left.stdout:
                return
            hints = [line for line in left.stderr.splitlines() if ": hint: " in line and "look with" not in line]

    def outlive_a_ca(self):
        """One that ends within minutes took the place of ours; what is said then leads to a new one."""
        self.meshtrust(0, "ca", "issue", "cluster1", "--store", "shop.trust", "--out", "short", "--lifetime", "20s")
        files = {path.name: path.read_text() for path in (self.home / "short").iterdir()}
        self.in_system("patch", "secret", "cacerts", "--type=merge", "-p", json.dumps({"stringData": files}))
        self.follow(self.hints_of("expired"))
        self.works()

    def be_held(self):
        """A namespace that a finalizer holds is not gone, however often it is asked."""
        self.in_system("create", "configmap", "held")
        self.in_system("patch", "configmap", "held", "--type=merge", "-p", '{"metadata":{"finalizers":["a.example/b"]}}')
        away = ("destroy", "--yes", "--with-namespace", "--timeout", "15s")
        self.assertEqual(5, self.tried(BINARY, *away).returncode)
        again = self.meshtrust(69, *away).stderr
        self.assertIn("a.example/b in 1 resource instances", again)
        self.assertIn("does each still run?", again)
        status = self.meshtrust(4, "status").stderr
        for told in (again, status):
            listed = self.tried("sh", "-c", re.search(r"'(kubectl .* xargs [^']*)'", told)[1])
            self.assertIn("configmap/held ", listed.stdout)
        self.in_system("patch", "configmap", "held", "--type=merge", "-p", '{"metadata":{"finalizers":null}}')
        self.meshtrust(0, *away)
        self.expect_nothing_left(NAMES)

    def test_a_remote_whose_gateway_has_a_name_alone(self):
        remote = ", role: remote, controlPlane: [cluster1]"
        self.without_balancer("cluster1")
        naming = threading.Thread(target=self.name_gateway)
        naming.start()
        self.addCleanup(naming.join)
        self.write(more=remote)
        refused = self.meshtrust(5, "apply", "--yes").stderr
        self.assertIn(
            f"its load balancer has a name and no address, and remotes have to call an address ('{LOST_NAME}')\n", refused
        )
        self.assertIn("or write 'eastWestGateway.pinHostname: true'", refused)

        # As long as it was said, and then with what to look at.
        self.write("pinHostname: true", remote)
        begun = time.monotonic()
        failed = self.meshtrust(69, "apply", "--yes", "--timeout", "7s").stderr
        self.assertGreaterEqual(time.monotonic() - begun, 7)
        self.assertLess(time.monotonic() - begun, 30)
        told = re.search(r"(?s)error: cluster1/gateway-address: .*?(?=meshtrust: \d)", failed)[0]
        self.assertEqual(
            f"error: cluster1/gateway-address: gave up after 7s; last seen: '{LOST_NAME}' has no address yet\n"
            "meshtrust: hint: names of new load balancers take minutes to spread; --timeout says how long one is waited "
            "for\n"
            f"meshtrust: hint: does this machine know it? look with 'getent hosts {LOST_NAME}'\n"
            "meshtrust: hint: if it never will, give its load balancer a fixed address and write it as "
            "'eastWestGateway.address'\n",
            told,
        )

        # It spreads while somebody waits for it.
        hosts = self.home / "hosts"
        hosts.write_text(Path("/etc/hosts").read_text())
        address = self.in_system("get", "service", GATEWAY, "-o", "jsonpath={.spec.clusterIP}")
        spreading = threading.Timer(3, append, (hosts, f"{address} {LOST_NAME}\n"))
        spreading.start()
        self.addCleanup(spreading.join)
        script = 'mount --bind "$1" /etc/hosts && shift && exec "$@"'
        command = ("unshare", "--mount", "sh", "-c", script, "sh", hosts, BINARY, "apply", "--yes", "--progress", "plain")
        done = self.tried(*command)
        self.assertIn(f"{LOST_NAME} is {address}", done.stderr)
        self.assertIn(NO_FAULT.replace("no fault", "no further fault"), done.stdout, done.stderr)
        self.goes_away(NAMES, SYSTEM)

    def name_gateway(self):
        """Plays the load balancer of a cloud that gives names: tells it as soon as there is a gateway."""
        status = json.dumps({"status": {"loadBalancer": {"ingress": [{"hostname": LOST_NAME}]}}})
        words = ("patch", "service", GATEWAY, "--subresource=status", "--type=merge", "-p", status)
        command = ["kubectl", "--context", "cluster1", "-n", SYSTEM, *words]
        while subprocess.run(command, capture_output=True, check=False).returncode != 0:
            time.sleep(0.5)


if __name__ == "__main__":
    unittest.main()
