#!/usr/bin/env python3
"""What was observed can be thought about elsewhere, without a cluster, and gives no key away."""

import base64
import json
import unittest
from datetime import datetime, timedelta

from support import MeshTest

NOWHERE = {"KUBECONFIG": "/nowhere"}


class Snapshot(MeshTest):
    def prepare(self):
        self.apply_all()
        self.take()

    def setUp(self):
        super().setUp()
        self.snapshot = self.folder / "s.json"

    def take(self):
        with self.nothing_written():
            done = self.expect(0, "observe", "-o", "json", password=None)
        self.snapshot.write_text(done.out)
        return json.loads(done.out)

    def test_it_is_one_document_that_holds_no_key(self):
        document = self.take()
        self.assertEqual(("meshtrust/v1", "Observation"), (document["apiVersion"], document["kind"]))
        text = self.snapshot.read_text()
        self.assertNotIn("PRIVATE KEY", text)
        for cluster in (self.east, self.west):
            key = self.live_files(cluster)["ca-key.pem"]
            der = base64.b64decode("".join(key.splitlines()[1:-1]))
            for form in (key.splitlines()[1], base64.b64encode(key.encode()).decode()[40:80], der.hex()[40:80]):
                self.assertNotIn(form, text)

    def here_and_there(self, command):
        """What `command` says of the live clusters and of the snapshot, asked for the same second."""
        at = ("--at", json.loads(self.snapshot.read_text())["at"])
        here = self.expect(0, command, *at, password=None)
        there = self.expect(0, command, "--from", "s.json", *at, password=None, environment=NOWHERE)
        self.assertEqual(here.out, there.out)
        return there

    def test_verify_says_elsewhere_what_it_says_here(self):
        self.assert_told("verify_from", self.here_and_there("verify").err)

    def test_status_says_elsewhere_what_it_says_here(self):
        self.here_and_there("status")

    def test_plan_says_elsewhere_what_it_says_here(self):
        self.write_mesh("east", "west", "central")
        self.take()
        self.here_and_there("plan")

    def test_an_unreachable_cluster_is_in_it_as_unknown(self):
        broken = self.rig.kubeconfig.read_text().replace(str(self.west.api._address.port), "1")
        kubeconfig = self.folder / "kubeconfig"
        kubeconfig.write_text(broken)
        kubeconfig.chmod(0o600)
        done = self.meshtrust("observe", "-o", "json", environment={"KUBECONFIG": str(kubeconfig)})
        self.snapshot.write_text(done.out)
        self.assertEqual(3, done.code, done.err)
        self.expect(69, "plan", "--from", "s.json", environment=NOWHERE)
        self.expect(69, "verify", "--from", "s.json", environment=NOWHERE)

    def test_the_future_can_be_asked_for(self):
        self.expect(0, "verify", "--from", "s.json", "--at", "2027-01-01T00:00:00Z")
        done = self.expect(4, "verify", "--from", "s.json", "--at", "2050-01-01T00:00:00Z")
        self.assert_told("verify_in_the_future.out", done.out)
        self.expect(3, "verify", "--from", "s.json", "--at", self.days_before_expiry(60))

    def days_before_expiry(self, days):
        listed = json.loads(self.expect(0, "ca", "list", "-o", "json").out)["items"]
        end = next(one["notAfter"] for one in listed if one["cluster"] == "east")
        return (datetime.fromisoformat(end) - timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")

    def test_a_damaged_file_is_refused(self):
        for name, text in {"garbage": "{", "other": "{}", "list": "[]", "empty": ""}.items():
            self.snapshot.write_text(text)
            with self.subTest(name):
                self.assert_refused(f"snapshot_{name}", 65, "verify", "--from", "s.json", environment=NOWHERE)

    def test_a_cluster_that_it_does_not_hold_is_unknown(self):
        self.write_mesh("east", "west", "central")
        self.assert_refused("snapshot_of_fewer", 65, "plan", "--from", "s.json", environment=NOWHERE)


if __name__ == "__main__":
    unittest.main()
