#!/usr/bin/env python3
"""Whole meshes, from kubeconfigs to istiods that see each other and back to nothing.

One rig in a network namespace serves all models, one after the other: each begins with clusters that
the one before has left empty, so that `destroy` is judged by what follows it. Runs itself once more
inside of the namespace, where the clusters are; see tests/rig/README.md.
"""

import json
import os
import re
import signal
import subprocess
import time
import unittest
from pathlib import Path

from meshes import BINARY, NAMES, ALL, NO_FAULT, GATEWAY_API, VERSION, InsideTest, mesh_file, run_inside

HERE = Path(__file__).resolve()
# What a cluster without a mesh has of its own accord.
OWN_CONFIG_MAPS = {"kube-root-ca.crt"}


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


# What no model by itself shows: an external control plane that serves two clusters, and a mesh in which a
# primary with a remote in its network and a primary of another network are peers.
MIXES = {
    "external-control-plane with a second remote": mesh_file(
        "network: hub, role: external",
        "network: network1, role: config, controlPlane: [cluster1]",
        third="network: network2, role: remote, controlPlane: [cluster1]",
    ),
    "primaries and a remote": mesh_file(
        "network: network1",
        "network: network1, role: remote, controlPlane: [cluster1]",
        third="network: network2",
    ),
    "a primary with two remotes": mesh_file(
        "network: network1",
        "network: network1, role: remote, controlPlane: [cluster1]",
        third="network: network2, role: remote, controlPlane: [cluster1]",
    ),
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

WEBHOOKS = "mutatingwebhookconfigurations,validatingwebhookconfigurations"
# Remains of control planes, as people have them: kind, what is called, and the webhook's own name.
ORPHANS = (
    ("MutatingWebhookConfiguration", "old-mesh", "istiod", "rev.namespace.sidecar-injector.istio.io"),
    ("ValidatingWebhookConfiguration", "istio-system", "istio-galley", "pilot.validation.istio.io"),
    ("MutatingWebhookConfiguration", "istio-system", "istiod-1-20-0", "rev.object.sidecar-injector.istio.io"),
)

# Where sample workloads are tried as well: sidecars by a cluster's own istiod, and by one elsewhere.
SAMPLED = {"multi-primary-multi-network", "primary-remote-multi-network"}


class Models(unittest.TestCase):
    """From outside: starts the clusters and runs `Inside` among them."""

    def test_every_model_comes_up_stays_quiet_and_goes(self):
        run_inside(self, HERE)


class Inside(InsideTest):
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
        self.assertIn(NO_FAULT, first.stdout)
        before = self.marks()
        again = self.meshtrust(0, "apply", "--yes")
        self.assertIn("Nothing to do", again.stdout)
        self.assertEqual([], self.writes_since(before))
        verified = self.meshtrust(0, "verify")
        self.assertIn(NO_FAULT, verified.stdout)
        self.judge(model)
        if model == "primary-remote":
            self.lose_annotation()
        if model in SAMPLED:
            self.try_samples()
        self.assertNotRegex(first.stdout + first.stderr + again.stderr + verified.stdout, r"eyJ[A-Za-z0-9_-]{20}")
        self.goes_away(NAMES, namespace_of(model))

    def comes_and_goes(self, mix):
        (self.home / "mesh.yaml").write_text(MIXES[mix])
        self.assertIn(NO_FAULT, self.meshtrust(0, "apply", "--yes").stdout)
        self.assertIn("Nothing to do", self.meshtrust(0, "apply", "--yes").stdout)
        self.assertIn(NO_FAULT, self.meshtrust(0, "verify").stdout)
        self.goes_away(ALL, namespace_of(mix))

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
        self.assertIn(NO_FAULT, self.meshtrust(0, "apply", "--yes").stdout)

        # A slip: told, and mended.
        self.kubectl("cluster1", "-n", "istio-system", "delete", "gateways.networking.istio.io", "--all")
        self.assertIn("[missing]", self.meshtrust(4, "verify").stderr)
        self.assertIn(NO_FAULT, self.meshtrust(0, "apply", "--yes").stdout)

        # More of them, each mended by what is said about it.
        self.kubectl("cluster1", "label", "namespace", "istio-system", "topology.istio.io/network-")
        self.follow(self.hints_of("missing"))
        self.delete_cacerts()
        self.follow(self.hints_of("cacerts-deleted"))
        self.eventually(lambda done: NO_FAULT in done.stdout, "verify")

        # A trap: a restart before the CA is there again makes istiod sign below a root of its own.
        self.delete_cacerts()
        self.kubectl("cluster1", "-n", "istio-system", "rollout", "restart", "deployment/istiod")
        hints = self.hints_of("live-root-differs")
        self.assertIn("its workloads trust 'O=cluster.local' (", self.meshtrust(4, "verify").stderr)
        self.follow(hints)
        self.eventually(lambda done: NO_FAULT in done.stdout, "verify")
        self.assertIn("Nothing to do", self.meshtrust(0, "apply", "--yes").stdout)

        # A neighbour: another mesh in one of the clusters, in a namespace that somebody made for it.
        self.make_namespace("cluster1", "istio-two", "mesh: second")
        (self.home / "second.yaml").write_text(SECOND)
        self.assertIn(NO_FAULT, self.meshtrust(0, "apply", "--yes", "-f", "second.yaml").stdout)
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
        self.assertIn(NO_FAULT, joined.stdout)
        self.meshtrust(0, "destroy", "cluster3", "--yes")
        self.expect_nothing_left(["cluster3"])
        self.write_mesh(two)
        self.assertIn("Nothing to do", self.meshtrust(0, "apply", "--yes").stdout)
        self.meshtrust(0, "destroy", "--yes")
        self.expect_nothing_left(NAMES)

    def follow_hint_in(self, text):
        """Does what the first hint says that deletes something."""
        cluster, command = re.search(r"'kubectl --context (\S+) (delete [^']+)'", text).groups()
        self.kubectl(cluster, *command.split())

    def expect_missing(self, *names):
        said = self.meshtrust(4, "verify").stderr
        self.assertIn("[missing]", said)
        for name in names:
            self.assertIn(name, said)
        self.assertIn(NO_FAULT, self.meshtrust(0, "apply", "--yes").stdout)
        found = self.kubectl("cluster1", "get", f"{WEBHOOKS},service", "-n", "istio-system", "-o", "name")
        for name in names:
            self.assertIn(f"/{name}\n", found)

    def test_webhooks_without_a_control_plane_are_told_and_their_own_come_back(self):
        (self.home / "mesh.yaml").write_text(MODELS["multi-primary-multi-network"])
        self.meshtrust(0, "apply", "--yes")

        # Parts of this mesh, which the installer makes again.
        self.kubectl("cluster1", "delete", "mutatingwebhookconfiguration", "istio-revision-tag-default")
        self.kubectl("cluster1", "delete", "validatingwebhookconfiguration", "istiod-default-validator")
        self.expect_missing("istio-revision-tag-default", "istiod-default-validator")
        self.kubectl("cluster1", "delete", "validatingwebhookconfiguration", "istio-validator-istio-system")
        self.expect_missing("istio-validator-istio-system")
        self.kubectl("cluster1", "-n", "istio-system", "delete", "service", "istiod")
        self.expect_missing("istiod")
        self.assertIn("Nothing to do", self.meshtrust(0, "apply", "--yes").stdout)

        # Remains of others: told before anything is written, with the line that helps.
        for kind, namespace, service, name in ORPHANS:
            self.make_webhook("cluster2", kind, namespace, service, name)
            self.assertIn("[orphaned-webhook]", self.meshtrust(4, "verify").stderr)
            before = self.marks()
            refused = self.meshtrust(4, "apply", "--yes")
            self.assertIn(f"calls service '{namespace}/{service}', which does not exist", refused.stderr)
            self.assertEqual([], self.writes_since(before))
            self.follow_hint_in(refused.stderr)
            self.assertIn("Nothing to do", self.meshtrust(0, "apply", "--yes").stdout)

        # What was left by whomever is found after the end as well, and never to be applied.
        self.make_webhook("cluster2", *ORPHANS[0])
        left = self.meshtrust(3, "destroy", "--yes")
        self.assertEqual("Nothing of mesh 'shop' is left but webhooks that call nobody.\n", left.stdout)
        self.assertNotIn("meshtrust apply", left.stderr)
        again = self.meshtrust(3, "destroy", "--yes")
        self.assertIn("but webhooks that call nobody", again.stdout)
        self.follow_hint_in(again.stderr)
        self.goes_away(NAMES, "istio-system")

    def test_a_cluster_that_was_deleted_is_given_up_as_the_hint_says(self):
        two = MODELS["multi-primary-multi-network"]
        (self.home / "mesh.yaml").write_text(two)
        self.meshtrust(0, "apply", "--yes")

        # From here on nobody answers for it.
        view = ("config", "view", "--raw", "--minify", "--flatten", "-o", "json")
        kubeconfig = json.loads(self.kubectl("cluster2", *view))
        kubeconfig["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:1"
        (self.home / "dead").write_text(json.dumps(kubeconfig))
        (self.home / "mesh.yaml").write_text(mesh_file("network: network1", "network: network2, kubeconfig: dead"))
        before = self.marks()
        refused = self.meshtrust(69, "destroy", "cluster2", "--yes")
        self.assertEqual([], self.writes_since(before))
        self.assertIn("'meshtrust destroy cluster2 --gone'", refused.stderr)
        self.follow([refused.stderr])
        known = ("-n", "istio-system", "get", "secrets", "-l", "istio/multiCluster=true", "-o", "name")
        self.assertEqual("", self.kubectl("cluster1", *known))

        # And without its line, as is said then, the mesh of the other is whole.
        (self.home / "mesh.yaml").write_text(two.replace("  - {name: cluster2, network: network2}\n", ""))
        self.assertIn("Nothing to do", self.meshtrust(0, "apply", "--yes").stdout)
        self.assertIn(NO_FAULT, self.meshtrust(0, "verify").stdout)

        # One that comes back all the same leaves like any other.
        (self.home / "mesh.yaml").write_text(two)
        self.goes_away(NAMES, "istio-system")

    def make_webhook(self, cluster, kind, namespace, service, name):
        """Of Istio's, refusing while nobody answers, of a control plane that is no more."""
        body = {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": kind,
            "metadata": {"name": "left-by-somebody"},
            "webhooks": [
                {
                    "name": name,
                    "clientConfig": {"service": {"namespace": namespace, "name": service, "path": "/inject"}},
                    "rules": [
                        {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}
                    ],
                    "namespaceSelector": {"matchLabels": {"istio.io/rev": "of-a-mesh-that-was"}},
                    "failurePolicy": "Fail",
                    "sideEffects": "None",
                    "admissionReviewVersions": ["v1"],
                }
            ],
        }
        command = ["kubectl", "--context", cluster, "create", "-f", "-"]
        subprocess.run(command, input=json.dumps(body), capture_output=True, text=True, check=True)

    def test_an_istiod_that_crashes_ends_the_wait_with_its_own_words(self):
        flag = ", values: {global: {logging: {level: 'default:nonsense'}}}"
        self.write_mesh(mesh_file("network: network1", "network: network2", flag))
        begun = time.monotonic()
        failed = self.meshtrust(5, "apply", "--yes")
        self.assertLess(time.monotonic() - begun, 120)
        self.assertRegex(failed.stderr, r"waiting cluster1/istiod: not ready: istiod-\S+ \(discovery: CrashLoopBackOff")
        self.assertRegex(
            failed.stderr,
            r"pod istio-system/istiod-\S+ crashes again and again \(restarted \d times\); its last words: "
            r".*invalid output level 'nonsense'",
        )
        # What the hint says: the cause is mended, and the same command goes on.
        self.write_mesh(mesh_file("network: network1", "network: network2"))
        self.assertIn(NO_FAULT, self.meshtrust(0, "apply", "--yes").stdout)
        self.meshtrust(0, "destroy", "--yes")
        self.expect_nothing_left(NAMES)

    def test_access_that_broke_is_named_and_comes_back_as_its_finding_says(self):
        import mesh_checker
        import sabotage

        (self.home / "mesh.yaml").write_text(MODELS["multi-primary-multi-network"])
        self.meshtrust(0, "apply", "--yes")
        clusters = [mesh_checker.Cluster(name, name) for name in ALL]
        for name, (sabotaged, finding) in sabotage.ACCESS.items():
            with self.subTest(name):
                sabotaged(*clusters)
                text = "".join(f"meshtrust: {line}\n" for line in finding)
                said = self.eventually(lambda done, text=text: text in done.stderr, "verify")
                self.assertEqual(4, said.returncode, said.stderr)
                if name.startswith("reader-"):
                    planned = self.meshtrust(0, "plan").stdout
                    self.assertIn("do its istiods read cluster2 by the rights that its reader gets back?", planned)
                self.follow([line for line in finding if line.startswith("hint: ")])
                self.eventually(lambda done: NO_FAULT in done.stdout, "verify")
                self.assertIn("Nothing to do", self.meshtrust(0, "apply", "--yes").stdout)
        self.kubectl("cluster3", "delete", "clusterrolebinding", "read-by-a-stranger")
        self.goes_away(NAMES, "istio-system")

    def test_a_remote_that_its_istiod_does_not_manage_is_taken_up_by_a_restart(self):
        (self.home / "mesh.yaml").write_text(MODELS["primary-remote-multi-network"])
        self.meshtrust(0, "apply", "--yes")

        # An istiod that starts while the annotation is away reads the remote, and leaves it alone.
        annotation = "topology.istio.io/controlPlaneClusters"
        self.kubectl("cluster2", "annotate", "namespace", "istio-system", f"{annotation}-")
        self.restart_istiod("cluster1")
        self.kubectl("cluster2", "annotate", "namespace", "istio-system", f"{annotation}=cluster1")
        self.empty_webhooks("cluster2")
        hints = self.hints_of("not-adopted")
        self.assertEqual(
            ["meshtrust: hint: 'meshtrust apply' restarts the istiod of cluster1: whether it manages a cluster it asks "
             "once, when it begins to read it"],
            hints,
        )
        self.assertIn("~ cluster1: rolling restart of deployment istio-system/istiod", self.meshtrust(0, "plan").stdout)
        self.follow(hints)
        self.eventually(lambda done: NO_FAULT in done.stdout, "verify")
        before = self.marks()
        self.assertIn("Nothing to do", self.meshtrust(0, "apply", "--yes").stdout)
        self.assertEqual([], self.writes_since(before))

        # One that manages it fills them again by itself.
        self.empty_webhooks("cluster2")
        self.eventually(lambda done: NO_FAULT in done.stdout, "verify")
        self.goes_away(NAMES, "istio-system")

    def restart_istiod(self, cluster):
        """Returns when the new one alone is there: the old one goes on with all that it does until it is gone."""
        self.kubectl(cluster, "-n", "istio-system", "rollout", "restart", "deployment/istiod")
        self.kubectl(cluster, "-n", "istio-system", "rollout", "status", "deployment/istiod", "--timeout=60s")
        end = time.monotonic() + 60
        while len(self.kubectl(cluster, "-n", "istio-system", "get", "pods", "-l", "app=istiod", "-o", "name").split()) > 1:
            self.assertLess(time.monotonic(), end)
            time.sleep(0.5)

    def empty_webhooks(self, cluster):
        for name in ("istio-sidecar-injector", "istio-revision-tag-default"):
            found = json.loads(self.kubectl(cluster, "get", "mutatingwebhookconfiguration", name, "-o", "json"))
            patch = [
                {"op": "replace", "path": f"/webhooks/{number}/clientConfig/caBundle", "value": ""}
                for number in range(len(found["webhooks"]))
            ]
            words = ("patch", "mutatingwebhookconfiguration", name, "--type", "json", "-p", json.dumps(patch))
            self.kubectl(cluster, *words)

    def volumes_of_istiod(self):
        text = self.kubectl("cluster2", "-n", "istio-system", "get", "deployment", "istiod", "-o", "json")
        return json.loads(text)["spec"]["template"]["spec"]["volumes"]

    def mount_ca(self, **volume):
        """Gives the istiod of cluster2 its CA from there, and waits until it runs with it."""
        names = [one["name"] for one in self.volumes_of_istiod()]
        path = f"/spec/template/spec/volumes/{names.index('cacerts')}"
        patch = [{"op": "replace", "path": path, "value": {"name": "cacerts"} | volume}]
        here = ("-n", "istio-system")
        self.kubectl("cluster2", *here, "patch", "deployment", "istiod", "--type", "json", "-p", json.dumps(patch))
        self.kubectl("cluster2", *here, "rollout", "status", "deployment/istiod", "--timeout=120s")

    def test_a_ca_that_is_mounted_from_elsewhere_is_proved_by_its_root_and_left_alone(self):
        self.write_mesh(mesh_file("network: network1", "network: network2"))
        self.meshtrust(0, "apply", "--yes")
        usual = next(one for one in self.volumes_of_istiod() if one["name"] == "cacerts")
        del usual["name"]

        # What a driver does, here by another Secret: the rig's istiod runs with it.
        self.meshtrust(0, "ca", "issue", "cluster2", "--store", "shop.trust", "--out", "vault")
        here = ("-n", "istio-system")
        self.kubectl("cluster2", *here, "create", "secret", "generic", "vault-ca", f"--from-file={self.home / 'vault'}")
        self.mount_ca(projected={"sources": [{"secret": {"name": "vault-ca"}}]})
        self.kubectl("cluster2", *here, "delete", "secret", "cacerts")
        self.kubectl("cluster2", *here, "delete", "configmap", "meshtrust-trust")
        self.eventually(lambda done: self.tells_of_the_volume(done), "verify")

        # Never for a cluster without a CA, and nothing is written that would not be read.
        before = self.marks()
        refused = self.meshtrust(4, "apply", "--yes")
        self.assertIn("[ca-from-elsewhere]", refused.stderr)
        self.assertEqual([], self.writes_since(before))

        # The way out that the hints tell: the Secret first, then its mount.
        self.follow([hint for hint in self.hints_of("ca-from-elsewhere") if " edit " not in hint])
        self.mount_ca(**usual)
        self.eventually(lambda done: done.returncode == 0, "apply", "--yes")
        self.eventually(lambda done: NO_FAULT in done.stdout, "verify")
        self.kubectl("cluster2", *here, "delete", "secret", "vault-ca")
        self.goes_away(NAMES, "istio-system")

    def tells_of_the_volume(self, done):
        said = "projected volume 'cacerts' (secret 'vault-ca') of deployment 'istiod', mounted at /etc/cacerts"
        proved = "2 of 2 ordered pairs accepted, 1 by OpenSSL and Botan, 1 by published roots alone"
        return done.returncode == 3 and said in done.stderr and proved in done.stdout

    def test_what_keeps_pods_from_being_created_is_told_and_ends_the_wait(self):
        self.write_mesh(mesh_file("network: network1", "network: network2"))
        self.meshtrust(0, "apply", "--only", "trust", "--yes")
        quota = "{apiVersion: v1, kind: ResourceQuota, metadata: {name: none}, spec: {hard: {pods: '0'}}}"
        self.create("cluster1", quota)
        self.create("cluster2", json.dumps(self.policy_of_nobody()))
        failed = self.meshtrust(5, "apply", "--yes")
        told = re.sub(r"istiod-[0-9a-z]{8,10}\b", "istiod-SET", failed.stderr)
        by_quota = (
            'pods "istiod-SET-*" is forbidden: exceeded quota: none, requested: pods=1, used: pods=0, limited: pods=0'
        )
        by_webhook = (
            'Internal error occurred: failed calling webhook "pods.policies.example": failed to call webhook: Post '
            '"https://judge.policies.svc:443/?timeout=10s": service "judge" not found'
        )
        whose = (
            "it is of validatingwebhookconfiguration 'policies', which calls service 'policies/judge', "
            "which does not exist"
        )
        lines = told.splitlines()
        for line in (
            f"  waiting cluster1/istiod: no pod of istiod-SET is created: {by_quota}",
            f"  waiting cluster2/istiod: no pod of istiod-SET is created: {by_webhook}; {whose}",
        ):
            self.assertEqual(1, lines.count(line), told)
        for cluster, why in (("cluster1", by_quota), ("cluster2", by_webhook)):
            self.assertIn(f"/istiod: in namespace istio-system no pod of istiod-SET is created: {why}", told)
            self.assertIn(f"'kubectl --context {cluster} --namespace istio-system rollout restart deployment/", told)

        # What the hint says: the cause is mended, and the same command goes on.
        self.kubectl("cluster1", "-n", "istio-system", "delete", "resourcequota", "none")
        self.kubectl("cluster2", "delete", "validatingwebhookconfiguration", "policies")
        for name in NAMES:
            self.kubectl(name, "-n", "istio-system", "rollout", "restart", "deployment/istiod")
        self.assertIn(NO_FAULT, self.meshtrust(0, "apply", "--yes").stdout)
        self.goes_away(NAMES, "istio-system")

    def create(self, cluster, body, *words):
        command = ["kubectl", "--context", cluster, "-n", "istio-system", "create", "-f", "-", *words]
        subprocess.run(command, input=body, capture_output=True, text=True, check=True)

    @staticmethod
    def policy_of_nobody():
        """Of a product that was taken away and left its webhook: no pod is created in istio-system."""
        return {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "ValidatingWebhookConfiguration",
            "metadata": {"name": "policies"},
            "webhooks": [
                {
                    "name": "pods.policies.example",
                    "clientConfig": {"service": {"namespace": "policies", "name": "judge"}},
                    "rules": [
                        {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}
                    ],
                    "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "istio-system"}},
                    "failurePolicy": "Fail",
                    "sideEffects": "None",
                    "admissionReviewVersions": ["v1"],
                }
            ],
        }

    def delete_cacerts(self):
        self.kubectl("cluster1", "-n", "istio-system", "delete", "secret", "cacerts")

    def lose_annotation(self):
        """Of a remote: by it its control plane knows that it manages it."""
        self.kubectl("cluster2", "annotate", "namespace", "istio-system", "topology.istio.io/controlPlaneClusters-")
        self.follow(self.hints_of("missing"))
        self.eventually(lambda done: NO_FAULT in done.stdout, "verify")

    def try_samples(self):
        """Pods of a rig run nothing, so calls are refused; all else is as in any cluster."""
        before = self.marks()
        done = self.meshtrust(0, "verify", "--samples", "-o", "json")
        verified = json.loads(done.stdout)
        self.assertTrue(verified["proved"])
        self.assertFalse(verified["lookedAt"]["traffic"]["tried"])
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


def namespace_of(model):
    return "external-istiod" if model.startswith("external") else "istio-system"


def add_model(model):
    setattr(Inside, f"test_{model.replace('-', '_')}", lambda self: self.goes_through(model))


def add_mix(mix):
    words = mix.replace("-", "_").replace(" ", "_")
    setattr(Inside, f"test_{words}_comes_and_goes", lambda self: self.comes_and_goes(mix))


for one in MODELS:
    add_model(one)
for one in MIXES:
    add_mix(one)


if __name__ == "__main__":
    unittest.main()
