#!/usr/bin/env python3
"""A mesh root below a company's CA, which the openssl program plays: requested, signed, imported, used."""

import json
import os
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
TESTS = Path(__file__).resolve().parent.parent
BINARY = os.path.abspath(os.environ.get("MESHTRUST_BINARY") or TESTS.parent / "build" / "dev" / "meshtrust")

ROOT = ("basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign,cRLSign", "subjectKeyIdentifier=hash")
BELOW = (
    "basicConstraints=critical,CA:TRUE,pathlen:1",
    "keyUsage=critical,keyCertSign,cRLSign",
    "authorityKeyIdentifier=keyid:always",
)  # and the subjectKeyIdentifier of the request
BY_SHA_1 = "subjectKeyIdentifier=hash"  # another than meshtrust's own


class Company(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384", "-nodes", "-keyout", "corp.key",
                     "-out", "corp.pem", "-days", "7000", "-subj", "/O=Corp/CN=Corp Root", *(w for e in ROOT for w in ("-addext", e)))
        self.meshtrust("ca", "create", "--store", "shop.trust", "--no-password", "--insecure", "--subject", "O=Shop,CN=Root")
        self.meshtrust("ca", "request", "--root", "--store", "shop.trust", "--out", "root.csr")

    def run_it(self, *words):
        environment = {"HOME": str(self.folder), "PATH": os.environ["PATH"]}
        return subprocess.run(words, cwd=self.folder, capture_output=True, text=True, check=False, env=environment)

    def openssl(self, *words):
        done = self.run_it("openssl", *words)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def meshtrust(self, *words, code=0):
        done = self.run_it(BINARY, *words)
        self.assertEqual(done.returncode, code, done.stderr)
        return done

    def sign(self, *extensions, out="root.pem", subject=(), by="corp"):
        (self.folder / "extensions").write_text("\n".join(extensions) + "\n", encoding="utf-8")
        self.openssl("x509", "-req", "-in", "root.csr", "-CA", f"{by}.pem", "-CAkey", f"{by}.key", "-days", "3000",
                     "-copy_extensions", "copy", "-out", out, "-extfile", "extensions", *subject)

    def empty_list(self, numbered="crlnumber=number\n"):
        (self.folder / "ca.cnf").write_text(f"[ca]\ndefault_ca=d\n[d]\ndatabase=index\n{numbered}default_md=sha256\n"
                                            "crl_extensions=e\n[e]\nauthorityKeyIdentifier=keyid:always\n", encoding="utf-8")
        (self.folder / "index").write_text("", encoding="utf-8")
        (self.folder / "number").write_text("01\n", encoding="utf-8")
        self.openssl("ca", "-config", "ca.cnf", "-gencrl", "-keyfile", "corp.key", "-cert", "corp.pem", "-crldays", "60",
                     "-out", "corp.crl")

    def test_bundles_reach_up_to_the_companys_root(self):
        self.sign(*BELOW)
        self.meshtrust("ca", "import", "root.pem", "corp.pem", "--store", "shop.trust", "--yes")
        self.assertIn("below:    O=Corp,CN=Corp Root", self.meshtrust("ca", "show", "--store", "shop.trust").stdout)
        self.meshtrust("ca", "issue", "east", "--store", "shop.trust", "--out", "east")
        self.assertEqual((self.folder / "east" / "root-cert.pem").read_text(), (self.folder / "corp.pem").read_text())
        self.openssl("verify", "-x509_strict", "-CAfile", "east/root-cert.pem", "-untrusted", "east/cert-chain.pem", "east/ca-cert.pem")
        judged = json.loads(self.meshtrust("verify", "--bundle", "east", "-o", "json").stdout)
        self.assertEqual({v["judge"]: v["accepted"] for v in judged["verdicts"]},
                         dict.fromkeys(("meshtrust", "openssl", "go", "boringssl", "webpki"), True))

    def test_lists_want_one_of_the_company(self):
        self.sign(*BELOW)
        self.meshtrust("ca", "import", "root.pem", "corp.pem", "--store", "shop.trust", "--yes")
        self.meshtrust("ca", "issue", "east", "--store", "shop.trust", "--out", "east")
        refused = self.meshtrust("ca", "crl", "--store", "shop.trust", "--out", "east", code=4)
        self.assertIn("no revocation list in force of 'O=Corp,CN=Corp Root'", refused.stderr)
        self.empty_list()
        self.meshtrust("ca", "crl", "--store", "shop.trust", "--out", "east", "--with", "corp.crl")
        self.openssl("verify", "-crl_check_all", "-CAfile", "east/root-cert.pem", "-CRLfile", "east/ca-crl.pem",
                     "-untrusted", "east/cert-chain.pem", "east/ca-cert.pem")
        self.meshtrust("verify", "--bundle", "east")

    def test_lists_in_der_and_without_a_number_follow_each_other_by_date(self):
        self.sign(*BELOW)
        self.meshtrust("ca", "import", "root.pem", "corp.pem", "--store", "shop.trust", "--yes")
        take_it = ("ca", "crl", "--store", "shop.trust", "--with")
        for day in range(1, 4):
            self.empty_list(numbered="")
            self.openssl("crl", "-in", "corp.crl", "-outform", "DER", "-out", f"{day}.crl")
            time.sleep(1.1)  # openssl ca dates lists by the second, and by no other clock
        self.meshtrust(*take_it, "2.crl")
        self.meshtrust(*take_it, "2.crl")
        self.assertIn("ask whoever made it for the newest one", self.meshtrust(*take_it, "1.crl", code=4).stderr)
        self.meshtrust(*take_it, "3.crl")

    def test_what_was_imported_before_is_nothing_new(self):
        self.sign(*BELOW)
        import_it = ("ca", "import", "root.pem", "corp.pem", "--store", "shop.trust", "--yes")
        self.meshtrust(*import_it)
        before = (self.folder / "shop.trust" / "store.db").read_bytes()
        self.assertIn("that was recorded already: nothing has changed", self.meshtrust(*import_it).stderr)
        self.assertEqual((self.folder / "shop.trust" / "store.db").read_bytes(), before)

    def test_another_key_identifier_is_taken_while_nothing_names_the_roots(self):
        import_it = ("ca", "import", "root.pem", "corp.pem", "--store", "shop.trust", "--yes")
        self.meshtrust("ca", "issue", "east", "--store", "shop.trust", "--out", "before")
        self.sign(*BELOW, BY_SHA_1)
        told = self.meshtrust(*import_it, code=4).stderr
        self.assertRegex(told, "by 'O=Corp,CN=Corp Root' calls its key '[0-9a-f]{40}', wanted '[0-9a-f]{40}' as the root itself does")
        self.assertIn("hint: ask for the subjectKeyIdentifier to be taken from the request", told)
        (east,) = json.loads(self.meshtrust("ca", "list", "--store", "shop.trust", "-o", "json").stdout)["items"][1:]
        self.meshtrust("ca", "revoke", east["fingerprint"], "--unused", "--store", "shop.trust", "--force")
        self.meshtrust(*import_it)
        self.meshtrust("ca", "issue", "west", "--store", "shop.trust", "--out", "west")
        self.meshtrust("verify", "--bundle", "west")
        self.openssl("verify", "-x509_strict", "-CAfile", "west/root-cert.pem", "-untrusted", "west/cert-chain.pem", "west/ca-cert.pem")

    def test_what_a_windows_ca_hands_out_is_read(self):
        self.sign(*BELOW, BY_SHA_1)
        self.openssl("crl2pkcs7", "-nocrl", "-certfile", "root.pem", "-certfile", "corp.pem", "-outform", "DER", "-out", "certnew.p7b")
        self.openssl("x509", "-in", "root.pem", "-outform", "DER", "-out", "certnew.cer")
        self.meshtrust("ca", "import", "certnew.p7b", "--store", "shop.trust", "--yes")
        self.assertIn("that was recorded already",
                      self.meshtrust("ca", "import", "certnew.cer", "corp.pem", "--store", "shop.trust", "--yes").stderr)
        self.openssl("pkcs12", "-export", "-nokeys", "-in", "root.pem", "-passout", "pass:x", "-out", "root.p12")
        self.assertIn("root.p12 is PKCS#12 under a passphrase",
                      self.meshtrust("ca", "import", "root.p12", "--store", "shop.trust", "--yes", code=65).stderr)

    def test_what_clusters_trust_does_not_change_any_more(self):
        self.meshtrust("ca", "issue", "east", "--store", "shop.trust", "--out", "east")
        self.sign(*BELOW)
        import_it = ("ca", "import", "root.pem", "corp.pem", "--store", "shop.trust", "--yes")
        before = (self.folder / "shop.trust" / "store.db").read_bytes()
        told = self.meshtrust(*import_it, code=4).stderr
        self.assertRegex(told, "what was made for 'east' trusts 'O=Shop,.*', and would refuse what is made below 'O=Corp,CN=Corp Root'")
        self.assertEqual((self.folder / "shop.trust" / "store.db").read_bytes(), before)
        (east,) = json.loads(self.meshtrust("ca", "list", "--store", "shop.trust", "-o", "json").stdout)["items"][1:]
        self.meshtrust("ca", "revoke", east["fingerprint"], "--unused", "--store", "shop.trust", "--force")
        self.meshtrust(*import_it)

    def test_a_ca_above_that_no_cluster_could_live_below_is_refused(self):
        for extensions, told in ((("pathlen:1",), "'O=Corp,CN=Issuing' allows 1 CA below it, wanted 2"),
                                 ((), "'O=Corp,CN=Issuing' is no CA for a mesh: ")):
            ca = ",".join(("basicConstraints=critical,CA:TRUE", *extensions))
            usage = () if extensions else ("extendedKeyUsage=codeSigning",)
            self.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384", "-nodes", "-keyout", "issuing.key",
                         "-out", "issuing.pem", "-CA", "corp.pem", "-CAkey", "corp.key", "-days", "5000", "-subj", "/O=Corp/CN=Issuing",
                         *(w for e in (ca, *ROOT[1:], *usage) for w in ("-addext", e)))
            self.sign(*BELOW, by="issuing")
            with self.subTest(told):
                files = ("root.pem", "issuing.pem", "corp.pem")
                self.assertIn(told, self.meshtrust("ca", "import", *files, "--store", "shop.trust", "--yes", code=4).stderr)

    def test_an_answer_to_a_request_is_taken_as_that_where_the_root_is_subordinate(self):
        self.sign(*BELOW)
        self.meshtrust("ca", "import", "root.pem", "corp.pem", "--store", "shop.trust", "--yes")
        (self.folder / "words").write_text("correct horse", encoding="utf-8")
        words = ("--password-file", "words")
        self.meshtrust("ca", "request", "local", "--store", "shop.trust", "--out", "local.csr", *words)
        self.meshtrust("ca", "sign", "local.csr", "--cluster", "local", "--store", "shop.trust", "--out", "local.pem")
        self.meshtrust("ca", "import", "local.pem", "--store", "shop.trust", "--out", "local", *words)
        self.meshtrust("verify", "--bundle", "local")

    def test_what_a_company_may_have_got_wrong_is_said(self):
        def refused(*files):
            return self.meshtrust("ca", "import", *files, "--store", "shop.trust", "--yes", code=4).stderr

        self.sign(BELOW[0].replace("1", "0"), *BELOW[1:])
        self.assertIn("leaves no room for the CAs of clusters", refused("root.pem", "corp.pem"))
        self.sign(*BELOW)
        self.assertIn("is not among the certificates given", refused("root.pem"))
        self.sign("basicConstraints=CA:FALSE", "keyUsage=critical,digitalSignature")
        self.assertIn("by 'O=Corp,CN=Corp Root' is no CA (basicConstraints CA:FALSE), signed as an ordinary certificate",
                      refused("root.pem", "corp.pem"))
        self.sign(*BELOW, subject=("-subj", "/O=Corp/CN=Shop Mesh"))
        self.assertIn("wanted 'O=Shop,OU=root", refused("root.pem", "corp.pem"))


if __name__ == "__main__":
    unittest.main()
