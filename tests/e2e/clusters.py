"""Real clusters for the tests, started by the rig: reading, writing and their audit logs."""

import atexit
import functools
import json
import os
import signal
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

sys.dont_write_bytecode = True  # tests leave no file in the source tree
RIG_FOLDER = Path(__file__).resolve().parent.parent / "rig"
sys.path.insert(0, str(RIG_FOLDER))

from riglib.api import Api  # noqa: E402
from riglib.report import EXIT_CANNOT_BUILD  # noqa: E402

NAMES = ("east", "west", "central")
READS = {"get", "list", "watch"}
LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases"
PROGRAM = "meshtrust/"  # how its user agent begins


class Cluster:
    """One real cluster, seen by its administrator."""

    def __init__(self, rig, name):
        self.name = name
        self.kubeconfig = Path(rig.answer("kubeconfig", name))
        self.api = Api.of_kubeconfig(self.kubeconfig)
        self._audit_log = Path(rig.answer("audit", name))

    def get(self, path):
        """The object at `path`, None when there is none."""
        status, answer = self.api.get(path)
        if status == 404:
            return None
        return self._expect(status, answer, path)

    def create(self, folder, body):
        return self._expect(*self.api.request("POST", folder, body), folder)

    def merge(self, path, patch):
        """Changes an object as a person with `kubectl patch` would."""
        return self._expect(*self.api.request("PATCH", path, patch, "application/merge-patch+json"), path)

    def delete(self, path):
        return self._expect(*self.api.request("DELETE", path), path)

    def make_namespace(self, name, labels=None):
        return self.create("/api/v1/namespaces", {"metadata": {"name": name, "labels": labels or {}}})

    def make_secret(self, namespace, name, files, labels=None):
        body = {"metadata": {"name": name, "labels": labels or {}}, "stringData": files}
        return self.create(f"/api/v1/namespaces/{namespace}/secrets", body)

    def make_config_map(self, namespace, name, data):
        body = {"metadata": {"name": name}, "data": data}
        return self.create(f"/api/v1/namespaces/{namespace}/configmaps", body)

    def mark(self):
        """A place in the audit log, to be given to `requests_since`."""
        return self._audit_log.stat().st_size

    def requests_since(self, mark):
        """What the program under test asked for since `mark`, as (verb, path, status)."""
        with self._audit_log.open() as log:
            log.seek(mark)
            events = [json.loads(line) for line in log]
        return [
            (event["verb"], event["requestURI"], event.get("responseStatus", {}).get("code"))
            for event in events
            if event["stage"] == "ResponseComplete" and event.get("userAgent", "").startswith(PROGRAM)
        ]

    def writes_since(self, mark):
        """The same without reads; self-reviews and dry runs are reads, a refused write is a write."""
        return [
            request
            for request in self.requests_since(mark)
            if request[0] not in READS
            and not request[1].partition("?")[0].endswith("reviews")
            and "dryRun=All" not in request[1]
        ]

    def lasting_writes_since(self, mark):
        """The writes that leave something behind: not the Lease of a run, which is gone with it."""
        return [request for request in self.writes_since(mark) if LEASES not in request[1]]

    def _expect(self, status, answer, path):
        if status >= 300:
            raise AssertionError(f"{self.name}: {path}: HTTP {status}: {answer}")
        return answer


class Rig:
    """The clusters of a state folder. With MESHTRUST_RIG_STATE they are found there, or started and left."""

    def __init__(self):
        shared = os.environ.get("MESHTRUST_RIG_STATE")
        self._state = shared or tempfile.mkdtemp(prefix="meshtrust-e2e-")
        if not shared:
            atexit.register(self._remove)
            signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the line above is kept
        self.answer("up", *NAMES)
        self.kubeconfig = Path(self.answer("kubeconfig"))
        self.clusters = {name: Cluster(self, name) for name in NAMES}

    def answer(self, *words):
        done = self._run(*words)
        if done.returncode != 0:
            raise AssertionError(f"rig {' '.join(words)}: {done.stderr}")
        return done.stdout.strip()

    def user(self, cluster, name, *options):
        """The path of a kubeconfig with the one context `cluster`."""
        return Path(self.answer("user", cluster, name, *options))

    def _run(self, *words):
        command = [RIG_FOLDER / "rig", "--state", self._state, *words]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def _remove(self):
        self._run("down")
        os.rmdir(self._state)


@functools.cache
def why_no_rig(*programs):
    """None when clusters can be started here, else the reason; builds the programs if need be."""
    built = subprocess.run([RIG_FOLDER / "rig", "build", *programs], capture_output=True, text=True, check=False)
    if built.returncode == EXIT_CANNOT_BUILD:
        reason = next(line for line in built.stderr.splitlines() if "error:" in line)
        print(f"\n*** NO CLUSTER WAS TESTED: {reason} (run 'tests/rig/rig build') ***", file=sys.stderr)
        return reason
    if built.returncode != 0:
        raise AssertionError(built.stderr)
    return None


@functools.cache
def _started_rig():
    return Rig()


def skip_without_rig(*programs):
    """Skips where no cluster can be started, or fails when one has to be."""
    reason = why_no_rig(*programs)
    if reason is None:
        return
    if os.environ.get("MESHTRUST_REQUIRE_RIG") == "1":
        raise AssertionError(f"MESHTRUST_REQUIRE_RIG=1, but {reason}")
    raise unittest.SkipTest(reason)


def skip_without_namespaces():
    """A container may forbid network namespaces, and nothing that is installed helps."""
    able = subprocess.run([str(RIG_FOLDER / "rig"), "can"], capture_output=True, text=True, check=False)
    if able.returncode != 0:
        reason = able.stderr.strip()
        print(f"\n*** NO MESH WAS TESTED: {reason} ***", file=sys.stderr)
        raise unittest.SkipTest(reason)


def rig():
    """The clusters that all tests of this process share; skips where there can be none."""
    skip_without_rig()
    return _started_rig()
