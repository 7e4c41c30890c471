#!/usr/bin/env python3
"""From kubeconfigs to proved trust, again without a change, and with one more cluster."""

import json
import re
import subprocess
import unittest

from support import FILES, PASSPHRASE, MeshTest, modes, openssl, real

MANAGER = "meshtrust"
APPLIED = "?fieldManager=meshtrust&fieldValidation=Strict"


class FromNothing(MeshTest):
    """The issue's script, as a user types it; then everything that it left behind is looked at."""

    def test_three_commands_lead_to_proved_trust(self):
        self.assert_told("init", self.expect(0, "init", "--from-contexts", "east,west", "--name", "mesh").err)
        text = (self.folder / "mesh.yaml").read_text()
        namespaced = text.replace("  # istio:\n", f"  istio:\n    namespace: {self.namespace}\n")
        self.assertNotEqual(text, namespaced)
        (self.folder / "mesh.yaml").write_text(namespaced)

        applied = self.apply()
        self.assertEqual(0, applied.code, applied.err)
        self.assert_told("first_apply.out", applied.out)
        self.assert_told("verify.out", self.expect(0, "verify", password=None).out)
        self.assertEqual(self.normalised(applied.out), self.normalised(self.expect(0, "verify").out))
        self.assert_told("second_apply.out", self.expect(0, "apply", "--only", "trust", "--yes").out)
        self.assert_told("status.out", self.expect(0, "status", password=None).out)

    def test_a_mesh_file_is_not_replaced(self):
        self.write_mesh()
        before = self.contents()
        self.assert_refused("init_again", 4, "init", "--from-contexts", "east,west")
        self.assertEqual(before, self.contents())

    def test_a_context_that_is_not_there_is_told_with_those_that_are(self):
        self.assert_refused("init_unknown_context", 65, "init", "--from-contexts", "east,wset")
        self.assertEqual({}, self.contents())


class AfterApply(MeshTest):
    """What one apply wrote, read back from the clusters and the disk."""

    def prepare(self):
        self.before = self.marks()
        self.done = self.apply_all()

    def test_openssl_accepts_every_chain_strictly(self):
        roots = set()
        for cluster in (self.east, self.west):
            files = self.live_files(cluster)
            self.assertEqual(set(FILES), set(files))
            for name, text in files.items():
                (self.folder / f"{cluster.name}-{name}").write_text(text)
            here = self.folder / cluster.name
            root, certificate = f"{here}-root-cert.pem", f"{here}-ca-cert.pem"
            openssl("verify", "-x509_strict", "-check_ss_sig", "-CAfile", root, certificate)
            openssl("verify", "-x509_strict", "-CAfile", root, "-untrusted", f"{here}-cert-chain.pem", certificate)
            self.assertTrue(files["cert-chain.pem"].startswith(files["ca-cert.pem"]))
            public = openssl("x509", "-in", certificate, "-noout", "-pubkey")
            self.assertEqual(public, openssl("pkey", "-in", f"{here}-ca-key.pem", "-pubout"))
            roots.add(files["root-cert.pem"])
        self.assertEqual({self.expect(0, "ca", "show", "--pem").out}, roots)

    def test_certificates_say_what_istiod_needs(self):
        for cluster in (self.east, self.west):
            text = openssl("x509", "-noout", "-text", given=self.live_files(cluster)["ca-cert.pem"])
            self.assertIn("X509v3 Basic Constraints: critical\n                CA:TRUE, pathlen:0\n", text)
            self.assertIn("X509v3 Key Usage: critical\n                Certificate Sign, CRL Sign\n", text)
            self.assertIn("X509v3 Subject Key Identifier", text)
            self.assertIn("X509v3 Authority Key Identifier", text)
            self.assertNotIn("Extended Key Usage", text)
            self.assertNotIn("Name Constraints", text)
        root = openssl("x509", "-noout", "-text", given=self.expect(0, "ca", "show", "--pem").out)
        self.assertIn("X509v3 Basic Constraints: critical\n                CA:TRUE\n", root)

    def test_each_cluster_has_its_own_key_serial_and_subject(self):
        east, west = self.live_files(self.east), self.live_files(self.west)
        self.assertNotEqual(east["ca-key.pem"], west["ca-key.pem"])
        for field in ("-serial", "-subject"):
            values = [openssl("x509", "-noout", field, given=one["ca-cert.pem"]) for one in (east, west)]
            self.assertNotEqual(*values)

    def test_each_object_was_written_once_under_a_lease(self):
        base = f"/api/v1/namespaces/{self.namespace}"
        expected = [
            ("create", real.LEASES + APPLIED, 201),
            ("patch", base + APPLIED, 201),
            ("create", base + "/secrets" + APPLIED, 201),
            ("patch", base + "/configmaps/meshtrust-trust" + APPLIED, 201),
            ("delete", f"{real.LEASES}/meshtrust-{self.namespace}", 200),
        ]
        for cluster in (self.east, self.west):
            self.assertEqual(expected, cluster.writes_since(self.scene.before[cluster]))
        self.assertEqual([], self.central.requests_since(self.scene.before[self.central]))

    def test_the_objects_have_one_manager_and_no_annotation_holds_their_content(self):
        notes = {"Namespace": {"meshtrust.io/created-by": "meshtrust"}, "Secret": None, "ConfigMap": None}
        for cluster in (self.east, self.west):
            namespace = cluster.get(f"/api/v1/namespaces/{self.namespace}")
            for found in (namespace, self.cacerts(cluster), self.twin(cluster)):
                metadata = found["metadata"]
                self.assertEqual(notes[found["kind"]], metadata.get("annotations"))
                writers = {(one["manager"], one["operation"]) for one in metadata["managedFields"]}
                # A CA is created, so that it is never written over another's; all else is applied.
                how = "Update" if found["kind"] == "Secret" else "Apply"
                self.assertIn((MANAGER, how), writers)
                if found is not namespace:  # the controllers write to a namespace, too
                    self.assertEqual({(MANAGER, how)}, writers)

    def test_namespace_and_twin_say_where_the_cluster_stands(self):
        for cluster, network in ((self.east, "network1"), (self.west, "network2")):
            labels = cluster.get(f"/api/v1/namespaces/{self.namespace}")["metadata"]["labels"]
            self.assertEqual(network, labels["topology.istio.io/network"])
            twin, files = self.twin(cluster)["data"], self.live_files(cluster)
            self.assertEqual((cluster.name, network), (twin["cluster"], twin["network"]))
            for name in ("ca-cert.pem", "cert-chain.pem", "root-cert.pem"):
                self.assertEqual(files[name], twin[name])
            self.assertNotIn("PRIVATE KEY", json.dumps(twin))

    def test_only_the_owner_may_read_the_store(self):
        found = modes(self.store)
        self.assertEqual("0o700", found.pop("."))
        self.assertEqual({"0o600"}, set(found.values()))
        self.assertEqual("*\n", (self.store / ".gitignore").read_text())

    def test_the_only_key_on_disk_is_the_root_s_and_encrypted(self):
        (key,) = self.store.glob("root-*.key.pem")
        self.assertTrue(key.read_text().startswith("-----BEGIN ENCRYPTED PRIVATE KEY-----\n"))
        public = openssl("pkey", "-in", key, "-passin", f"pass:{PASSPHRASE}", "-pubout")
        root = self.expect(0, "ca", "show", "--pem").out
        self.assertEqual(openssl("x509", "-noout", "-pubkey", given=root), public)
        clear = [self.live_files(cluster)["ca-key.pem"].splitlines()[1] for cluster in (self.east, self.west)]
        for path in self.home.rglob("*"):
            if path.is_file():
                for line in clear:
                    self.assertNotIn(line.encode(), path.read_bytes(), path)

    def test_nothing_secret_is_told(self):
        told = self.scene.done.out + self.scene.done.err
        for secret in (PASSPHRASE, "PRIVATE KEY", "BEGIN"):
            self.assertNotIn(secret, told)

    def test_the_ledger_knows_what_arrived(self):
        listed = json.loads(self.expect(0, "ca", "list", "-o", "json").out)
        self.assertEqual(("meshtrust/v1", "IssuedCertificateList"), (listed["apiVersion"], listed["kind"]))
        states = {(one["kind"], one["cluster"]): one["state"] for one in listed["items"]}
        self.assertEqual("pushed", states["intermediate", "east"])
        self.assertEqual("pushed", states["intermediate", "west"])
        self.assertEqual(3, len(states))
        by_cluster = {one["cluster"]: one["fingerprint"] for one in listed["items"]}
        for cluster in (self.east, self.west):
            printed = openssl(
                "x509", "-noout", "-fingerprint", "-sha256", given=self.live_files(cluster)["ca-cert.pem"]
            )
            self.assertEqual(re.sub("[:\n]", "", printed.partition("=")[2]).lower(), by_cluster[cluster.name])

    def test_git_does_not_see_the_store(self):
        subprocess.run(["git", "init", "-q", self.folder], check=True, env=self.environment)
        told = subprocess.run(
            ["git", "-C", self.folder, "status", "--porcelain", "-uall"],
            check=True, env=self.environment, capture_output=True, text=True,
        )  # fmt: skip
        self.assertEqual("?? mesh.yaml\n", told.stdout)


class Again(MeshTest):
    def test_a_second_run_changes_nothing_and_needs_no_passphrase(self):
        self.apply_all()
        versions, files, marks = self.versions(), self.contents(), self.marks()
        with self.nothing_written():
            done = self.apply(password=None)
        self.assertEqual(0, done.code, done.err)
        self.assertTrue(done.out.startswith("Nothing to do: mesh 'mesh' is as it should be.\n"), done.out)
        self.assertEqual((versions, files), (self.versions(), self.contents()))
        self.assertLess(len(self.east.requests_since(marks[self.east])), 20)

    def test_a_deleted_twin_is_written_again_and_nothing_else(self):
        self.apply_all()
        before, twin = self.versions(), self.twin(self.east)["data"]
        self.east.delete(self.path_of("configmaps", "meshtrust-trust"))
        marks = self.marks()
        self.assertEqual(0, self.apply(password=None).code)
        self.assertEqual([], self.west.writes_since(marks[self.west]))
        self.assertEqual(1, len(self.east.lasting_writes_since(marks[self.east])))
        self.assertEqual(twin, self.twin(self.east)["data"])
        self.assertEqual(before["east"][:2], self.versions()["east"][:2])

    def test_a_deleted_cacerts_gets_a_new_key_under_the_same_root(self):
        self.apply_all()
        before = self.live_files(self.east)
        self.east.delete(self.path_of("secrets", "cacerts"))
        marks = self.marks()
        done = self.apply()
        self.assertEqual(0, done.code, done.err)
        after = self.live_files(self.east)
        self.assertEqual(before["root-cert.pem"], after["root-cert.pem"])
        self.assertNotEqual(before["ca-key.pem"], after["ca-key.pem"])
        self.assertEqual([], self.west.writes_since(marks[self.west]))
        self.assertEqual(after["ca-cert.pem"], self.twin(self.east)["data"]["ca-cert.pem"])


class Joining(MeshTest):
    def test_a_third_cluster_joins_without_a_write_to_the_others(self):
        self.apply_all()
        versions, marks = self.versions(), self.marks()
        self.write_mesh("east", "west", "central")
        done = self.apply()
        self.assertEqual(0, done.code, done.err)
        self.assertIn("6 of 6 ordered pairs accepted by OpenSSL and Botan", done.out)
        for cluster in (self.east, self.west):
            self.assertEqual([], cluster.writes_since(marks[cluster]))
        self.assertEqual(versions, self.versions())
        self.assertEqual(3, len(self.central.lasting_writes_since(marks[self.central])))
        same = {self.live_files(cluster)["root-cert.pem"] for cluster in self.all_clusters}
        self.assertEqual(1, len(same))

    def test_only_the_named_cluster_is_written_to(self):
        self.write_mesh()
        marks = self.marks()
        self.apply("east")
        self.assertEqual([], self.west.writes_since(marks[self.west]))
        self.assertEqual(3, len(self.east.lasting_writes_since(marks[self.east])))

    def test_a_remote_cluster_gets_its_namespace_and_no_authority(self):
        self.write_mesh("east", "west", west={"role": "remote", "controlPlane": "[east]"})
        done = self.apply()
        self.assertEqual(0, done.code, done.err)
        self.assertIsNone(self.cacerts(self.west))
        labels = self.west.get(f"/api/v1/namespaces/{self.namespace}")["metadata"]["labels"]
        self.assertEqual("network2", labels["topology.istio.io/network"])


if __name__ == "__main__":
    unittest.main()
