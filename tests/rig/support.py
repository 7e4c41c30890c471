"""What the tests of the rig share: the program, a state folder of one's own, and waiting."""

import functools
import json
import os
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

sys.dont_write_bytecode = True

from riglib.report import EXIT_CANNOT_BUILD  # noqa: E402

RIG = str(Path(__file__).resolve().parent / "rig")
HAS_CONTROLLERS = not os.environ.get("KUBEBUILDER_ASSETS")


def rig(*arguments, stdin=None, **environment):
    return subprocess.run(
        [RIG, *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        env=os.environ | environment,
        check=False,
    )


@functools.cache
def why_no_rig(*programs):
    """None when clusters can be started here, else the reason; builds what is missing."""
    if not HAS_CONTROLLERS:
        return None
    command = [RIG, "build", *programs]
    built = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    if built.returncode == EXIT_CANNOT_BUILD:
        reason = next(line for line in built.stderr.splitlines() if "error:" in line)
        print(f"\n*** NO CLUSTER WAS TESTED: {reason} (run '{RIG} build') ***", file=sys.stderr)
        return reason
    if built.returncode != 0:
        raise AssertionError(built.stderr)
    return None


def processes_of(folder):
    """The command lines of all processes that name `folder` or work in it."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().decode(errors="replace").split("\0")
            words.append(os.readlink(path.with_name("cwd")))
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
        if any(str(folder) in word for word in words) and path.parent.name != str(os.getpid()):
            found.append(" ".join(words))
    return found


def wait_for(question, seconds=20):
    deadline = time.monotonic() + seconds
    while not (answer := question()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return answer


class RigTest(unittest.TestCase):
    def assert_exit(self, expected, done):
        self.assertEqual(expected, done.returncode, f"{done.args}\n{done.stdout}{done.stderr}")
        return done


class ClusterTest(RigTest):
    """A test that starts clusters, in a state folder of its own."""

    PROGRAMS = ("kubernetes",)  # what it takes to build

    @classmethod
    def setUpClass(cls):
        reason = why_no_rig(*cls.PROGRAMS)
        if reason is not None and os.environ.get("MESHTRUST_REQUIRE_RIG") == "1":
            raise AssertionError(f"MESHTRUST_REQUIRE_RIG=1, but {reason}")
        if reason is not None:
            raise unittest.SkipTest(reason)

    @classmethod
    def skip_without_namespaces(cls):
        cls.skip_where_rig_cannot()

    @classmethod
    def skip_where_rig_cannot(cls, *options):
        """By options of `rig can`: a container may forbid what it takes, and nothing that is installed helps."""
        able = rig("can", *options)
        if able.returncode != 0:
            reason = able.stderr.strip()
            print(f"\n*** {cls.__name__} WAS NOT TESTED: {reason} ***", file=sys.stderr)
            raise unittest.SkipTest(reason)

    def setUp(self):
        self.state = self.new_state()

    @classmethod
    def start(cls, *arguments):
        """Starts clusters for all cases of the class; returns what `up` answered."""
        cls.state = cls.new_state()
        started = rig("--state", cls.state, "up", *arguments)
        if started.returncode != 0:
            raise AssertionError(started.stderr)
        return started.stdout

    @classmethod
    def new_state(cls):
        folder = tempfile.TemporaryDirectory(prefix="test-rig-")
        cls.addClassCleanup(folder.cleanup)
        cls.addClassCleanup(rig, "down", "--state", folder.name)
        return folder.name

    def rig(self, *arguments, stdin=None, **environment):
        return rig("--state", self.state, *arguments, stdin=stdin, **environment)

    def answer(self, *arguments):
        return self.assert_exit(0, self.rig(*arguments)).stdout.strip()

    def pids(self, name):
        record = json.loads(Path(self.state, "clusters", name, "cluster.json").read_text())
        return {one["server"]: one["pid"] for one in record["processes"]}
