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
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from kill_support import (
    Stopped,
    clear_keys_below,
    count_calls,
    files_of,
    fingerprint,
    run_until,
    whats_wrong_with,
    why_no_strace,
)
from support import BINARY, NETWORKS, PASSPHRASE, MeshTest

EVERY = os.environ.get("MESHTRUST_FULL_KILL") == "1"
STRIDE = 1 if EVERY else 4
OFFSET = int(os.environ.get("MESHTRUST_KILL_OFFSET", "0")) % STRIDE
WORKERS = 2

APPLY = (BINARY, "apply", "--only", "trust", "--yes")


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
        ]
        for name in (one.name for one in clusters):
            lines.append(f"  - {{name: {name}, context: {name}, network: {NETWORKS[name]}}}")
        folder.mkdir(mode=0o700, exist_ok=True)
        (folder / "mesh.yaml").write_text("\n".join(lines) + "\n")

    def meshtrust(self, *words):
        how = {"capture_output": True, "text": True, "timeout": 60, "start_new_session": True}
        return subprocess.run([BINARY, *words], check=False, **how, **self.options)

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
    """The state of every intermediate of `cluster` ever minted, by fingerprint."""
    theirs = (one for one in ledger if one["kind"] == "intermediate" and one["cluster"] == cluster)
    return {one["fingerprint"]: one["state"] for one in theirs}


@dataclass
class Case:
    """One run that was stopped, and what came of it."""

    kind: str
    number: int
    stopped: Stopped | None = None
    left: list = field(default_factory=list)  # what it left behind, in words
    failure: str = ""

    @property
    def killed(self):
        return self.stopped is not None and self.stopped.code == -signal.SIGKILL


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
        points = [(kind, at) for kind, count in counted.items() for at in range(1 + OFFSET, count + 1, STRIDE)]
        began = time.monotonic()
        with ThreadPoolExecutor(WORKERS) as pool:
            shares = [points[worker::WORKERS] for worker in range(WORKERS)]
            done = pool.map(lambda worker: self.kill_at_all(shares[worker], place_for, worker), range(WORKERS))
            cases = [case for share in done for case in share]
        tell(title, counted, cases, time.monotonic() - began)
        failures = [case.failure for case in cases if case.failure]
        self.assertEqual([], failures, "\n\n".join(failures))
        # A run makes a few calls more or less than another, by how the answers of a server are cut.
        self.assertGreater(sum(case.killed for case in cases), 0.9 * len(cases))

    def kill_at_all(self, points, place_for, worker):
        cases = [Case(kind, number) for kind, number in points]
        for case in cases:
            try:
                place = place_for(worker)
                case.stopped = run_until(case.kind, case.number, APPLY, **place.options)
                case.left = self.assert_nothing_is_broken(place, case.stopped)
            except Exception as error:  # noqa: BLE001 - all are told, not only the first
                where = case.stopped.at_call if case.stopped else "not started"
                case.failure = f"{case.kind} {case.number} ({where}): {type(error).__name__}: {error}"
        return cases

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
        return what_was_left(place, before, live)

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


def what_was_left(place, before, live):
    """In words, what a stopped run had done and what never arrived."""
    after = place.ledger()
    states = {state for name in NETWORKS for state in intermediates(after, name).values()} - {"pushed"}
    return [
        "a root" if roots(before) else "no root",
        f"{len(live)} live CAs",
        *(f"an intermediate that stays {state}" for state in sorted(states)),
    ]


def tell(title, counted, cases, seconds):
    for kind, count in counted.items():
        tried = [case for case in cases if case.kind == kind]
        killed = [case.stopped for case in tried if case.killed]
        exact = sum(stopped.held for stopped in killed)
        print(
            f"{title}: {kind}: {count} kill points, {len(tried)} tried (one in {STRIDE}, offset {OFFSET}),"
            f" {len(killed)} killed, {exact} of them before the call was made"
        )
    left = Counter(words for case in cases for words in case.left)
    told = ", ".join(f"{words} {count}" for words, count in sorted(left.items()))
    print(f"{title}: {len(cases)} runs in {seconds:.0f} s; left behind: {told}", flush=True)


class FromNothing(KillTest):
    """A first run: it makes the store, mints the root and brings up one cluster."""

    def place(self, worker=0, clusters=None):
        name = f"kill-{secrets.token_hex(4)}"
        return Place(self.folder / name, name, clusters or (self.east,), self.environment)

    def test_killed_anywhere_the_same_command_converges(self):
        self.sweep("first run", self.place)

    def test_ctrl_c_is_told_and_the_same_command_goes_on(self):
        counted, _ = count_calls(APPLY, **self.place().options)
        for kind, share in (("write", 0.05), ("write", 0.6), ("fsync", 0.5), ("send", 0.2), ("send", 0.7)):
            with self.subTest(kind=kind, share=share):
                place = self.place(clusters=(self.east, self.west))
                stopped = run_until(kind, 1 + int(counted[kind] * share), APPLY, signal.SIGINT, **place.options)
                print(f"Ctrl-C at {share:.0%} of {kind}: exit {stopped.code}", flush=True)
                self.assertEqual(5, stopped.code, stopped.told)
                self.assertIn("interrupted", stopped.told)
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
