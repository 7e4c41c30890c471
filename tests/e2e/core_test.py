#!/usr/bin/env python3
"""A private key and a passphrase leave no trace: not in memory after their use, not in a file ever."""

import os
import re
import secrets
import stat
import subprocess
import sys
import unittest
from pathlib import Path

from kill_support import CLEAR_KEY, clear_keys_below, openssl, why_no_strace
from memory_support import Core, Forwarder, KeyTraces, Trace, why_no_cores, why_no_tracing
from support import BINARY, MeshTest

ARRIVED = "east: configmap"  # the last step of a cluster, as apply tells it when it is done
BODY_OF_CACERTS = 3000  # bytes; no other request before it is as long


def need(reason):
    """Skips loudly when there is a reason to, or fails where nothing may be skipped."""
    if reason is not None and os.environ.get("MESHTRUST_REQUIRE_RIG") == "1":
        raise AssertionError(f"MESHTRUST_REQUIRE_RIG=1, but {reason}")
    if reason is not None:
        print(f"\n*** NO MEMORY WAS SEARCHED: {reason} ***", file=sys.stderr)
        raise unittest.SkipTest(reason)


class SecretTest(MeshTest):
    def setUp(self):
        super().setUp()
        self.password = secrets.token_hex(20)

    def through(self, cluster, **options):
        """A forwarder to `cluster`, which the kubeconfig of this test goes through."""
        server = re.search(r"https://127\.0\.0\.1:(\d+)", cluster.kubeconfig.read_text())
        forwarder = Forwarder(int(server[1]), **options)
        self.addCleanup(forwarder.close)
        path = self.home / "kubeconfig"
        path.touch(mode=0o600)
        text = Path(self.environment["KUBECONFIG"]).read_text()
        path.write_text(text.replace(server[0], f"https://127.0.0.1:{forwarder.port}"))
        self.environment["KUBECONFIG"] = str(path)
        return forwarder

    def start_apply(self):
        words = ("apply", "--only", "trust", "--yes")
        child = self.start(*words, password=self.password, stdout=subprocess.DEVNULL)
        self.addCleanup(child.stderr.close)
        self.addCleanup(child.kill)
        return child

    def finish(self, child, forwarder):
        forwarder.release()
        told = child.stderr.read()
        self.assertEqual(0, child.wait(timeout=60), told)

    def key_of(self, cluster):
        return self.live_files(cluster)["ca-key.pem"]


class InMemory(SecretTest):
    """A core of the process, taken with gdb while it waits for an API server."""

    @classmethod
    def setUpClass(cls):
        need(why_no_cores())
        super().setUpClass()

    def test_during_the_push_the_search_finds_the_key(self):
        """Shows that the other tests could fail: the core is whole, and the search knows a key."""
        forwarder = self.through(self.east, hold_above=BODY_OF_CACERTS)
        self.write_mesh("east")
        child = self.start_apply()
        self.assertTrue(forwarder.held.wait(timeout=30))
        self.assertIsNone(self.cacerts(self.east))
        core = Core(child.pid, self.home)
        self.finish(child, forwarder)
        self.assertNotEqual([], KeyTraces(self.key_of(self.east)).found_in(core.content()))

    def test_after_the_push_of_an_elliptic_key_nothing_is_left(self):
        self.assert_nothing_is_left("ecdsa-p256")

    def test_after_the_push_of_an_rsa_key_nothing_is_left(self):
        self.assert_nothing_is_left("rsa-2048")

    def assert_nothing_is_left(self, algorithm):
        forwarder = self.through(self.west)
        self.write_mesh("east", "west", trust=f"{{intermediate: {{key: {algorithm}}}}}")
        child = self.start_apply()
        while self.west.get(f"/api/v1/namespaces/{self.namespace}") is None:
            self.assertIsNone(child.poll())
        forwarder.hold()  # west has its namespace, the root is being made: nobody has an intermediate
        self.wait_until_told(child, ARRIVED)
        self.assertIsNone(self.cacerts(self.west))

        environment = Path(f"/proc/{child.pid}/environ").read_bytes()
        limits = Path(f"/proc/{child.pid}/limits").read_text()
        core = Core(child.pid, self.home)
        self.finish(child, forwarder)

        memory = core.content()
        self.assertIn(self.namespace.encode(), memory)  # else the core is of no use
        found = KeyTraces(self.key_of(self.east)).found_in(memory)
        self.assertEqual([], found, "the key of east is in memory")
        self.assertEqual(0, memory.count(self.password.encode()), "the passphrase is in memory")
        self.assertNotIn(self.password.encode(), environment)
        self.assertRegex(limits, r"Max core file size +0 +0 ")

    def wait_until_told(self, child, words):
        told = []
        for line in child.stderr:
            told.append(line)
            if line.strip().startswith("done") and words in line:
                return
        self.fail("".join(told))


class InFiles(SecretTest):
    """All writes of a run, seen by strace."""

    @classmethod
    def setUpClass(cls):
        need(why_no_strace() or why_no_tracing())  # strace reads the strings of a process in the same way
        super().setUpClass()

    def trace(self, *words):
        environment = self.environment | {"MESHTRUST_PASSWORD": self.password}
        trace = Trace([BINARY, *map(str, words)], cwd=self.folder, env=environment)
        self.assertEqual(0, trace.done.returncode, trace.done.stderr)
        self.assertEqual(1, len(trace.calls("execve", "execveat")), "it started another program")
        self.assertEqual([], trace.calls("sendfile", "copy_file_range"))
        for line in trace.calls("mmap"):
            self.assertFalse(b"MAP_SHARED" in line and b"PROT_WRITE" in line and b"ANONYMOUS" not in line, line)
        for path, content in trace.written():
            self.assertNotIn(self.password.encode(), content, path)
        return trace

    def assert_no_key_written(self, trace, *keys):
        traces = [KeyTraces(key) for key in keys]
        written = list(trace.written())
        self.assertGreater(len(written), 10)
        for path, content in written:
            self.assertIsNone(CLEAR_KEY.search(content), path)
            self.assertEqual([], [found for one in traces for found in one.found_in(content)], path)
        self.assertEqual([], clear_keys_below(self.home))

    def root_key(self, store):
        [path] = Path(store).glob("*.key.pem")
        return openssl("pkey", "-passin", f"pass:{self.password}", given=path.read_text())

    def test_apply_writes_no_clear_key(self):
        self.write_mesh("east", "west")
        trace = self.trace("apply", "--only", "trust", "--yes")
        keys = [self.key_of(self.east), self.key_of(self.west), self.root_key(self.store)]
        self.assert_no_key_written(trace, *keys)

    def test_ca_create_writes_no_clear_key(self):
        for algorithm in ("ecdsa-p256", "rsa-2048"):
            with self.subTest(algorithm):
                store = self.folder / f"{algorithm}.trust"
                trace = self.trace("ca", "create", "--store", store, "--key", algorithm)
                self.assert_no_key_written(trace, self.root_key(store))

    def test_ca_issue_writes_its_key_to_one_private_file_only(self):
        store, out = self.folder / "mesh.trust", self.folder / "east"
        self.trace("ca", "create", "--store", store)
        trace = self.trace("ca", "issue", "east", "--store", store, "--out", out)
        traces = KeyTraces((out / "ca-key.pem").read_text())
        targets = [path for path, content in trace.written() if traces.found_in(content)]
        self.assertEqual([str(out)], sorted({str(Path(path).parent) for path in targets}))
        self.assertEqual(1, len(targets))
        self.assertEqual([str(out / "ca-key.pem")], clear_keys_below(self.home))
        self.assertEqual(0o600, stat.S_IMODE((out / "ca-key.pem").stat().st_mode))


if __name__ == "__main__":
    unittest.main()
