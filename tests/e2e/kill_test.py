#!/usr/bin/env python3
"""Killed at every write, fsync, rename and send: the same command again always converges.

Each case runs in a folder, a namespace and a store of its own, two at a time on the same clusters.
By default one call in STRIDE is met, from an offset that is printed; MESHTRUST_FULL_KILL=1 meets
all of them, MESHTRUST_KILL_OFFSET=N chooses the sample.
"""

import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
import unittest
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from kill_support import (
    CALLS,
    clear_keys_below,
    count_calls,
    files_of,
    fingerprint,
    run_until,
    whats_wrong_with,
    why_no_strace,
)
from support import BINARY, PASSPHRASE, MeshTest

EVERY = os.environ.get("MESHTRUST_FULL_KILL") == "1"
STRIDE = 1 if EVERY else 4
OFFSET = int(os.environ.get("MESHTRUST_KILL_OFFSET", "0")) % STRIDE
WORKERS = 2

APPLY = (BINARY, "apply", "--only", "trust", "--yes")
NETWORKS = {"east": "network1", "west": "network2"}


class Place:
    """A folder with a mesh file, and the namespace that it names in every cluster."""

    def __init__(self, folder, namespace, clusters, environment):
        self.folder = folder
        self.namespace = namespace
        self.clusters = clusters
        self.store = folder / "mesh.trust"
        self.options = {"cwd": folder, "env": environment}
        lines = [
            "apiVersion: meshtrust/v1",
            "kind: Mesh",
            "metadata: {name: mesh}",
            "spec:",
            f"  istio: {{namespace: {namespace}}}",
            "  clusters:",
            *(f"  - {{name: {one.name}, context: {one.name}, network: {NETWORKS[one.name]}}}" for one in clusters),
        ]
        folder.mkdir(mode=0o700, exist_ok=True)
        (folder / "mesh.yaml").write_text("\n".join(lines) + "\n")

    def meshtrust(self, *words):
        return subprocess.run(
            [BINARY, *words], capture_output=True, text=True, check=False, timeout=60, start_new_session=True, **self.options
        )

    def apply(self):
        return self.meshtrust(*APPLY[1:])

    def get(self, cluster, kind, name):
        return cluster.get(f"/api/v1/namespaces/{self.namespace}/{kind}/{name}")

    def live(self):
        """The files of every cacerts that is there, by cluster."""
        found = {one.name: self.get(one, "secrets", "cacerts") for one in self.clusters}
        return {name: files_of(secret) for name, secret in found.items() if secret is not None}

    def ledger(self):
        """What `ca list` tells; nothing when there is no store yet."""
        done = self.meshtrust("ca", "list", "--store", str(self.store), "-o", "json")
        if done.returncode == 65 and f"there is no trust store at '{self.store}'" in done.stderr:
            return []
        assert done.returncode == 0, f"ca list: exit {done.returncode}\n{done.stderr}"
        return json.loads(done.stdout)["items"]


def roots(ledger):
    return [one["fingerprint"] for one in ledger if one["kind"] == "root"]


def intermediates(ledger, cluster):
    return {one["fingerprint"]: one["state"] for one in ledger if one["kind"] == "intermediate" and one["cluster"] == cluster}


class KillTest(MeshTest):
    """What must hold wherever a run was stopped."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        reason = why_no_strace()
        if reason is not None and os.environ.get("MESHTRUST_REQUIRE_RIG") == "1":
            raise AssertionError(f"MESHTRUST_REQUIRE_RIG=1, but {reason}")
        if reason is not None:
            print(f"\n*** NOTHING WAS KILLED: {reason} ***", file=sys.stderr)
            raise unittest.SkipTest(reason)

    def setUp(self):
        super().setUp()
        self.environment["MESHTRUST_PASSWORD"] = PASSPHRASE

    def sweep(self, title, place_for):
        """Kills a run at the chosen calls of every class. `place_for(worker)` gives a fresh place."""
        counted, code = count_calls(APPLY, **place_for(0).options)
        self.assertEqual(0, code)
        chosen = {kind: range(1 + OFFSET, count + 1, STRIDE) for kind, count in counted.items()}
        points = [(kind, number) for kind, numbers in chosen.items() for number in numbers]
        began = time.monotonic()
        with ThreadPoolExecutor(WORKERS) as pool:
            shares = [points[worker::WORKERS] for worker in range(WORKERS)]
            jobs = [pool.submit(self.kill_at_all, share, place_for, worker) for worker, share in enumerate(shares)]
            results = [result for job in jobs for result in job.result()]
        stopped = [(kind, one) for kind, one, _ in results if one is not None]
        for kind, numbers in chosen.items():
            hits = [one for which, one in stopped if which == kind and one.code == -signal.SIGKILL]
            exact = sum(one.held for one in hits)
            print(
                f"{title}: {kind}: {counted[kind]} kill points, {len(numbers)} tried"
                f" (every {STRIDE}., offset {OFFSET}), {len(hits)} killed, {exact} of them before the call was made",
                flush=True,
            )
        print(f"{title}: {len(points)} runs in {time.monotonic() - began:.0f} s", flush=True)
        failures = [text for _, _, text in results if text]
        self.assertEqual([], failures, "\n\n".join(failures))
        killed = sum(one.code == -signal.SIGKILL for _, one in stopped)
        # A run makes a few calls more or less than another, by how the answers of a server are cut.
        self.assertGreater(killed, 0.9 * len(points))

    def kill_at_all(self, points, place_for, worker):
        results = []
        for kind, number in points:
            stopped, failure = None, ""
            try:
                place = place_for(worker)
                stopped = run_until(kind, number, APPLY, **place.options)
                self.assert_nothing_is_broken(place, stopped)
            except Exception as error:  # noqa: BLE001 - every point is told, not only the first
                where = stopped.at_call if stopped else ""
                failure = f"{kind} {number} ({where}): {type(error).__name__}: {error}"
            results.append((kind, stopped, failure))
        return results

    def assert_nothing_is_broken(self, place, stopped):
        """A stopped run left nothing half-done, and the same command goes on from there."""
        self.assertIn(stopped.code, (0, -signal.SIGKILL), stopped.told)
        self.assertEqual([], clear_keys_below(place.folder))
        before, live = place.ledger(), place.live()
        self.assertLessEqual(len(roots(before)), 1)
        for name, files in live.items():
            self.assertEqual([], whats_wrong_with(files), name)

        again = place.apply()
        self.assertEqual(0, again.returncode, f"the same command again:\n{again.stderr}")
        self.assert_converged(place, before, live)

    def assert_converged(self, place, before, live):
        after, arrived = place.ledger(), place.live()
        self.assertEqual(1, len(roots(after)), "roots in the ledger")
        self.assertIn(roots(before), ([], roots(after)), "the root was minted twice")
        self.assertEqual({one.name for one in place.clusters}, set(arrived))
        for cluster in place.clusters:
            files, states = arrived[cluster.name], intermediates(after, cluster.name)
            self.assertEqual([], whats_wrong_with(files), cluster.name)
            self.assertEqual(files, live.get(cluster.name, files), "a live CA was replaced")
            self.assertEqual(roots(after)[0], fingerprint(files["root-cert.pem"]))
            self.assertLessEqual(set(intermediates(before, cluster.name)), set(states), "the ledger forgot one")
            pushed = [one for one, state in states.items() if state == "pushed"]
            self.assertEqual([fingerprint(files["ca-cert.pem"])], pushed)
            self.assertLessEqual(set(states.values()) - {"pushed"}, {"minted", "pushing", "abandoned"})
        self.assertEqual([], clear_keys_below(place.folder))

        verified = place.meshtrust("verify")
        self.assertEqual(0, verified.returncode, verified.stderr)
        third = place.apply()
        self.assertEqual(0, third.returncode, third.stderr)
        self.assertIn("nothing to do", (third.stdout + third.stderr).lower())


class FromNothing(KillTest):
    """A first run: it makes the store, mints the root and brings up one cluster."""

    def place(self, worker=0, clusters=None):
        name = f"kill-{secrets.token_hex(4)}"
        return Place(self.folder / name, name, clusters or (self.east,), self.environment)

    def test_killed_anywhere_the_same_command_converges(self):
        self.sweep("first run", self.place)

    def test_ctrl_c_stops_it_with_a_word_and_the_same_command_goes_on(self):
        for kind, share in (("write", 0.05), ("write", 0.6), ("fsync", 0.5), ("send", 0.2), ("send", 0.7)):
            with self.subTest(kind=kind, share=share):
                place = self.place(clusters=(self.east, self.west))
                if "counted" not in locals():
                    counted, _ = count_calls(APPLY, **place.options)
                    place = self.place(clusters=(self.east, self.west))
                stopped = run_until(kind, 1 + int(counted[kind] * share), APPLY, signal.SIGINT, **place.options)
                changed = bool(place.ledger()) or any(place.live())
                print(f"Ctrl-C at {kind} {share:.0%}: exit {stopped.code}, changed: {changed}", flush=True)
                self.assertIn(stopped.code, (1, 5, 69, 130, 0), stopped.told)
                self.assertEqual([], clear_keys_below(place.folder))
                before, live = place.ledger(), place.live()
                again = place.apply()
                self.assertEqual(0, again.returncode, again.stderr)
                self.assert_converged(place, before, live)


class OneMoreCluster(KillTest):
    """A run that finds a root and a cluster in place, and brings up a second one."""

    def setUp(self):
        super().setUp()
        self.settled = [self.settle(worker) for worker in range(WORKERS)]

    def settle(self, worker):
        name = f"join-{secrets.token_hex(4)}"
        place = Place(self.folder / f"settled-{worker}", name, (self.east,), self.environment)
        done = place.apply()
        self.assertEqual(0, done.returncode, done.stderr)
        return place, self.versions_of(place)

    def versions_of(self, place):
        objects = (("secrets", "cacerts"), ("configmaps", "meshtrust-trust"))
        return [place.get(self.east, *one)["metadata"]["resourceVersion"] for one in objects]

    def place(self, worker):
        """The settled mesh of this worker, as if west had never been."""
        settled, _ = self.settled[worker]
        folder = self.folder / f"join-{secrets.token_hex(4)}"
        shutil.copytree(settled.folder, folder)
        place = Place(folder, settled.namespace, (self.east, self.west), self.environment)
        namespace = f"/api/v1/namespaces/{place.namespace}"
        for kind, name in (("secrets", "cacerts"), ("configmaps", "meshtrust-trust")):
            if place.get(self.west, kind, name) is not None:
                self.west.delete(f"{namespace}/{kind}/{name}")
        if self.west.get(namespace) is not None:
            self.west.merge(namespace, {"metadata": {"labels": {"topology.istio.io/network": None}}})
        return place

    def test_killed_anywhere_the_same_command_converges(self):
        self.sweep("second cluster", self.place)
        for settled, versions in self.settled:
            self.assertEqual(versions, self.versions_of(settled), "the first cluster was written to")


if __name__ == "__main__":
    unittest.main()
