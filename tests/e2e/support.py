"""What the tests share: a place of one's own, the program under test, texts compared whole."""

import base64
import contextlib
import hashlib
import os
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
import unittest
from dataclasses import dataclass
from pathlib import Path

sys.dont_write_bytecode = True
import clusters as real  # noqa: E402

HERE = Path(__file__).resolve().parent
BINARY = os.path.abspath(os.environ.get("MESHTRUST_BINARY") or HERE.parents[1] / "build" / "dev" / "meshtrust")
PASSPHRASE = "correct horse battery staple"
FILES = ("ca-cert.pem", "ca-key.pem", "cert-chain.pem", "root-cert.pem")
NETWORKS = {"east": "network1", "west": "network2", "central": "network3"}

# What differs from run to run, and what stands for it in an expected text. Order matters.
VARIABLE = (
    (r"https://127\.0\.0\.1:\d+", "https://SERVER"),
    (r"127\.0\.0\.1:\d+", "SERVER"),
    (r"\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b", "UID"),
    (r"\b(?:[0-9a-f]{4} ){3}[0-9a-f]{4}\b", "FINGERPRINT"),
    (r"\b[0-9a-f]{4} [0-9a-f]{4}\b", "SHORT"),
    (r"\b[0-9a-f]{16,64}\b", "FINGERPRINT"),
    (r"\bv1\.\d\d\.\d+\b", "VERSION"),
    (r"\d{4}-\d\d-\d\d [0-9a-f]{8}\b", "GENERATION"),
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z", "TIME"),
    (r"(?m)\bends by itself in \S+$", "ends by itself in DURATION"),
    (r"\b\d{4}-\d\d-\d\d\b", "DATE"),
    (r"\bpid \d+\b", "pid PID"),
    (r"\(\d+\.\ds", "(SECONDS"),
    (r"\b(in )?\d+ (seconds?|minutes?|hours?|days?)\b( ago)?", r"\1N \2\3"),
    (r"\b(now|N \w+ ago) \(TIME\)", "AGO (TIME)"),
    (r"/\S+/users/\S+\.kubeconfig\b", "USERS_KUBECONFIG"),
    (r"(?<=\S)  +", "  "),  # columns are as wide as what stood in them
)
# A plan that was shown before something went wrong; test_plan.py compares its text.
SHOWN_PLAN = r"(?sm)\A[+~-] .*?^Plan: (\d+ to add, \d+ to change, \d+ to remove)$"


@dataclass(frozen=True)
class Done:
    """How a run of the program ended."""

    code: int
    out: str
    err: str


class ProgramTest(unittest.TestCase):
    """A test of the program in an empty home folder, without any cluster."""

    maxDiff = None
    scene = None

    @classmethod
    def setUpClass(cls):
        """What `prepare` does, if a class has it, is done once; every test then starts with a copy."""
        super().setUpClass()
        if not hasattr(cls, "prepare"):
            return
        scene = cls()
        cls.addClassCleanup(scene.doCleanups)
        scene.setUp()
        scene.prepare()
        cls.scene = scene

    def setUp(self):
        if not Path(BINARY).is_file():
            raise AssertionError(f"there is no program '{BINARY}': build it, or set MESHTRUST_BINARY")
        self.home = Path(tempfile.mkdtemp(prefix="meshtrust-e2e-home-"))
        self.addCleanup(shutil.rmtree, self.home, ignore_errors=True)
        self.folder = self.home / "work"
        self.folder.mkdir(mode=0o700)
        self.environment = {"HOME": str(self.home), "PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}
        self.environment["MESHTRUST_SCRYPT_P"] = "5"  # the least: a passphrase costs 0.15 s instead of a second
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LLVM_PROFILE_FILE"):
            if name in os.environ:
                self.environment[name] = os.environ[name]
        if self.scene is not None:
            shutil.copytree(self.scene.folder, self.folder, dirs_exist_ok=True)

    def start(self, *words, password=PASSPHRASE, binary=BINARY, environment=None, **options):
        """Starts the program in `self.folder`; `password` None leaves MESHTRUST_PASSWORD unset."""
        around = self.environment | (environment or {})
        if password is not None:
            around["MESHTRUST_PASSWORD"] = password
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        # A session of its own: it must not find the terminal of whoever runs the tests.
        defaults = {"cwd": self.folder, "env": around, "text": True, "start_new_session": True} | pipes
        return subprocess.Popen([binary, *map(str, words)], **(defaults | options))

    def meshtrust(self, *words, **options):
        with self.start(*words, **options) as child:
            try:
                out, err = child.communicate(timeout=60)
            except subprocess.TimeoutExpired:
                child.kill()
                raise
        self.assertGreaterEqual(child.returncode, 0, f"killed by a signal; it said:\n{err}")
        return Done(child.returncode, out, err)

    def expect(self, code, *words, **options):
        """Runs the program and expects an exit code."""
        done = self.meshtrust(*words, **options)
        self.assertEqual(code, done.code, f"{words}\n{done.out}{done.err}")
        return done

    def normalised(self, text):
        """`text` without what differs from run to run."""
        for found, name in self.names().items():
            text = text.replace(found, name)
        for pattern, name in VARIABLE:
            text = re.sub(pattern, name, text)
        return text

    def names(self):
        return {str(self.folder): "FOLDER", str(self.home): "HOME"}

    def assert_told(self, name, text):
        """`text` is, normalised and whole, that of golden/NAME.txt; UPDATE_GOLDEN=1 rewrites it."""
        path = HERE / "golden" / f"{name}.txt"
        told = self.normalised(text)
        if os.environ.get("UPDATE_GOLDEN"):
            path.write_text(told)
        self.assertEqual(path.read_text(), told, f"{path} differs; UPDATE_GOLDEN=1 rewrites it")

    def assert_refused(self, name, code, *words, **options):
        """The program ends with `code` and says what golden/NAME.txt says, and answers nothing."""
        done = self.expect(code, *words, **options)
        self.assertEqual("", done.out)
        self.assert_told(name, re.sub(SHOWN_PLAN, r"[the plan: \1]", done.err))
        return done

    def contents(self, folder=None):
        """Every file and folder with its mode and content, to show that nothing changed."""
        folder = folder or self.folder
        return {
            str(path.relative_to(folder)): (oct(path.lstat().st_mode), path.is_file() and digest(path))
            for path in sorted(folder.rglob("*"))
        }


class MeshTest(ProgramTest):
    """A test with real clusters, and in each of them a system namespace of its own (or its scene's)."""

    @classmethod
    def setUpClass(cls):
        cls.rig = real.rig()
        cls.east, cls.west, cls.central = (cls.rig.clusters[name] for name in real.NAMES)
        cls.all_clusters = (cls.east, cls.west, cls.central)
        super().setUpClass()

    def setUp(self):
        super().setUp()
        self.namespace = self.scene.namespace if self.scene else f"istio-{secrets.token_hex(3)}"
        self.environment["KUBECONFIG"] = str(self.rig.kubeconfig)
        self.store = self.folder / "mesh.trust"

    def names(self):
        return {self.namespace: "NAMESPACE", str(self.rig.kubeconfig): "KUBECONFIG"} | super().names()

    def write_mesh(self, *clusters, trust="{}", spec="", **changes):
        """Writes mesh.yaml; `changes` maps a cluster's name to further keys, as YAML."""
        lines = [
            "apiVersion: meshtrust/v1",
            "kind: Mesh",
            "metadata: {name: mesh}",
            "spec:",
            f"  trust: {trust}",
            f"  istio: {{namespace: {self.namespace}}}",
            *(["  " + spec] if spec else []),
            "  clusters:",
        ]
        for name in clusters or ("east", "west"):
            keys = {"context": name, "network": NETWORKS[name]} | changes.get(name, {})
            text = ", ".join(f"{key}: {value}" for key, value in ({"name": name} | keys).items())
            lines.append(f"  - {{{text}}}")
        (self.folder / "mesh.yaml").write_text("\n".join(lines) + "\n")

    def apply(self, *words, **options):
        return self.meshtrust("apply", "--only", "trust", "--yes", *words, **options)

    def apply_all(self, *clusters, **mesh):
        """A mesh whose trust is in place."""
        self.write_mesh(*clusters, **mesh)
        done = self.apply()
        self.assertEqual(0, done.code, done.err)
        return done

    def assert_apply_refused(self, name, code, *words, **options):
        """apply ends with `code` and golden/NAME.txt, and writes to no cluster and no file."""
        files = self.contents()
        with self.nothing_written():
            done = self.assert_refused(name, code, "apply", "--only", "trust", "--yes", *words, **options)
        self.assertEqual(files, self.contents())
        return done

    def lease(self, cluster):
        """By which a run keeps others out of the cluster."""
        return cluster.get(f"{real.LEASES}/meshtrust-{self.namespace}")

    def marks(self):
        return {cluster: cluster.mark() for cluster in self.all_clusters}

    @contextlib.contextmanager
    def nothing_written(self):
        marks = self.marks()
        yield
        for cluster, mark in marks.items():
            self.assertEqual([], cluster.lasting_writes_since(mark), cluster.name)
            self.assertIsNone(self.lease(cluster))

    def path_of(self, kind, name):
        return f"/api/v1/namespaces/{self.namespace}/{kind}/{name}"

    def cacerts(self, cluster):
        return cluster.get(self.path_of("secrets", "cacerts"))

    def twin(self, cluster):
        return cluster.get(self.path_of("configmaps", "meshtrust-trust"))

    def live_files(self, cluster):
        """The files of the live cacerts by name."""
        return {name: base64.b64decode(text).decode() for name, text in self.cacerts(cluster)["data"].items()}

    def versions(self, *clusters):
        """The resourceVersions of everything that apply writes."""
        found = {}
        for cluster in clusters or (self.east, self.west):
            objects = (
                cluster.get(f"/api/v1/namespaces/{self.namespace}"),
                self.cacerts(cluster),
                self.twin(cluster),
            )
            found[cluster.name] = [one and one["metadata"]["resourceVersion"] for one in objects]
        return found


def openssl(*words, given=None):
    """The output of the `openssl` program; it must succeed."""
    done = subprocess.run(["openssl", *map(str, words)], input=given, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise AssertionError(f"openssl {words}: {done.stderr}")
    return done.stdout


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()[:8]


def modes(folder):
    """The permissions of every file below `folder`, and of itself."""
    return {
        str(path.relative_to(folder)): oct(path.stat().st_mode & 0o7777)
        for path in [folder, *sorted(folder.rglob("*"))]
    }
