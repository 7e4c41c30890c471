#!/usr/bin/env python3
"""The commands of the CA killed at every write, fsync, rename and link: the same command goes on.

Without a cluster. By default one call in STRIDE is met, from an offset that differs from command
to command, so that over all of them each is met, and is printed; MESHTRUST_FULL_KILL=1 meets all of
them, MESHTRUST_KILL_OFFSET=N chooses another sample.
"""

import json
import os
import re
import shutil
import signal
import sys
import time
import unittest
import zlib
from pathlib import Path

from kill_support import clear_keys_below, count_calls, run_until, why_no_strace
from support import BINARY, FILES, ProgramTest, openssl

EVERY = os.environ.get("MESHTRUST_FULL_KILL") == "1"
STRIDE = 1 if EVERY else 4
OFFSET = int(os.environ.get("MESHTRUST_KILL_OFFSET", "0")) % STRIDE
KINDS = ("write", "fsync", "rename")  # nothing is sent anywhere

STORE = ("--store", "t")
SITE = ("--store", "site")
WORDS = ("--password-file", "words", "--scrypt-p", "5")
OPEN = ("--password-file", "words")


def sample(words, kind, count):
    """The calls of `kind`, of `count`, at which that command is killed: at least one, if there are any."""
    first = (OFFSET + zlib.crc32(" ".join((*words, kind)).encode())) % STRIDE + 1
    return list(range(first, count + 1, STRIDE)) or list(range(count, 0, -1))[:1]


def key_fits(folder):
    """Whether the four files of a bundle are there and belong together."""
    assert set(FILES) <= {path.name for path in folder.iterdir()}, sorted(folder.iterdir())
    certified = openssl("x509", "-in", folder / "ca-cert.pem", "-noout", "-pubkey")
    openssl("verify", "-CAfile", folder / "root-cert.pem", "-untrusted", folder / "cert-chain.pem", folder / "ca-cert.pem")
    return certified == openssl("pkey", "-in", folder / "ca-key.pem", "-pubout")


class CaCommandsKilled(ProgramTest):
    @classmethod
    def setUpClass(cls):
        reason = why_no_strace()
        if reason is not None and os.environ.get("MESHTRUST_REQUIRE_RIG") == "1":
            raise AssertionError(f"MESHTRUST_REQUIRE_RIG=1, but {reason}")
        if reason is not None:
            print(f"\n*** NOTHING WAS KILLED: {reason} ***", file=sys.stderr)
            raise unittest.SkipTest(reason)
        super().setUpClass()

    def prepare(self):
        """A store with a root, a site with an open request, its answer, and a company above."""
        (self.folder / "words").write_text("several words that nobody puts together\n")
        (self.folder / "words").chmod(0o600)
        self.do("ca", "create", *STORE, *WORDS)
        self.do("ca", "issue", "west", *STORE, *OPEN, "--out", "west")
        self.do("ca", "request", "east", *SITE, *WORDS, "--out", "east.csr")
        self.do("ca", "sign", "east.csr", "--cluster", "east", *STORE, *OPEN, "--out", "east.pem")
        self.do("ca", "request", "south", *SITE, *WORDS, "--out", "south.csr")

    def do(self, *words):
        return self.expect(0, *words, password=None)

    def sweep(self, command, done_before, check, convergences=(0,), allowed="nowhere"):
        """Kills `command` at the chosen calls. Afterwards no clear key lies under another name than
        those `allowed` (a pattern), the same command ends with one of `convergences` and, where that is not 0,
        says that it is `done_before`; then `check(folder)` holds and nothing of a killed run is left."""
        command = [BINARY, *command]
        options = {"env": self.environment}
        counted, code = count_calls(command, cwd=self.fresh(), **options)
        self.assertEqual(0, code)
        tried, killed, began, left = 0, 0, time.monotonic(), {}
        for kind in KINDS:
            for number in sample(command[1:], kind, counted[kind]):
                folder = self.fresh()
                before = set(clear_keys_below(folder))
                stopped = run_until(kind, number, command, cwd=folder, **options)
                where = f"{' '.join(command[1:])}: {kind} {number}: {stopped.at_call}"
                self.assertIn(stopped.code, (0, -signal.SIGKILL), f"{where}\n{stopped.told}")
                tried, killed = tried + 1, killed + (stopped.code != 0)
                stray = {str(Path(one).relative_to(folder)) for one in set(clear_keys_below(folder)) - before}
                self.assertTrue(all(re.fullmatch(allowed, one) for one in stray), f"{where}: a clear key was left: {stray}")
                again = self.meshtrust(*command[1:], password=None, cwd=folder)
                self.assertIn(again.code, convergences, f"{where}\nthe same command again:\n{again.err}")
                if again.code != 0:
                    self.assertIn(done_before, again.err, where)
                left[again.code] = left.get(again.code, 0) + 1
                check(folder)
                self.assertEqual([], [str(one) for one in folder.rglob(".meshtrust-*")], f"{where}: left behind")
                self.assertEqual(0, self.meshtrust("ca", "list", *STORE, password=None, cwd=folder).code, where)
                shutil.rmtree(folder)
        firsts = [number for kind in KINDS for number in sample(command[1:], kind, counted[kind])[:1]]
        print(f"{' '.join(command[1:4])}: {sum(counted[kind] for kind in KINDS)} kill points, {tried} tried (one in {STRIDE},"
              f" from {firsts}), {killed} killed, {time.monotonic() - began:.0f} s; exit codes of the next run: {left}", flush=True)
        self.assertGreater(killed, 0.8 * tried)

    def fresh(self):
        """A copy of everything, as if nothing had been run."""
        folder = self.home / f"copy-{time.monotonic_ns()}"
        shutil.copytree(self.folder, folder)
        return folder

    def test_create(self):
        self.sweep(("ca", "create", "--store", "new", *WORDS), "already has a root", lambda folder: self.one_root(folder / "new"), (0, 4))

    def one_root(self, store):
        self.assertEqual(1, len(list(store.glob("root-*.key.pem"))))
        self.assertEqual(0, self.meshtrust("ca", "issue", "x", "--store", store, *OPEN, "--out", store.parent / "x", cwd=store.parent, password=None).code)

    def test_issue(self):
        self.sweep(("ca", "issue", "north", *STORE, *OPEN, "--out", "north"), "already exists",
                   lambda folder: self.assertTrue(key_fits(folder / "north")), (0, 4), "north/ca-key.pem")

    def test_issue_after_a_kill(self):
        # Killed where the key would get its name, so that another run goes on, and is killed as well.
        command = [BINARY, "ca", "issue", "north", *STORE, *OPEN, "--out", "north"]
        options = {"env": self.environment}
        counted, _ = count_calls(command, cwd=self.fresh(), **options)
        run_until("rename", counted["rename"], command, cwd=self.folder, **options)
        self.assertEqual(["ca-cert.pem", "cert-chain.pem", "root-cert.pem"], sorted(path.name for path in (self.folder / "north").iterdir()))
        self.sweep(command[1:], "already exists", lambda folder: self.assertTrue(key_fits(folder / "north")), (0, 4),
                   r"north/(ca-key\.pem|\.meshtrust-[0-9a-f]{16})")

    def test_issue_over_an_earlier_one(self):
        # What replaces a file has another name before its own for a moment; the next run removes it.
        self.sweep(("ca", "issue", "west", *STORE, *OPEN, "--out", "west", "--force"), "",
                   lambda folder: self.assertTrue(key_fits(folder / "west")), (0,), r"west/(ca-key\.pem|\.meshtrust-[0-9a-f]{16})")

    def test_request(self):
        self.sweep(("ca", "request", "north", *SITE, *WORDS, "--out", "north.csr"), "", lambda folder: self.answered(folder, "north"))

    def test_request_in_a_new_store(self):
        self.sweep(("ca", "request", "north", "--store", "fresh", *WORDS, "--out", "north.csr"), "",
                   lambda folder: self.answered(folder, "north", "fresh"))

    def answered(self, folder, cluster, site="site"):
        """What was asked for can be signed and imported."""
        for words in (("ca", "sign", f"{cluster}.csr", "--cluster", cluster, *STORE, *OPEN, "--out", "signed.pem"),
                      ("ca", "import", "signed.pem", "--store", site, *OPEN, "--out", "imported")):
            done = self.meshtrust(*words, cwd=folder, password=None)
            self.assertEqual(0, done.code, done.err)
        self.assertTrue(key_fits(folder / "imported"))

    def test_request_for_the_root(self):
        self.sweep(("ca", "request", "--root", *STORE, *OPEN, "--out", "root.csr"), "",
                   lambda folder: openssl("req", "-in", folder / "root.csr", "-noout", "-verify"))

    def test_import_of_the_root(self):
        # A store that has made nothing for a cluster: what is trusted may change.
        low = ("--store", "low")
        self.do("ca", "create", *low, *WORDS)
        self.do("ca", "request", "--root", *low, *OPEN, "--out", "root.csr")
        self.put_company_above()
        self.sweep(("ca", "import", "root.pem", "corp.pem", *low, *OPEN, "--yes"), "",
                   lambda folder: self.assertIn("O=Corp,CN=Corp Root", self.meshtrust("ca", "show", *low, cwd=folder, password=None).out))

    def put_company_above(self):
        """The root's certificate by another CA (root.pem), and that one's own (corp.pem)."""
        own = ("basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign,cRLSign")
        here = {name: self.folder / name for name in ("corp.key", "corp.pem", "root.csr", "root.pem", "extensions")}
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", here["corp.key"], "-out", here["corp.pem"],
                "-days", "7000", "-subj", "/O=Corp/CN=Corp Root", *(word for one in own for word in ("-addext", one)))
        here["extensions"].write_text("basicConstraints=critical,CA:TRUE,pathlen:1\nkeyUsage=critical,keyCertSign,cRLSign\n"
                                      "authorityKeyIdentifier=keyid:always\n")
        openssl("x509", "-req", "-in", here["root.csr"], "-CA", here["corp.pem"], "-CAkey", here["corp.key"], "-days", "3000",
                "-copy_extensions", "copy", "-out", here["root.pem"], "-extfile", here["extensions"])
        here["corp.key"].unlink()

    def test_request_that_is_given_up(self):
        self.sweep(("ca", "request", "south", *SITE, "--give-up", "--yes"), "", self.east_alone_waits)

    def east_alone_waits(self, folder):
        told = self.meshtrust("ca", "list", *SITE, "-o", "json", cwd=folder, password=None).out
        self.assertEqual((1, 0), (told.count('"cluster": "east"'), told.count('"cluster": "south"')), told)
        self.assertEqual(1, len(list((folder / "site").glob("request-*.key.pem"))))

    def test_sign(self):
        self.sweep(("ca", "sign", "south.csr", "--cluster", "south", *STORE, *OPEN, "--out", "south.pem"), "", self.south_is_signed_once)

    def south_is_signed_once(self, folder):
        told = self.meshtrust("ca", "list", *STORE, "-o", "json", cwd=folder, password=None).out
        self.assertEqual(1, told.count('"cluster": "south"'), told)
        done = self.meshtrust("ca", "import", "south.pem", *SITE, *OPEN, "--out", "south", cwd=folder, password=None)
        self.assertEqual(0, done.code, done.err)

    def test_import(self):
        self.sweep(("ca", "import", "east.pem", *SITE, *OPEN, "--out", "east"), "", self.east_is_imported, (0,), "east/ca-key.pem")

    def east_is_imported(self, folder):
        self.assertTrue(key_fits(folder / "east"))
        self.assertTrue((folder / "east/own-crl.pem").is_file())
        self.assertEqual(1, len(list((folder / "site").glob("request-*.key.pem"))), "the key of the other request alone waits")

    def test_revoke(self):
        self.sweep(("ca", "revoke", "west", *STORE, "--force"), "", lambda folder: self.west_is(folder, "revoked"))

    def west_is(self, folder, state):
        told = json.loads(self.meshtrust("ca", "list", *STORE, "-o", "json", cwd=folder, password=None).out)
        self.assertEqual([state], [one["state"] for one in told["items"] if one.get("cluster") == "west"])

    def test_revoke_taken_back(self):
        self.do("ca", "revoke", "west", *STORE, "--force")
        self.sweep(("ca", "revoke", "west", *STORE, "--undo"), "", lambda folder: self.west_is(folder, "pushed"))

    def test_revoke_of_what_is_unused(self):
        self.sweep(("ca", "revoke", "west", *STORE, "--unused", "--force"), "", lambda folder: self.west_is(folder, "abandoned"))

    def test_lists(self):
        # Where the key of 'east' lies, its own list was made.
        self.do("ca", "import", "east.pem", *SITE, *OPEN, "--out", "east")
        self.sweep(("ca", "crl", *STORE, *OPEN, "--with", "east/own-crl.pem", "--out", "west"), "",
                   lambda folder: openssl("crl", "-in", folder / "west/ca-crl.pem", "-noout"))


if __name__ == "__main__":
    unittest.main()
