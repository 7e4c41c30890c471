#!/usr/bin/env python3
"""Revocation lists in every cacerts, as the mesh file asks for them."""

import base64
import shutil
import unittest

from support import FILES, MeshTest, openssl

ASKED = "{store: mesh.trust, crl: {lifetime: 30d, refresh: the nightly job}}"
BEGIN, END = "-----BEGIN X509 CRL-----", "-----END X509 CRL-----\n"


def lists_in(text):
    return [BEGIN + one.partition(END)[0] + END for one in text.split(BEGIN)[1:]]


class Lists(MeshTest):
    def lists(self, cluster):
        text = self.live_files(cluster)["ca-crl.pem"]
        self.assertEqual(text, self.twin(cluster)["data"]["ca-crl.pem"])
        return text

    def accepts(self, judge, peer):
        """Whether OpenSSL, with the lists in `judge`, accepts the CA of `peer` and all above it."""
        files = self.live_files(judge) | {"ca-cert.pem": self.live_files(peer)["ca-cert.pem"]}
        for name, text in files.items():
            (self.folder / name).write_text(text)
        trusted = self.folder / "trusted.pem"
        trusted.write_text(files["root-cert.pem"] + files["ca-crl.pem"])
        words = ("verify", "-crl_check_all", "-CAfile", trusted, self.folder / "ca-cert.pem")
        try:
            openssl(*words)
        except AssertionError:
            return False
        return True

    def number(self, text):
        """Of the root's list in a file of lists."""
        file = self.folder / "numbered.pem"
        file.write_text(lists_in(text)[0])
        return int(openssl("crl", "-noout", "-crlnumber", "-in", file).partition("=")[2], 16)

    def test_every_cluster_gets_the_same_list_of_every_authority(self):
        self.apply_all(trust=ASKED)
        for cluster in (self.east, self.west):
            self.assertEqual({*FILES, "ca-crl.pem"}, set(self.live_files(cluster)))
        self.assertEqual(self.lists(self.east), self.lists(self.west))
        self.assertEqual(3, len(lists_in(self.lists(self.east))))
        for judge in (self.east, self.west):
            for peer in (self.east, self.west):
                self.assertTrue(self.accepts(judge, peer))
        with self.nothing_written():
            done = self.apply(password=None)
        self.assertEqual(0, done.code, done.err)

    def test_a_mesh_without_them_gets_them_and_keeps_its_keys(self):
        self.apply_all()
        before = {cluster: self.live_files(cluster) for cluster in (self.east, self.west)}
        self.write_mesh(trust=ASKED)
        done = self.apply()
        self.assertEqual(0, done.code, done.err)
        for cluster, files in before.items():
            self.assertEqual(files | {"ca-crl.pem": self.lists(cluster)}, self.live_files(cluster))

    def test_a_third_cluster_brings_its_list_to_the_others(self):
        self.apply_all(trust=ASKED)
        self.write_mesh("east", "west", "central", trust=ASKED)
        done = self.apply()
        self.assertEqual(0, done.code, done.err)
        self.assertEqual(1, len({self.lists(cluster) for cluster in self.all_clusters}))
        self.assertEqual(4, len(lists_in(self.lists(self.east))))
        self.assertTrue(self.accepts(self.east, self.central))

    def test_what_is_revoked_is_refused_until_it_is_reinstated(self):
        self.apply_all(trust=ASKED)
        self.expect(0, "ca", "revoke", "west", "--store", self.store, "--force", password=None)
        self.assertTrue(self.accepts(self.east, self.west), "nobody was told")
        self.assertEqual(4, self.apply().code, "done, and the cluster that was cut off is told")
        self.assertFalse(self.accepts(self.east, self.west))
        self.assertTrue(self.accepts(self.west, self.east))
        self.assertEqual(4, self.meshtrust("verify", password=None).code)
        self.expect(0, "ca", "revoke", "west", "--store", self.store, "--undo", password=None)
        self.assertEqual(0, self.apply().code)
        self.assertTrue(self.accepts(self.east, self.west))
        self.assertEqual(0, self.meshtrust("verify", password=None).code)

    def test_an_older_copy_of_the_store_undoes_no_revocation(self):
        self.apply_all(trust=ASKED)
        old = self.home / "old.trust"
        shutil.copytree(self.store, old)
        self.expect(0, "ca", "revoke", "west", "--store", self.store, "--force", password=None)
        self.assertEqual(4, self.apply().code)
        shutil.rmtree(self.store)
        shutil.copytree(old, self.store)
        before = [self.lists(cluster) for cluster in (self.east, self.west)]
        self.assert_apply_refused("older_copy_of_the_store", 4)
        for command in ("plan", "status", "verify"):
            with self.subTest(command), self.nothing_written():
                self.assertIn("[unknown-list-of-our-root]", self.expect(4, command, password=None).err)
        self.assertEqual(before, [self.lists(cluster) for cluster in (self.east, self.west)])
        # What the hints say, where there is no newer copy.
        (self.folder / "live-crl.pem").write_text(before[0])
        words = ("ca", "crl", "--with", "live-crl.pem", "--store", "mesh.trust")
        self.assertIn("does not know as revoked", self.expect(4, *words).err)
        self.expect(0, "ca", "revoke", "west", "--store", self.store, "--force", password=None)
        self.expect(0, *words)
        self.assertEqual(4, self.apply(password=None).code, "done, and the cluster that was cut off is told")
        self.assertFalse(self.accepts(self.east, self.west))
        numbers = [self.number(text) for text in (before[0], self.lists(self.east))]
        self.assertLess(*numbers)

    def test_a_revoked_authority_is_replaced_by_a_new_one(self):
        for asked in ("{}", ASKED):
            with self.subTest(asked):
                self.write_mesh(trust=asked)
                self.apply()
                self.expect(0, "ca", "revoke", "west", "--store", self.store, "--force", password=None)
                for command in ("plan", "status", "verify"):
                    self.assertIn("[live-ca-revoked]", self.expect(4, command, password=None).err)
                self.assertEqual(4, self.apply().code)
                self.west.delete(self.path_of("secrets", "cacerts"))
                done = self.apply()
                self.assertEqual(0, done.code, done.err)
                self.assertEqual(0, self.meshtrust("verify", password=None).code)

    def test_lists_from_another_hand_are_told_and_never_written_over(self):
        self.apply_all(trust=ASKED)
        files = self.cacerts(self.east)["data"]
        own = base64.b64encode(lists_in(self.lists(self.east))[0].encode()).decode()
        self.east.delete(self.path_of("secrets", "cacerts"))
        secret = {"metadata": {"name": "cacerts"}, "data": files | {"ca-crl.pem": own}}
        self.east.create(f"/api/v1/namespaces/{self.namespace}/secrets", secret)
        told = self.meshtrust("verify", password=None)
        self.assertEqual(4, told.code)
        self.assertIn("no list in force of", told.out)
        before = self.cacerts(self.east)
        done = self.apply(password=None)
        self.assertNotEqual(0, done.code)
        self.assertIn("someone else owns what would change: '.data.ca-crl.pem'", done.err)
        self.assertEqual(before, self.cacerts(self.east))


if __name__ == "__main__":
    unittest.main()
