#!/usr/bin/env python3
"""Kubeconfigs: the case folders, the real kubectl beside us, and what both send to a server."""

import base64
import functools
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import yaml

sys.dont_write_bytecode = True
from kubeconfigs import Generator  # noqa: E402
from recorder import Recorder  # noqa: E402

TESTS = Path(__file__).resolve().parent.parent
CASES = sorted((TESTS / "data" / "kubeconfig").iterdir())
BINARY = os.path.abspath(os.environ.get("MESHTRUST_BINARY") or TESTS.parent / "build" / "dev" / "meshtrust")
UPDATE = os.environ.get("UPDATE_GOLDEN")
ENVIRONMENT = {"HOME": "/nonexistent", "PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}


@functools.cache
def kubectl():
    """The kubectl to compare with, or None, said loudly once.

    The rig's is the upstream one, of a known version; what PATH has may be a wrapper that asks on its own.
    """
    rig = subprocess.run([TESTS / "rig" / "rig", "which", "kubectl"], capture_output=True, text=True, check=False)
    found = os.environ.get("MESHTRUST_KUBECTL") or rig.stdout.strip() or shutil.which("kubectl")
    if found:
        return found
    print("\n*** NOTHING WAS COMPARED WITH KUBECTL: there is none (MESHTRUST_KUBECTL) ***", file=sys.stderr)
    return None


def run(command, folder, environment):
    around = ENVIRONMENT | environment
    return subprocess.run(
        list(map(str, command)), cwd=folder, env=around, capture_output=True, text=True, timeout=60, check=False
    )


def numbers_alike(value):
    """Go and we spell large numbers differently; they are the same doubles."""
    if isinstance(value, dict):
        return {key: numbers_alike(one) for key, one in value.items() if key != "preferences" or one}
    if isinstance(value, list):
        return [numbers_alike(one) for one in value]
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else value


def call(folder):
    """The words and variables that a case is called with."""
    words = ["--kubeconfig", (folder / "flag").read_text().strip()] if (folder / "flag").exists() else []
    variable = folder / "KUBECONFIG"
    return words, {"KUBECONFIG": variable.read_text().strip()} if variable.exists() else {}


class Cases(unittest.TestCase):
    maxDiff = None

    def expect(self, path, told):
        if UPDATE:
            path.write_text(told)
        self.assertEqual(path.read_text() if path.exists() else "", told, f"{path}; UPDATE_GOLDEN=1 rewrites it")

    def test_every_case_is_read_or_refused_as_expected(self):
        for folder in CASES:
            with self.subTest(folder.name):
                words, variables = call(folder)
                done = run([BINARY, "cluster", "view", "--raw", "-o", "json", *words], folder, variables)
                if done.returncode == 0:
                    self.expect(folder / "view.json", done.stdout)
                    self.assertFalse((folder / "view.txt").exists())
                else:
                    self.assertEqual(65, done.returncode, done.stderr)
                    self.assertEqual("", done.stdout)
                    self.expect(folder / "view.txt", done.stderr)
                    self.assertFalse((folder / "view.json").exists())

    def test_every_context_is_judged_as_expected(self):
        judged = [folder for folder in CASES if folder.name.startswith("check-")]
        self.assertGreater(len(judged), 50)
        for folder in judged:
            with self.subTest(folder.name):
                with tempfile.TemporaryDirectory() as place:
                    copy = Path(shutil.copytree(folder, Path(place, "case")))
                    for path in copy.iterdir():
                        path.chmod(0o600)
                    words, variables = call(copy)
                    done = run([BINARY, "cluster", "check", "--offline", *words], copy, variables)
                told = f"exit {done.returncode}\n{done.stdout}{done.stderr}".replace(str(copy), "FOLDER")
                self.assertNotIn("secret", told)
                self.expect(folder / "check.txt", told)

    @unittest.skipUnless(kubectl(), "no kubectl")
    def test_kubectl_reads_the_cases_likewise(self):
        for folder in CASES:
            with self.subTest(folder.name):
                compare(self, folder, *call(folder), stricter=(folder / "stricter").exists())

    @unittest.skipUnless(kubectl(), "no kubectl")
    def test_kubectl_reads_generated_files_likewise(self):
        with tempfile.TemporaryDirectory() as folder:
            for seed in range(int(os.environ.get("MESHTRUST_CASES", "100"))):
                with self.subTest(seed=seed):
                    Path(folder, "config").write_bytes(Generator(seed).file().encode())
                    compare(self, folder, [], {"KUBECONFIG": "config"}, flags=(["--raw"],))


class Written(unittest.TestCase):
    """YAML that meshtrust writes is read back by other parsers as what was meant."""

    TEXTS = (
        *("yes no y n on off Yes NO true False null Null ~ 1e3 0o7 010 0x1F 0b11 1_000 1.5 .5 5. -1 +1 .inf -.INF").split(),
        *(".nan 2024-01-01 2001-12-14t21:59:43.10-05:00 1:30 12:30:45 = << - ? : ! & * @ ` % # | > { [ ] } ,").split(),
        "", " ", " a", "a ", "a: b", "a #b", "a\nb", "a\tb", "\u0085", "\u2028x", "\ufeffa", "\u0000", "\u009f", "\x7f",
        "---", "...", "- a", "'", '"', "\\", "gr\u00fcn", "\U0001f511", "!!str a", "e1", "E5", "_1", "0_1", "a,b", "/x",
    )  # fmt: skip

    def test_by_pyyaml_and_by_kubectl(self):
        users = [{"name": text, "user": {"password": text, "as-user-extra": {text: [text]}, "as": "x"}} for text in self.TEXTS]
        with tempfile.TemporaryDirectory() as folder:
            config = json.dumps({"users": users, "current-context": "yes"})
            # Its two escapes are one in YAML, and Go's parser, like ours, takes no others.
            Path(folder, "config").write_text(config.replace("\\ud83d\\udd11", "\U0001f511"))
            view = [BINARY, "cluster", "view", "--raw", "--kubeconfig"]
            meant = json.loads(run([*view, "config", "-o", "json"], folder, {}).stdout)
            self.assertEqual(len(self.TEXTS), len(meant["users"]))
            written = run([*view, "config", "-o", "yaml"], folder, {}).stdout
            self.assertEqual(meant, yaml.safe_load(written))
            Path(folder, "again").write_text(written)
            self.assertEqual(meant, json.loads(run([*view, "again", "-o", "json"], folder, {}).stdout))
            if kubectl():
                theirs = run([kubectl(), "config", "view", "--raw", "-o", "json", "--kubeconfig", "again"], folder, {})
                self.assertEqual(meant, numbers_alike(json.loads(theirs.stdout)))


def compare(test, folder, words, variables, stricter=False, flags=([], ["--raw"])):
    """Both answer the same, or both refuse; `stricter`: we alone do."""
    for flag in flags:
        ours = run([BINARY, "cluster", "view", "-o", "json", *flag, *words], folder, variables)
        theirs = run([kubectl(), "config", "view", "-o", "json", *flag, *words], folder, variables)
        if stricter:
            test.assertEqual((65, 0), (ours.returncode, theirs.returncode))
            continue
        test.assertEqual(theirs.returncode == 0, ours.returncode == 0, ours.stderr + theirs.stderr)
        if ours.returncode == 0:
            found, wanted = (numbers_alike(json.loads(done.stdout)) for done in (ours, theirs))
            test.assertEqual(wanted if flag else without_more_secrets(wanted), found)


def without_more_secrets(document):
    """What we hide beside kubectl: who stands in a URL, and what an auth provider keeps."""
    for entry in document["clusters"] or []:
        cluster = entry["cluster"]
        for key in cluster.keys() & {"server", "proxy-url"}:
            cluster[key] = re.sub("^(.*?://|).*@", r"\1REDACTED@", cluster[key])
    for entry in document["users"] or []:
        config = entry["user"].get("auth-provider", {}).get("config") or {}
        config.update(dict.fromkeys(config, "REDACTED"))
    return document


@unittest.skipUnless(kubectl(), "no kubectl")
class Sent(unittest.TestCase):
    """The same kubeconfig makes both send the same credentials, by the same name."""

    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.folder = Path(tempfile.mkdtemp(prefix="meshtrust-sent-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.make_certificates()
        cls.server = Recorder(cls.folder / "server.pem", cls.folder / "server.key", cls.folder / "ca.pem")
        cls.addClassCleanup(cls.server.close)

    @classmethod
    def make_certificates(cls):
        def openssl(*words):
            subprocess.run(["openssl", *words], cwd=cls.folder, check=True, capture_output=True)

        curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2")
        openssl("req", "-x509", *curve, "-subj", "/CN=ca", "-keyout", "ca.key", "-out", "ca.pem")
        for name, extension in (("server", "subjectAltName=IP:127.0.0.1,DNS:localhost,DNS:other.example"), ("me", "")):
            openssl("req", *curve[:-2], "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.csr")
            (cls.folder / "ext").write_text(extension)
            signing = ("-req", "-CA", "ca.pem", "-CAkey", "ca.key", "-days", "2", "-extfile", "ext")
            openssl("x509", *signing, "-in", f"{name}.csr", "-out", f"{name}.pem")

    def sent_by(self, *command):
        self.server.take()
        done = run([*command, "--kubeconfig", "config"], self.folder, {})
        seen = self.server.take()
        self.assertTrue(seen, done.stderr)
        return seen[0]

    def assert_same(self, user="{}", host="127.0.0.1", cluster="", path=""):
        text = (
            f"clusters:\n- name: c\n  cluster: {{server: 'https://{host}:{self.server.port}{path}', "
            f"certificate-authority: ca.pem{cluster}}}\nusers:\n- name: u\n  user: {user}\n"
            "contexts:\n- name: c\n  context: {cluster: c, user: u}\ncurrent-context: c\n"
        )
        (self.folder / "config").write_text(text)
        (self.folder / "config").chmod(0o600)
        theirs = self.sent_by(kubectl(), "get", "--raw", "/version")
        ours = self.sent_by(BINARY, "cluster", "check")
        self.assertEqual(theirs, ours)
        return ours

    def test_tokens(self):
        (self.folder / "token").write_text("\n from-a-file \n")
        self.assert_same("{token: t}")
        self.assert_same('{token: "t "}')
        self.assert_same("{tokenFile: token}")
        self.assert_same("{token: t, tokenFile: token}")
        self.assert_same("{token: t, tokenFile: none}")

    def test_passwords(self):
        self.assert_same("{username: me, password: 'pä:ss'}")
        self.assert_same("{username: me}")

    def test_client_certificates(self):
        key = base64.b64encode((self.folder / "me.key").read_bytes()).decode()
        seen = self.assert_same("{client-certificate: me.pem, client-key: me.key}")
        self.assertEqual("me", seen["client"])
        self.assert_same(f"{{client-certificate: me.pem, client-key-data: {key}}}")
        self.assert_same("{client-certificate: me.pem, client-key: me.key, token: t}")

    def test_impersonation(self):
        who = "as: me, as-uid: '7', as-groups: [a, b, 'c d'], as-user-extra: {We/ird Key: [one, two], 'a%b': [z], l: []}"
        self.assert_same(f"{{token: t, {who}}}")

    def test_plugins(self):
        plugin = self.folder / "plugin"
        plugin.write_text(
            "#!/bin/sh\n"
            'echo "{\\"kind\\": \\"ExecCredential\\", \\"apiVersion\\": \\"client.authentication.k8s.io/$1\\", '
            '\\"status\\": {\\"token\\": \\"$A-$B\\"}}"\n'
        )
        plugin.chmod(0o700)
        for version in ("v1", "v1beta1"):
            exec_ = (
                f"exec: {{apiVersion: client.authentication.k8s.io/{version}, command: ./plugin, args: [{version}], "
                "interactiveMode: Never, env: [{name: A, value: one}, {name: B, value: two}, {name: A, value: three}]}"
            )
            seen = self.assert_same(f"{{{exec_}}}")
            self.assertEqual([("authorization", "Bearer three-two")], seen["credentials"])
            self.assert_same(f"{{{exec_}, token: static}}")
            self.assert_same(f"{{{exec_}, client-certificate: me.pem, client-key: me.key}}")

    def test_names(self):
        self.assertEqual("localhost", self.assert_same("{token: t}", host="localhost")["name"])
        seen = self.assert_same("{token: t}", cluster=", tls-server-name: other.example")
        self.assertEqual("other.example", seen["name"])
        self.assertIsNone(self.assert_same("{token: t}")["name"])

    def test_paths(self):
        self.assertEqual("/prefix/x/version", self.assert_same("{token: t}", path="/prefix/x/")["path"])
        self.assert_same("{token: t}", path="/p?q=1")


if __name__ == "__main__":
    unittest.main()
