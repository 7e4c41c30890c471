#!/usr/bin/env python3
"""What apply refuses to touch. Each time: exit 4, the finding with its evidence, no write anywhere."""

import hashlib
import re
import shutil
import ssl
import unittest

import handmade
from support import MeshTest

NETWORK_LABEL = "topology.istio.io/network"
OURS = {"app.kubernetes.io/managed-by": "meshtrust", "meshtrust.io/mesh": "mesh", "meshtrust.io/cluster": "east"}


class ForeignTrust(MeshTest):
    """Somebody else's cacerts stands in one cluster before the first apply."""

    def setUp(self):
        super().setUp()
        self.write_mesh()

    def give_west(self, labels=None):
        self.west.make_namespace(self.namespace)
        bundle = handmade.make_bundle(handmade.make_root(), "west")
        self.west.make_secret(self.namespace, "cacerts", bundle, labels)

    def test_a_cacerts_made_by_hand(self):
        self.give_west()
        self.assert_apply_refused("foreign_cacerts", 4)

    def test_a_cacerts_that_only_claims_to_be_ours(self):
        self.give_west(labels=OURS)
        self.assert_apply_refused("foreign_cacerts_with_our_label", 4)

    def test_a_cacerts_in_which_nothing_can_be_read(self):
        self.west.make_namespace(self.namespace)
        self.west.make_secret(self.namespace, "cacerts", {"ca-cert.pem": "nonsense"})
        self.assert_apply_refused("foreign_cacerts_unreadable", 4)

    def test_workloads_that_trust_another_root(self):
        self.east.make_namespace(self.namespace)
        root = {"root-cert.pem": handmade.make_root("Self-signed by istiod").certificate}
        self.east.make_config_map(self.namespace, "istio-ca-root-cert", root)
        self.assert_apply_refused("live_root_before_first_apply", 4)

    def test_a_root_that_only_a_public_twin_is_left_of(self):
        self.east.make_namespace(self.namespace)
        root = {"root-cert.pem": handmade.make_root("Root of a lost store").certificate}
        self.east.make_config_map(self.namespace, "meshtrust-trust", root)
        self.assert_apply_refused("twin_before_first_apply", 4)

    def test_a_network_with_another_name(self):
        self.west.make_namespace(self.namespace, {NETWORK_LABEL: "elsewhere"})
        self.assert_apply_refused("network_differs", 4)

    def test_a_trust_domain_with_another_name(self):
        self.east.make_namespace(self.namespace)
        self.east.make_config_map(self.namespace, "istio", {"mesh": "trustDomain: old.example\n"})
        self.assert_apply_refused("live_trust_domain_differs", 4)

    def test_one_cluster_under_two_contexts(self):
        alias = self.folder / "alias"
        alias.write_text(self.east.kubeconfig.read_text().replace('"east"', '"west"'))
        alias.chmod(0o600)
        self.write_mesh(west={"kubeconfig": alias.name})
        self.assert_apply_refused("one_cluster_twice", 4)

    def test_one_context_under_two_names(self):
        self.write_mesh(west={"context": "east"})
        self.assert_apply_refused("one_context_twice", 65)

    def test_everything_that_is_wrong_is_told_at_once(self):
        self.give_west()
        self.east.make_namespace(self.namespace, {NETWORK_LABEL: "elsewhere"})
        self.assert_apply_refused("all_together", 4)


class ChangedAfterwards(MeshTest):
    """The trust is in place; then the mesh file or the world changes."""

    def setUp(self):
        super().setUp()
        self.apply_all()

    def refused(self, name, code=4, **mesh):
        if mesh:
            self.write_mesh(**mesh)
        self.assert_apply_refused(name, code)

    def test_the_root_s_subject(self):
        self.refused("root_subject_changed", trust="{root: {subject: {commonName: Another Root}}}")

    def test_the_root_s_key(self):
        self.refused("root_key_changed", trust="{root: {key: rsa-2048}}")

    def test_the_trust_domain(self):
        self.refused("trust_domain_changed", spec="trustDomain: new.example")

    def test_a_network(self):
        self.refused("network_changed", west={"network": "network9"})

    def test_a_cluster_s_name(self):
        self.refused("cluster_renamed", west={"name": "occident"})

    def test_contexts_that_were_swapped(self):
        self.refused("contexts_swapped", east={"context": "west"}, west={"context": "east"})

    def test_a_store_that_is_another_one(self):
        self.refused("other_store", trust="{store: new.trust}")

    def test_a_ca_that_an_old_copy_of_the_store_does_not_know(self):
        self.east.delete(self.path_of("secrets", "cacerts"))
        old = self.home / "old.trust"
        shutil.copytree(self.store, old)
        self.assertEqual(0, self.apply().code)
        shutil.rmtree(self.store)
        shutil.copytree(old, self.store)
        self.refused("unknown_issue_of_our_root")

    def test_workloads_that_trust_another_root(self):
        root = {"root-cert.pem": handmade.make_root("Old Root").certificate}
        self.west.make_config_map(self.namespace, "istio-ca-root-cert", root)
        self.refused("live_root_differs")

    def test_a_root_that_somebody_put_beside_ours(self):
        stranger = handmade.make_root("Stranger").certificate
        roots = self.live_files(self.west)["root-cert.pem"] + "# for the migration\n" + stranger
        self.west.merge(self.path_of("secrets", "cacerts"), {"stringData": {"root-cert.pem": roots}})
        twin = self.twin(self.west)
        self.refused("root_beside_ours")
        for command in ("plan", "status", "verify"):
            with self.subTest(command), self.nothing_written():
                self.assertIn("[unknown-authority]", self.expect(4, command, password=None).err)
        self.assertEqual(twin, self.twin(self.west), "viewers are not told to trust it")
        self.west.delete(self.path_of("secrets", "cacerts"))
        done = self.apply()
        self.assertEqual(0, done.code, done.err)
        self.assertEqual(0, self.meshtrust("verify", password=None).code)

    def test_workloads_that_trust_our_root_are_fine(self):
        root = {"root-cert.pem": self.live_files(self.west)["root-cert.pem"]}
        self.west.make_config_map(self.namespace, "istio-ca-root-cert", root)
        self.assertEqual(0, self.apply().code)

    def test_a_field_that_somebody_else_took_over(self):
        foreign = handmade.make_bundle(handmade.make_root(), "west")
        self.west.merge(self.path_of("secrets", "cacerts"), {"stringData": foreign})
        self.refused("cacerts_replaced_by_hand")

    def test_one_file_of_another_authority(self):
        foreign = handmade.make_bundle(handmade.make_root(), "west")
        patch = {"stringData": {"ca-key.pem": foreign["ca-key.pem"]}}
        self.west.merge(self.path_of("secrets", "cacerts"), patch)
        self.refused("key_replaced_by_hand")

    def test_a_namespace_that_is_going_away(self):
        path = f"/api/v1/namespaces/{self.namespace}"
        config_map = self.path_of("configmaps", "meshtrust-trust")
        self.west.merge(config_map, {"metadata": {"finalizers": ["example.com/wait"]}})
        self.west.delete(path)
        self.addCleanup(self.west.merge, config_map, {"metadata": {"finalizers": None}})
        done = self.apply()
        self.assertEqual(4, done.code, done.err)
        self.assertIn("is being deleted, nothing can be created in it [namespace-terminating]", done.err)


def make_istiod(cluster, namespace, **volume):
    """Its Deployment, without pods; `volume` is what it reads its CA from."""
    labels = {"app": "istiod"}
    container = {
        "name": "discovery",
        "image": "istio/pilot:1.30.3",
        "volumeMounts": [{"name": "cacerts", "mountPath": "/etc/cacerts"}],
    }
    template = {
        "metadata": {"labels": labels},
        "spec": {"containers": [container], "volumes": [{"name": "cacerts"} | volume]},
    }
    spec = {"replicas": 0, "selector": {"matchLabels": labels}, "template": template}
    body = {"metadata": {"name": "istiod", "labels": labels}, "spec": spec}
    cluster.create(f"/apis/apps/v1/namespaces/{namespace}/deployments", body)


class CaFromElsewhere(MeshTest):
    """An istiod whose CA is mounted by a driver, which no program sees from outside."""

    CSI = {"driver": "secrets-store.csi.k8s.io", "readOnly": True}

    def publish(self, cluster, root):
        cluster.make_config_map(self.namespace, "istio-ca-root-cert", {"root-cert.pem": root})

    def take_over(self):
        """East's CA comes from a driver by now, below the same root."""
        self.publish(self.east, self.live_files(self.east)["root-cert.pem"])
        make_istiod(self.east, self.namespace, csi=self.CSI)
        self.east.delete(self.path_of("secrets", "cacerts"))
        self.east.delete(self.path_of("configmaps", "meshtrust-trust"))

    def test_nothing_is_written_before_the_first_apply(self):
        self.write_mesh()
        self.east.make_namespace(self.namespace)
        make_istiod(self.east, self.namespace, csi=self.CSI)
        self.assert_apply_refused("ca_from_a_driver", 4)

    def test_its_trust_is_told_by_what_it_publishes(self):
        self.apply_all()
        self.take_over()
        with self.nothing_written():
            done = self.expect(3, "verify", password=None)
            self.assert_told("ca_from_a_driver_verify.out", done.out)
            self.assert_told("ca_from_a_driver_verify", done.err)
            self.assert_told("ca_from_a_driver_status.out", self.expect(3, "status", password=None).out)
        self.assert_apply_refused("ca_from_a_driver_later", 4)

    def test_it_is_left_to_the_driver_where_trust_is_observed(self):
        self.apply_all()
        self.take_over()
        self.write_mesh(trust="{mode: observed}")
        with self.nothing_written():
            self.assertEqual(3, self.apply(password=None).code)
            self.assert_told("ca_from_a_driver_observed", self.expect(3, "verify", password=None).err)

    def test_another_root_below_it_is_refused(self):
        self.apply_all()
        self.publish(self.east, handmade.make_root("Root of a vault").certificate)
        make_istiod(self.east, self.namespace, projected={"sources": [{"secret": {"name": "vault-ca"}}]})
        done = self.expect(4, "verify", password=None)
        self.assertIn("(secret 'vault-ca') of deployment 'istiod'", done.err)
        self.assertIn("[live-root-differs]", done.err)
        self.assertRegex(done.out, r"by published roots alone: 'O=Handmade,CN=Root of a vault' .* is not trusted there")


class RunningIstiod(MeshTest):
    """An istiod that was started before it had a cacerts."""

    def setUp(self):
        super().setUp()
        self.write_mesh()
        self.east.make_namespace(self.namespace)
        make_istiod(self.east, self.namespace, secret={"secretName": "cacerts", "optional": True})
        self.deployments = f"/apis/apps/v1/namespaces/{self.namespace}/deployments"

    def test_it_is_said_plainly_and_the_istiod_is_left_alone(self):
        before = self.east.get(f"{self.deployments}/istiod")["metadata"]["generation"]
        marks = self.marks()
        done = self.apply()
        self.assertEqual(3, done.code, done.err)
        told, steps = re.subn(r"(?m)^  done .*\n", "", done.err)  # the faster cluster comes first
        self.assertEqual(7, steps)
        self.assert_told("istiod_without_cacerts", told)
        self.assertEqual(before, self.east.get(f"{self.deployments}/istiod")["metadata"]["generation"])
        self.assertFalse([one for one in self.east.writes_since(marks[self.east]) if "deployments" in one[1]])

    def test_its_own_root_is_never_replaced(self):
        root = {"root-cert.pem": handmade.make_root("cluster.local").certificate}
        self.east.make_config_map(self.namespace, "istio-ca-root-cert", root)
        self.assert_apply_refused("istiod_with_own_root", 4)


class Observed(MeshTest):
    """Trust that somebody else manages is proved, and nothing is written."""

    TRUST = "{mode: observed}"

    def give(self, **roots):
        self.write_mesh(trust=self.TRUST)
        for name, root in roots.items():
            cluster = self.rig.clusters[name]
            cluster.make_namespace(self.namespace, {NETWORK_LABEL: f"network{1 if name == 'east' else 2}"})
            cluster.make_secret(self.namespace, "cacerts", handmade.make_bundle(root, name))

    def test_a_common_root_is_proved(self):
        root = handmade.make_root()
        self.give(east=root, west=root)
        files = self.contents()
        with self.nothing_written():
            self.assert_told("observed.out", self.expect(0, "verify", password=None).out)
            done = self.apply(password=None)
        self.assertEqual(0, done.code, done.err)
        self.assertEqual(files, self.contents())

    def test_two_roots_are_refused_with_the_reasons_of_both_libraries(self):
        self.give(east=handmade.make_root("Root of east"), west=handmade.make_root("Root of west"))
        with self.nothing_written():
            done = self.expect(4, "verify", password=None)
            self.assert_told("observed_two_roots.out", done.out)
            self.assert_told("observed_two_roots", done.err)
            self.assertEqual(4, self.apply(password=None).code)

    def test_trust_that_is_missing_is_not_made(self):
        self.give(east=handmade.make_root())
        with self.nothing_written():
            self.assertEqual(4, self.apply(password=None).code)
            self.assert_told("observed_missing", self.expect(4, "verify", password=None).err)


class AnotherTeam(MeshTest):
    """A mesh of the same name, made with another store, stands in the clusters of the mesh file."""

    def setUp(self):
        super().setUp()
        self.apply_all()
        self.namespace_path = f"/api/v1/namespaces/{self.namespace}"
        self.expect(0, "ca", "create", "--store", "theirs.trust", "--subject", "CN=mesh root CA")

    def labels(self, cluster, path):
        return cluster.get(path)["metadata"]["labels"]

    def forget_roots(self):
        """Leaves everything as an earlier version did, which marked things with the name alone."""
        for cluster in (self.east, self.west):
            for path in (self.namespace_path, self.path_of("configmaps", "meshtrust-trust")):
                cluster.merge(path, {"metadata": {"labels": {"meshtrust.io/root": None}}})

    def assert_nothing_is_destroyed(self, name):
        self.write_mesh(trust="{store: theirs.trust}")
        files = self.contents()
        with self.nothing_written():
            self.assert_refused(name, 4, "destroy", "--yes")
            self.expect(4, "destroy", "west", "--yes")
        self.assertEqual(files, self.contents())

    def test_its_mesh_is_not_destroyed(self):
        self.assert_nothing_is_destroyed("destroy_of_another_team")

    def test_nor_is_what_bears_its_name_alone(self):
        self.forget_roots()
        self.assert_nothing_is_destroyed("destroy_of_another_team_unmarked")
        with self.nothing_written():
            self.expect(0, "destroy", "--keep-trust", "--yes")

    def test_nor_is_anything_applied_over_it(self):
        self.write_mesh(trust="{store: theirs.trust, root: {subject: {commonName: mesh root CA}}}")
        self.assert_apply_refused("apply_over_another_team", 4)

    def test_what_an_earlier_version_marked_gets_the_root_once_and_is_destroyed(self):
        self.forget_roots()
        planned = self.expect(0, "plan", "--only", "trust").out
        self.assertEqual(4, planned.count("+ label meshtrust.io/root: "), planned)
        cacerts = self.cacerts(self.east)["metadata"]["resourceVersion"]
        self.assertEqual(0, self.apply().code)
        der = ssl.PEM_cert_to_DER_cert(self.live_files(self.east)["root-cert.pem"])
        root = hashlib.sha256(der).hexdigest()[:40]
        for cluster in (self.east, self.west):
            for path in (self.namespace_path, self.path_of("configmaps", "meshtrust-trust")):
                self.assertEqual(root, self.labels(cluster, path)["meshtrust.io/root"])
        self.assertEqual(cacerts, self.cacerts(self.east)["metadata"]["resourceVersion"])
        with self.nothing_written():
            self.assertEqual(0, self.apply().code)
        self.forget_roots()
        self.expect(0, "destroy", "--yes")
        self.assertIsNone(self.cacerts(self.east))


if __name__ == "__main__":
    unittest.main()
