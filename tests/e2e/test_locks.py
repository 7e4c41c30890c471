#!/usr/bin/env python3
"""Two runs at once, on real API servers: who waits, who may go on, and what a killed one leaves."""

import json
import signal
import sqlite3
import time
import unittest
from datetime import datetime, timezone

from support import MeshTest, real


class Locks(MeshTest):
    def setUp(self):
        super().setUp()
        self.write_mesh()

    def take_lease(self, cluster, holder):
        """As a run of another machine does, about whose processes nobody here can know."""
        now = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        cluster.create(
            real.LEASES,
            {
                "metadata": {"name": f"meshtrust-{self.namespace}"},
                "spec": {
                    "holderIdentity": holder,
                    "leaseDurationSeconds": 60,
                    "acquireTime": now,
                    "renewTime": now,
                },
            },
        )
        self.addCleanup(self.drop_lease, cluster)

    def drop_lease(self, cluster):
        if self.lease(cluster):
            cluster.delete(f"{real.LEASES}/meshtrust-{self.namespace}")

    def start_and_kill_with_a_lease(self, *words):
        """Kills a run as soon as the west knows of it."""
        running = self.start(*words)
        while running.poll() is None and not self.lease(self.west):
            time.sleep(0.005)
        running.send_signal(signal.SIGKILL)
        running.communicate()
        self.assertEqual(-signal.SIGKILL, running.returncode, "it ended before it could be killed")

    def test_a_run_elsewhere_is_named_and_its_lease_broken_for_a_reason(self):
        self.take_lease(self.west, "bob@elsewhere, pid 7, 'meshtrust apply'")
        before = self.lease(self.west)
        self.assert_refused("lease_elsewhere", 7, "apply", "--only", "trust", "--yes")
        self.assertEqual(before, self.lease(self.west))
        self.assertIsNone(self.lease(self.east))
        self.assertIsNone(self.cacerts(self.east))

        self.expect(64, "apply", "--only", "trust", "--yes", "--break-lock", "")
        done = self.apply("--break-lock", "the pipeline's node is gone")
        self.assertEqual(0, done.code, done.err)
        self.assertIn("west: took the lock from bob@elsewhere, pid 7, 'meshtrust apply' since ", done.err)
        self.assertIsNone(self.lease(self.west))
        with sqlite3.connect(self.store / "store.db") as database:
            rows = database.execute("SELECT cluster, reason, detail FROM action WHERE event = 'lock-broken'").fetchall()
        self.assertEqual([("west", "the pipeline's node is gone")], [row[:2] for row in rows])
        self.assertIn("bob@elsewhere", rows[0][2])

    def test_status_names_the_run_that_is_at_work_and_does_not_judge_its_cluster(self):
        self.apply_all()
        self.take_lease(self.west, "bob@elsewhere, pid 7, 'meshtrust apply'")
        self.west.delete(self.path_of("secrets", "cacerts"))
        done = self.expect(7, "status", password=None)
        self.assert_told("status_during_a_run.out", done.out)
        self.assert_told("status_during_a_run", done.err)
        status = json.loads(self.expect(7, "status", "-o", "json", password=None).out)
        self.assertEqual([None, "bob@elsewhere, pid 7, 'meshtrust apply'"],
                         [one.get("run", {}).get("holder") for one in status["clusters"]])  # fmt: skip
        self.assertFalse(status["proved"])
        self.drop_lease(self.west)
        done = self.expect(4, "status", password=None)
        self.assertIn("[no-cacerts]", done.err)

    def test_destroy_waits_for_nobody_either(self):
        self.apply_all()
        self.take_lease(self.east, "bob@elsewhere, pid 7, 'meshtrust apply'")
        done = self.expect(7, "destroy", "--yes")
        self.assertEqual("", done.out)
        self.assertIn("nothing was removed anywhere\n", done.err)
        self.assertIsNotNone(self.cacerts(self.east))
        self.assertIsNone(self.lease(self.west))

    def test_what_a_killed_run_held_is_taken_over_at_once_and_gone_at_the_end(self):
        self.start_and_kill_with_a_lease("apply", "--only", "trust", "--yes")
        self.assertIsNotNone(self.lease(self.west))
        self.assertEqual(0, self.apply().code)
        self.assertIsNone(self.lease(self.east))
        self.assertIsNone(self.lease(self.west))

    def test_destroy_takes_away_a_lease_where_nothing_else_is_left(self):
        self.apply_all()
        self.start_and_kill_with_a_lease("destroy", "--yes")
        lease = self.lease(self.west)
        self.expect(0, "destroy", "--yes")
        # As a run leaves it that is killed between its last step and its end.
        lease["metadata"] = {key: lease["metadata"][key] for key in ("name", "labels", "annotations")}
        self.west.create(real.LEASES, lease)
        done = self.expect(0, "destroy", "--yes")
        self.assertEqual("Nothing to do: nothing of mesh 'mesh' is left.\n", done.out)
        self.assertIsNone(self.lease(self.west))

    def test_a_plan_is_for_the_servers_that_it_names(self):
        self.expect(0, "plan", "--only", "trust", "--out", "plan.json")
        self.write_mesh(west={"context": "central"})
        with self.nothing_written():
            done = self.expect(4, "apply", "--only", "trust", "--yes", "--plan", "plan.json")
        self.assertIn("the plan made now differs from 'plan.json'", done.err)
        self.assertRegex(done.err, r"west\S* .*https://127\.0\.0\.1:\d+")
        saved = {one["cluster"]: one["url"] for one in json.loads((self.folder / "plan.json").read_text())["servers"]}
        self.assertEqual({"east", "west"}, set(saved))


if __name__ == "__main__":
    unittest.main()
