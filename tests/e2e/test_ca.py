#!/usr/bin/env python3
"""The certificate authority by itself: no cluster, no kubeconfig, files as istiod wants them."""

import json
import os
import signal
import subprocess
import time
import unittest

import handmade
from support import FILES, PASSPHRASE, ProgramTest, modes, openssl

ALGORITHMS = {
    "rsa-2048": "Public-Key: (2048 bit)",
    "rsa-3072": "Public-Key: (3072 bit)",
    "rsa-4096": "Public-Key: (4096 bit)",
    "ecdsa-p256": "NIST CURVE: P-256",
    "ecdsa-p384": "NIST CURVE: P-384",
}


class EveryKey(ProgramTest):
    def test_a_root_and_an_intermediate_of_each_algorithm(self):
        for algorithm, name in ALGORITHMS.items():
            with self.subTest(algorithm):
                store, out = f"{algorithm}.trust", self.folder / algorithm
                self.expect(0, "ca", "create", "--store", store, "--key", algorithm)
                self.expect(0, "ca", "issue", "east", "--store", store, "--key", algorithm, "--out", out)
                self.assert_bundle_is_good(out)
                for file in ("ca-cert.pem", "root-cert.pem"):
                    self.assertIn(name, openssl("x509", "-in", out / file, "-noout", "-text"))
                verified = self.expect(0, "verify", "--bundle", out)
                self.assertIn("openssl: accepted\ngo: accepted\nboringssl: accepted\nwebpki: accepted\nmeshtrust: accepted (advice)\n", verified.out)

    def test_keys_may_be_mixed(self):
        self.expect(0, "ca", "create", "--key", "rsa-2048")
        self.expect(0, "ca", "issue", "east", "--out", "east", "--key", "ecdsa-p384")
        self.assert_bundle_is_good(self.folder / "east")

    def assert_bundle_is_good(self, folder):
        root, certificate, chain = (folder / one for one in ("root-cert.pem", "ca-cert.pem", "cert-chain.pem"))
        openssl("verify", "-x509_strict", "-check_ss_sig", "-CAfile", root, certificate)
        openssl("verify", "-x509_strict", "-CAfile", root, "-untrusted", chain, certificate)
        public = openssl("x509", "-in", certificate, "-noout", "-pubkey")
        self.assertEqual(public, openssl("pkey", "-in", folder / "ca-key.pem", "-pubout"))
        self.assertTrue(chain.read_text().startswith(certificate.read_text()))
        self.assertEqual(set(FILES), {path.name for path in folder.iterdir()})
        self.assertEqual("0o600", modes(folder)["ca-key.pem"])


class Answers(ProgramTest):
    """What create, issue, show, list, verify and inspect tell."""

    def prepare(self):
        self.created = self.expect(0, "ca", "create", "--subject", "O=Shop,CN=Shop Mesh Root")
        self.issued = self.expect(0, "ca", "issue", "east", "--out", "east")

    def test_people_are_told_what_was_made_and_what_is_next(self):
        for name, done in {"create": self.scene.created, "issue": self.scene.issued}.items():
            self.assert_told(f"ca_{name}", done.out + done.err)
        self.assert_told("ca_show.out", self.expect(0, "ca", "show", password=None).out)
        self.assert_told("ca_list.out", self.expect(0, "ca", "list", password=None).out)
        self.assert_told("ca_inspect.out", self.expect(0, "inspect", *self.bundle(), password=None).out)
        self.assert_told("ca_verify.out", self.expect(0, "verify", "--bundle", "east", password=None).out)

    def bundle(self):
        return [f"east/{name}" for name in FILES]

    def test_scripts_get_one_document_with_version_and_kind(self):
        for kind, words in {
            "CertificateAuthority": ("ca", "show"),
            "IssuedCertificateList": ("ca", "list"),
            "InspectionList": ("inspect", *self.bundle()),
            "BundleVerification": ("verify", "--bundle", "east"),
        }.items():
            with self.subTest(kind):
                document = json.loads(self.expect(0, *words, "-o", "json", password=None).out)
                self.assertEqual(("meshtrust/v1", kind), (document["apiVersion"], document["kind"]))

    def test_inspect_never_shows_a_private_key(self):
        key = (self.folder / "east/ca-key.pem").read_text()
        for form in ("text", "json", "yaml"):
            told = self.expect(0, "inspect", "east/ca-key.pem", "-o", form).out
            for line in key.splitlines()[1:-1]:
                self.assertNotIn(line, told)

    def test_the_root_key_opens_with_the_passphrase_and_with_no_other(self):
        (key,) = (self.folder / "mesh.trust").glob("root-*.key.pem")
        public = openssl("pkey", "-in", key, "-passin", f"pass:{PASSPHRASE}", "-pubout")
        root = self.folder / "east/root-cert.pem"
        self.assertEqual(openssl("x509", "-in", root, "-noout", "-pubkey"), public)
        wrong = subprocess.run(["openssl", "pkey", "-in", key, "-passin", "pass:wrong", "-noout"], capture_output=True)
        self.assertNotEqual(0, wrong.returncode)
        structure = openssl("asn1parse", "-in", key)
        self.assertIn(":PBES2", structure)
        self.assertIn(":scrypt", structure)

    def test_a_guess_at_the_passphrase_costs_a_second_and_openssl_pays_it(self):
        self.expect(0, "ca", "create", "--store", "dear", environment={"MESHTRUST_SCRYPT_P": "32"})
        (key,) = (self.folder / "dear").glob("root-*.key.pem")
        openssl("pkey", "-in", key, "-passin", f"pass:{PASSPHRASE}", "-noout")
        self.assertRegex(openssl("asn1parse", "-in", key), r":scrypt\n(.*\n){2}.*INTEGER +:4000\n.*INTEGER +:08\n.*INTEGER +:20\n")

    def test_a_key_that_openssl_encrypted_anew_opens_as_before(self):
        (key,) = (self.folder / "mesh.trust").glob("root-*.key.pem")
        words = ("-passin", f"pass:{PASSPHRASE}", "-passout", "pass:other words that nobody says")
        dearer = openssl("pkcs8", "-topk8", "-v2", "aes-256-cbc", "-scrypt", "-scrypt_p", "8", "-in", key, *words)
        key.write_text(dearer)
        self.expect(0, "ca", "issue", "west", "--out", "west", password="other words that nobody says")

    def test_a_root_that_is_shown_as_pem_is_the_certificate(self):
        root = (self.folder / "east/root-cert.pem").read_text()
        self.assertEqual(root, self.expect(0, "ca", "show", "--pem", password=None).out)

    def test_the_subject_is_what_was_asked_for(self):
        subject = openssl("x509", "-in", self.folder / "east/root-cert.pem", "-noout", "-subject")
        self.assertRegex(subject, r"\Asubject=O = Shop, OU = root [-\d]+ [0-9a-f]{8}, CN = Shop Mesh Root\n\Z")

    def test_no_two_issues_are_alike(self):
        self.expect(0, "ca", "issue", "east", "--out", "again")
        first, second = (self.folder / one for one in ("east", "again"))
        for field in ("-serial", "-subject", "-pubkey"):
            values = [openssl("x509", "-in", one / "ca-cert.pem", "-noout", field) for one in (first, second)]
            self.assertNotEqual(*values)
        self.assertEqual((first / "root-cert.pem").read_text(), (second / "root-cert.pem").read_text())


class Bundles(ProgramTest):
    """verify --bundle on files that other people made."""

    def setUp(self):
        super().setUp()
        self.root = handmade.make_root()
        self.bundle = handmade.make_bundle(self.root, "east")

    def write(self, **changes):
        changed = {name.replace("_", "-") + ".pem": text for name, text in changes.items()}
        for name, text in (self.bundle | changed).items():
            (self.folder / name).write_text(text)

    def refused(self, name, code=4):
        done = self.expect(code, "verify", "--bundle", ".")
        self.assert_told(name, done.err)

    def test_a_good_one(self):
        self.write()
        self.expect(0, "verify", "--bundle", ".")

    def test_a_key_of_another_certificate(self):
        self.write(ca_key=handmade.make_key())
        self.refused("bundle_other_key")

    def test_another_root(self):
        self.write(root_cert=handmade.make_root("Another Root").certificate)
        self.refused("bundle_other_root")

    def test_a_chain_that_begins_with_the_root(self):
        self.write(cert_chain=self.root.certificate + self.bundle["ca-cert.pem"])
        self.refused("bundle_chain_reversed", 3)

    def test_a_time_after_its_end(self):
        self.write()
        self.expect(4, "verify", "--bundle", ".", "--at", "2040-01-01T00:00:00Z")
        self.expect(0, "verify", "--bundle", ".", "--at", "2027-06-01T00:00:00Z")

    def test_a_file_that_is_missing(self):
        self.write()
        (self.folder / "ca-key.pem").unlink()
        self.refused("bundle_without_key", 65)

    def test_a_file_in_which_nothing_can_be_read(self):
        self.write(ca_cert="nonsense")
        done = self.meshtrust("verify", "--bundle", ".")
        self.assertIn(done.code, (4, 65), done.err)


class Refusals(ProgramTest):
    """Wrong words and obstacles: one error, and nothing half-done."""

    def prepare(self):
        self.expect(0, "ca", "create")
        self.expect(0, "ca", "issue", "east", "--out", "east")

    def refused(self, name, code, *words, **options):
        before = self.contents()
        self.assert_refused(name, code, *words, **options)
        self.assertEqual(before, self.contents())

    def test_a_second_root(self):
        self.refused("second_root", 4, "ca", "create")

    def test_files_that_are_there(self):
        self.refused("files_exist", 4, "ca", "issue", "east", "--out", "east")
        before = (self.folder / "east/ca-key.pem").read_text()
        self.expect(0, "ca", "issue", "east", "--out", "east", "--force")
        self.assertNotEqual(before, (self.folder / "east/ca-key.pem").read_text())

    def test_a_life_longer_than_the_root_s(self):
        self.refused("outlives_root", 4, "ca", "issue", "west", "--out", "west", "--lifetime", "9999d")

    def test_a_symbolic_link_in_the_way_of_the_key(self):
        (self.folder / "out").mkdir()
        victim = self.home / "victim"
        victim.write_text("precious")
        (self.folder / "out/ca-key.pem").symlink_to(victim)
        self.refused("link_in_the_way", 4, "ca", "issue", "west", "--out", "out")
        self.refused("link_in_the_way_forced", 4, "ca", "issue", "west", "--out", "out", "--force")
        self.assertEqual("precious", victim.read_text())

    def test_a_wrong_passphrase(self):
        self.refused("ca_wrong_passphrase", 65, "ca", "issue", "west", "--out", "west", password="wrong")

    def test_no_passphrase_and_no_terminal(self):
        self.refused("ca_no_passphrase", 64, "ca", "issue", "west", "--out", "west", password=None)

    def test_a_clear_text_root_key_takes_two_words(self):
        self.refused("one_word", 64, "ca", "create", "--store", "new", "--no-password")
        self.refused("other_word", 64, "ca", "create", "--store", "new", "--insecure")
        self.expect(0, "ca", "create", "--store", "new", "--no-password", "--insecure", password=None)
        (key,) = (self.folder / "new").glob("root-*.key.pem")
        self.assertTrue(key.read_text().startswith("-----BEGIN PRIVATE KEY-----\n"))
        self.expect(0, "ca", "issue", "east", "--store", "new", "--out", "e", password=None)

    def test_the_words_that_waive_safety_are_no_variables(self):
        variables = {"MESHTRUST_NO_PASSWORD": "1", "MESHTRUST_INSECURE": "1", "MESHTRUST_FORCE": "1"}
        self.refused("waived_by_variable", 64, "ca", "create", "--store", "n", password=None, environment=variables)
        self.expect(4, "ca", "issue", "east", "--out", "east", environment=variables)

    def test_a_passphrase_is_never_a_flag(self):
        self.refused("password_flag", 64, "ca", "create", "--store", "new", "--password", "secret")

    def test_words_that_mean_nothing(self):
        issue = ("ca", "issue", "west", "--out", "west")
        for name, words in {
            "unknown_command": ("aply",),
            "unknown_flag": ("plan", "--otu", "x"),
            "unknown_key": ("ca", "create", "--store", "new", "--key", "rsa-1024"),
            "bad_lifetime": (*issue, "--lifetime", "soon"),
            "bad_cluster_name": ("ca", "issue", "Bad Name", "--out", "west"),
            "bad_subject": ("ca", "create", "--store", "new", "--subject", "nonsense"),
            "no_out": ("ca", "issue", "west"),
            "no_cluster": ("ca", "issue", "--out", "west"),
        }.items():
            with self.subTest(name):
                self.refused(name, 64, *words)

    def test_a_store_that_is_not_there(self):
        self.refused("no_store", 65, "ca", "show", "--store", "nowhere")

    def test_a_folder_that_holds_something_else(self):
        (self.folder / "documents").mkdir(mode=0o700)
        (self.folder / "documents/letter").write_text("dear")
        self.refused("folder_of_something_else", 4, "ca", "create", "--store", "documents")


class HostileKeys(ProgramTest):
    """Keys that ask for hours of work, and keys that nobody should sign for."""

    def prepare(self):
        self.expect(0, "ca", "create")

    def test_a_root_key_that_asks_for_too_much_work_is_refused_at_once(self):
        (key,) = (self.folder / "mesh.trust").glob("root-*.key.pem")
        words = ("-passin", f"pass:{PASSPHRASE}", "-passout", f"pass:{PASSPHRASE}")
        costly = openssl("pkcs8", "-topk8", "-v2", "aes-256-cbc", "-scrypt", "-scrypt_N", "16384", "-scrypt_p", "150", "-in", key, *words)
        key.write_text(costly)
        self.assert_refused("key_asks_for_too_much", 4, "ca", "issue", "east", "--out", "east")

    def test_a_pkcs12_file_that_asks_for_too_much_work_is_refused_at_once(self):
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", self.folder / "k", "-out",
                self.folder / "c", "-subj", "/CN=x")
        openssl("pkcs12", "-export", "-in", self.folder / "c", "-inkey", self.folder / "k", "-out", self.folder / "dear.p12", "-passout",
                "pass:x", "-iter", "5000000", "-nomaciter")
        self.assert_refused("pkcs12_asks_for_too_much", 65, "inspect", "dear.p12", password="x")

    def test_ctrl_c_ends_the_opening_of_a_key_within_a_second(self):
        (key,) = (self.folder / "mesh.trust").glob("root-*.key.pem")
        words = ("-passin", f"pass:{PASSPHRASE}", "-passout", f"pass:{PASSPHRASE}")
        key.write_text(openssl("pkcs8", "-topk8", "-v2", "aes-256-cbc", "-scrypt", "-scrypt_p", "120", "-in", key, *words))
        with self.start("ca", "issue", "east", "--out", "east") as child:
            while child.poll() is None and len(os.listdir(f"/proc/{child.pid}/task")) == 1:
                time.sleep(0.01)  # until the derivation has its thread
            self.assertIsNone(child.poll(), "it was over before it could be stopped")
            child.send_signal(signal.SIGINT)
            began = time.monotonic()
            _, err = child.communicate(timeout=60)
            self.assertLess(time.monotonic() - began, 1)
        self.assertEqual(5, child.returncode, err)
        self.assertIn("interrupted", err)
        self.assertFalse((self.folder / "east").exists())

    def test_a_request_for_a_key_that_nobody_should_sign_for_is_refused(self):
        for name, words in {
            "rsa_exponent_3": ("rsa:2048", "-pkeyopt", "rsa_keygen_pubexp:3"),
            "rsa_1024": ("rsa:1024",),
            "ed25519": ("ed25519",),
            "p521": ("ec", "-pkeyopt", "ec_paramgen_curve:P-521"),
        }.items():
            with self.subTest(name):
                request = self.folder / f"{name}.csr"
                openssl("req", "-new", "-newkey", *words, "-nodes", "-keyout", self.folder / "k", "-out", request, "-subj", "/CN=x")
                self.assert_refused(f"sign_{name}", 65, "ca", "sign", request, "--cluster", "east", "--out", "east.pem")


class Passphrases(ProgramTest):
    """What is warned of, and done nevertheless."""

    def test_a_weak_one_is_warned_of(self):
        for name, words in {
            "short": "mist",
            "digits": "8371940265817",
            "name": "Shop-Mesh-2026!",
            "common": "password2026!!",
            "run": "abcdefghijklmnop",
        }.items():
            with self.subTest(name):
                subject = "O=Shop Mesh,CN=Shop Mesh Root"
                done = self.expect(0, "ca", "create", "--store", name, "--subject", subject, password=words)
                self.assert_told(f"weak_passphrase_{name}", done.err)
                self.assertEqual(done.err.count("warning:"), 1)
        self.assertNotIn("warning:", self.expect(0, "ca", "create", "--store", "good").err)

    def test_a_file_that_others_can_read_is_warned_of(self):
        path = self.folder / "words"
        path.write_text(PASSPHRASE)
        path.chmod(0o640)
        (self.folder / "link").symlink_to(path)
        for name in ("words", "link"):
            done = self.expect(0, "ca", "create", "--store", f"by-{name}", "--password-file", name, password=None)
            self.assert_told(f"readable_password_{name}", done.err)
        path.chmod(0o600)
        self.assertNotIn("warning:", self.expect(0, "ca", "create", "--store", "b", "--password-file", "link", password=None).err)

    def test_a_pipe_is_as_good_as_a_file(self):
        read, write = os.pipe()
        os.write(write, f"{PASSPHRASE}\n".encode())
        os.close(write)
        done = self.expect(0, "ca", "create", "--password-file", f"/dev/fd/{read}", password=None, pass_fds=(read,))
        os.close(read)
        self.assertNotIn("warning:", done.err)


class PassphraseSources(ProgramTest):
    def test_a_file_a_descriptor_and_a_variable(self):
        path = self.home / "passphrase"
        path.write_text("from the file\nnot this line\n")
        path.chmod(0o600)
        self.expect(0, "ca", "create", "--store", "a", "--password-file", path, password=None)
        self.assert_opens("a", "from the file")
        read, write = os.pipe()
        os.write(write, b"from a pipe\n")
        os.close(write)
        self.expect(0, "ca", "create", "--store", "b", "--password-fd", read, password=None, pass_fds=(read,))
        os.close(read)
        self.assert_opens("b", "from a pipe")
        self.expect(0, "ca", "create", "--store", "c", password="from the environment")
        self.assert_opens("c", "from the environment")

    def test_the_first_in_this_order_wins(self):
        path = self.home / "passphrase"
        path.write_text("from the file")
        path.chmod(0o600)
        self.expect(0, "ca", "create", "--store", "a", "--password-file", path, password="not this")
        self.assert_opens("a", "from the file")

    def assert_opens(self, store, passphrase):
        (key,) = (self.folder / store).glob("root-*.key.pem")
        openssl("pkey", "-in", key, "-passin", f"pass:{passphrase}", "-noout")


if __name__ == "__main__":
    unittest.main()
