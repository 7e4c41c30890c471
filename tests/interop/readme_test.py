#!/usr/bin/env python3
"""The commands of README.md that need no cluster do, in their order, what is said of them."""

import base64
import json
import os
import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
REPOSITORY = Path(__file__).resolve().parents[2]
BINARY = os.path.abspath(os.environ.get("MESHTRUST_BINARY") or REPOSITORY / "build" / "dev" / "meshtrust")
SECTIONS = ("Without a cluster,", "With the root below a CA", "Without a trust store,")
AUTHORITY = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n"
SITE = "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\nsubjectAltName=DNS:web.example.com\n"
IDENTIFIERS = "authorityKeyIdentifier=keyid\n"
# What its reader has and the folder of a test has not.
KUBECTL = """#!/bin/sh
cat secret.json
"""


def commands(section):
    """The lines of the block behind the paragraph that begins with `section`, without their remarks."""
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    block = re.search(rf"^{section}[^\n]*\n\n((?:    [^\n]+\n)+)", text, re.MULTILINE)
    return [line.partition("  # ")[0].strip() for line in block[1].splitlines()]


class Readme(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        tools = self.folder / "bin"
        tools.mkdir()
        (tools / "meshtrust").symlink_to(BINARY)
        (tools / "kubectl").write_text(KUBECTL, encoding="utf-8")
        (tools / "kubectl").chmod(0o755)
        self.environment = {"HOME": str(self.folder), "PATH": f"{tools}:{os.environ['PATH']}", "MESHTRUST_PASSWORD": "correct horse"}

    def run_it(self, line):
        words = ["bash", "-o", "pipefail", "-c", line]
        done = subprocess.run(words, cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False)
        self.assertEqual(0, done.returncode, f"{line}\n{done.stdout}{done.stderr}")
        return done.stdout

    def write(self, name, text):
        (self.folder / name).write_text(text, encoding="utf-8")

    def make_root(self, name):
        self.run_it(f"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout {name}.key -out {name}.pem -days 7000 "
                    f"-subj /CN={name} -addext keyUsage=critical,keyCertSign,cRLSign")

    def sign(self, request, issuer, out, extensions, days):
        self.write("extensions", extensions + IDENTIFIERS)
        self.run_it(f"openssl x509 -req -in {request} -CA {issuer}.pem -CAkey {issuer}.key -days {days} -copy_extensions copy "
                    f"-extfile extensions -out {out}")

    def certify_the_root(self):
        """What whoever signs does with root.csr."""
        self.make_root("corp-root")
        self.sign("root.csr", "corp-root", "root.pem", AUTHORITY, 3000)

    def bring_certificates(self):
        """What lies in the folder of somebody who has a cluster and a web server, and revoked nothing."""
        self.run_it("rm -r east && meshtrust ca create --store other.trust && meshtrust ca issue east --store other.trust --out east")
        files = {one.name: base64.b64encode(one.read_bytes()).decode() for one in (self.folder / "east").iterdir()}
        self.write("secret.json", json.dumps({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "cacerts"}, "data": files}))
        self.make_root("roots")
        self.run_it("openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout web.key -out web.csr -subj /CN=web")
        self.sign("web.csr", "roots", "web.pem", SITE, 90)

    def test_its_commands_work_in_their_order(self):
        before = {"meshtrust ca import": self.certify_the_root, "kubectl": self.bring_certificates}
        for section in SECTIONS:
            for line in commands(section):
                for begin, prepare in before.items():
                    if line.startswith(begin):
                        prepare()
                with self.subTest(line):
                    self.run_it(line)
        self.run_it("meshtrust ca issue west --store corp.trust --out west")
        self.assertEqual((self.folder / "corp-root.pem").read_text(), (self.folder / "west" / "root-cert.pem").read_text())


if __name__ == "__main__":
    unittest.main()
