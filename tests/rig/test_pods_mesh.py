#!/usr/bin/env python3
"""A mesh whose sidecars and gateways run, and calls on every way through it: python3 tests/rig/test_pods_mesh.py.

A few minutes, so `scripts/test -L slow`. Skipped as `test_pods.py` is.
"""

import json
import re
import sys
import time
import unittest
from datetime import datetime

sys.dont_write_bytecode = True

from riglib.samples import NAMESPACE
from support import ClusterTest, wait_for

WAYS = [("east", "east"), ("east", "west"), ("west", "east"), ("west", "west")]
BACKDATED_SECONDS = 120  # of certificates by istiod: clocks differ


class Mesh(ClusterTest):
    """A primary and a remote of two networks, so that every byte between them goes through gateways."""

    PROGRAMS = ("pods",)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.skip_where_rig_cannot("--pods")
        mesh = ("--mesh", "primary-remote-multi-network", "--samples", "--workload-ttl", "60s")
        cls.told = cls.start("--pods", *mesh, "east", "west")

    def setUp(self):
        pass  # the state folder is the class's

    def kubectl(self, cluster, *words):
        return self.answer("exec", "kubectl", "--context", cluster, *words)

    def in_sidecar(self, cluster, deployment, *words):
        return self.kubectl(
            cluster, "-n", NAMESPACE, "exec", deployment, "-c", "istio-proxy", "--", "pilot-agent", "request", *words
        )

    def handshakes(self, cluster, deployment):
        """(whole ones, resumed ones) that the sidecar has answered."""
        stats = self.in_sidecar(cluster, deployment, "GET", "stats")
        counts = [
            sum(map(int, re.findall(rf"^listener\.0\.0\.0\.0_15006\.ssl\.{kind}: (\d+)$", stats, re.MULTILINE)))
            for kind in ("handshake", "session_reused")
        ]
        return counts[0] - counts[1], counts[1]

    def calls(self, *words):
        told = json.loads(self.answer("calls", "-o", "json", *words))
        self.assertEqual(WAYS, [(one["from"], one["to"]) for one in told["ways"]])
        self.assertEqual(told["answered"], sum(one["answered"] for one in told["ways"]))
        self.assertEqual(told["failed"], sum(one["failed"] for one in told["ways"]))
        return {(one["from"], one["to"]): one for one in told["ways"]}

    def test_up_tells_what_it_made(self):
        self.assertRegex(self.told, r"(?m)^mesh: primary-remote-multi-network of east, west, \d+ commands in \d+\.\d s$")
        self.assertRegex(self.told, r"(?m)^samples: every way between east, west in \d+\.\d s$")

    def test_every_call_is_answered_and_has_a_whole_handshake(self):
        before, _ = self.handshakes("west", "deploy/helloworld-v2")
        self.answer("calls")
        self.assertIn("a caller runs already", self.rig("calls").stderr)
        time.sleep(3)  # the calls are what is waited for
        ways = self.calls("--stop")
        after, resumed = self.handshakes("west", "deploy/helloworld-v2")
        self.assertEqual([0] * 4, [one["failed"] for one in ways.values()], ways)
        self.assertTrue(all(one["answered"] > 3 for one in ways.values()), ways)
        self.assertEqual(0, resumed)
        self.assertGreaterEqual(after - before, ways["east", "west"]["answered"] + ways["west", "west"]["answered"])

    def test_calls_that_get_lost_are_counted_by_their_way(self):
        name = ("gateways.networking.istio.io", "cross-network-gateway", "-n", "istio-system")
        exposure = self.kubectl("east", "get", *name, "-o", "json")
        self.kubectl("east", "delete", *name)
        try:
            # Both gateways take their configuration from the only istiod.
            ways = wait_for(lambda: (found := self.calls("--seconds", "2"))["east", "west"]["failed"] and found, 60)
        finally:
            self.assert_exit(0, self.rig("exec", "kubectl", "--context", "east", "apply", "-f", "-", stdin=exposure))
        for here in ("east", "west"):
            self.assertEqual(0, ways[here, here]["failed"])
        self.assertTrue(all(text for text in ways["east", "west"]["failures"]))
        self.assertTrue(wait_for(lambda: not self.calls("--seconds", "2")["east", "west"]["failed"], 60))

    def test_workloads_have_certificates_of_the_life_that_was_asked_for(self):
        told = json.loads(self.in_sidecar("east", "deploy/curl", "GET", "certs"))
        chain = told["certificates"][0]["cert_chain"][0]
        begin, end = (datetime.fromisoformat(chain[key]) for key in ("valid_from", "expiration_time"))
        self.assertEqual(60 + BACKDATED_SECONDS, (end - begin).total_seconds())


class WithoutSamples(ClusterTest):
    PROGRAMS = ("pods",)

    def test_calls_say_what_they_take(self):
        self.skip_where_rig_cannot("--pods")
        self.answer("up", "--pods", "east")
        self.assertEqual(
            "rig: error: no cluster has samples\n"
            "rig: hint: 'rig samples' makes them, or 'rig up --pods --mesh MODEL --samples'\n",
            self.rig("calls").stderr,
        )


if __name__ == "__main__":
    unittest.main()
