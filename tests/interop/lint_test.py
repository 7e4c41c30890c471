#!/usr/bin/env python3
"""lint and inspect over what the openssl program makes: named defects, healthy bundles, and one agreement."""

import json
import os
import subprocess
import sys
import tempfile
import unittest
from datetime import datetime
from pathlib import Path

sys.dont_write_bytecode = True
from papers import INTERMEDIATE, ROOT, WORKLOAD, Maker, bundle, replaced  # noqa: E402

TESTS = Path(__file__).resolve().parent.parent
BINARY = os.path.abspath(os.environ.get("MESHTRUST_BINARY") or TESTS.parent / "build" / "dev" / "meshtrust")


def meshtrust(*words):
    return subprocess.run([BINARY, *map(str, words)], capture_output=True, text=True, check=False,
                          env={"HOME": "/nonexistent", "PATH": os.environ["PATH"]})


def rules_found(*places):
    done = meshtrust("lint", *places, "-o", "json")
    if not done.stdout:
        raise AssertionError(done.stderr)
    return {item["rule"] for item in json.loads(done.stdout)["items"]}


# What a defect of the CA of a cluster changes: extensions, or arguments of openssl.
INTERMEDIATES = {
    "serial-entropy": {"serial": "01"},
    "unknown-critical-extension": {"extensions": INTERMEDIATE + ("1.2.3.4=critical,DER:0500",)},
    "basic-constraints-present": {"extensions": replaced(INTERMEDIATE, basicConstraints=None)},
    "basic-constraints-critical": {"extensions": replaced(INTERMEDIATE, basicConstraints="CA:TRUE,pathlen:0")},
    "basic-constraints-ca": {"extensions": replaced(INTERMEDIATE, basicConstraints="critical,CA:FALSE")},
    "intermediate-path-length": {"extensions": replaced(INTERMEDIATE, basicConstraints="critical,CA:TRUE")},
    "key-usage-present": {"extensions": replaced(INTERMEDIATE, keyUsage=None)},
    "key-usage-critical": {"extensions": replaced(INTERMEDIATE, keyUsage="keyCertSign,cRLSign")},
    "key-usage-cert-sign": {"extensions": replaced(INTERMEDIATE, keyUsage="critical,cRLSign")},
    "key-usage-crl-sign": {"extensions": replaced(INTERMEDIATE, keyUsage="critical,keyCertSign")},
    "key-usage-minimal": {"extensions": replaced(INTERMEDIATE, keyUsage="critical,digitalSignature,keyCertSign,cRLSign")},
    "no-extended-key-usage": {"extensions": INTERMEDIATE + ("extendedKeyUsage=serverAuth",)},
    "uri-constraints": {"extensions": INTERMEDIATE + ("nameConstraints=critical,permitted;URI:cluster.local",)},
    "directory-constraints": {"extensions": INTERMEDIATE + ("nameConstraints=critical,permitted;dirName:constrained",)},
    "no-name-constraints": {"extensions": INTERMEDIATE + ("nameConstraints=critical,permitted;DNS:mesh.example",)},
    "subject-key-id-present": {"extensions": replaced(INTERMEDIATE, subjectKeyIdentifier="none")},
    "authority-key-id-present": {"extensions": replaced(INTERMEDIATE, authorityKeyIdentifier="none")},
    "authority-key-id-matches": {"extensions": replaced(INTERMEDIATE, authorityKeyIdentifier="DER:300480020102")},
    "key-type": {"kind": "rsa:1024"},
    "key-p521": {"kind": "ec:P-521"},
    "key-rsa-cost": {"kind": "rsa:4096"},
    "key-ed25519": {"kind": "ED25519"},
    "uncompressed-point": {"kind": "compressed:P-256"},
    "signature-hash": {"digest": "sha1"},
    "begins-before-issuer": {"begin": -20},
    "ca-outlives-issuer": {"end": 3700},
    "ends-with-issuer": {"end": 3649.5},
    "expired": {"end": -1},
    "not-yet-valid": {"begin": 1},
    "expires-soon": {"end": 20},
    "long-life": {"end": 2000},
}
WORKLOADS = {
    "svid-one-uri": {"extensions": replaced(WORKLOAD, subjectAltName="DNS:a.b")},
    "svid-id": {"extensions": replaced(WORKLOAD, subjectAltName="URI:https://a/b")},
    "svid-path": {"extensions": replaced(WORKLOAD, subjectAltName="URI:spiffe://a/b")},
    "svid-no-ca-usage": {"extensions": replaced(WORKLOAD, keyUsage="critical,digitalSignature,keyCertSign")},
    "svid-digital-signature": {"extensions": replaced(WORKLOAD, keyUsage="critical,keyEncipherment")},
    "svid-both-roles": {"extensions": replaced(WORKLOAD, extendedKeyUsage="serverAuth")},
    "svid-short-life": {"end": 100},
}
# A defect that cannot come alone, and what comes with it.
COMPANIONS = {
    # istiod refuses them as well, for reasons of its own.
    "basic-constraints-present": {"not-a-ca", "chain-refused"},
    "basic-constraints-ca": {"not-a-ca", "chain-refused"},
    "unknown-critical-extension": {"chain-refused"},
    "authority-key-id-matches": {"chain-refused"},
    "key-type": {"chain-refused"},
    "uncompressed-point": {"chain-refused"},
    "signature-hash": {"chain-refused"},
    "key-usage-cert-sign": {"chain-refused"},
    "expired": {"chain-refused"},
    "not-yet-valid": {"chain-refused"},
    # Whoever lives as long as its issuer lives long.
    "ca-outlives-issuer": {"long-life", "outlives-its-root"},
    "ends-with-issuer": {"long-life"},
    "key-ed25519": {"chain-refused"},
    "uri-constraints": {"chain-refused"},
    "directory-constraints": {"chain-refused"},
    "no-name-constraints": {"chain-refused"},
}


class Papers(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        cls.maker = Maker(cls.folder)
        cls.sound_root = cls.maker.root()
        cls.sound_east = cls.maker.intermediate(cls.sound_root)

    def assert_found(self, defect, *places):
        found = rules_found(*places)
        self.assertIn(defect, found)
        self.assertEqual(set(), found - {defect} - COMPANIONS.get(defect, set()), "besides the defect")

    def new_folder(self, name):
        return self.folder / "bundles" / name


class EveryDefectIsFoundByItsOwnRule(Papers):
    def test_of_an_intermediate(self):
        for defect, change in INTERMEDIATES.items():
            with self.subTest(defect):
                east = self.maker.intermediate(self.sound_root, **change)
                self.assert_found(defect, bundle(self.new_folder(defect), east, [east], [self.sound_root]))

    def test_of_a_root(self):
        for defect, change in {
            "root-path-length": {"extensions": replaced(ROOT, basicConstraints="critical,CA:TRUE,pathlen:1")},
            "root-signature-hash": {"digest": "sha1"},
        }.items():
            with self.subTest(defect):
                root = self.maker.root(subject=f"/O=Shop/CN={defect}", **change)
                east = self.maker.intermediate(root)
                self.assert_found(defect, bundle(self.new_folder(defect), east, [east], [root]))

    def test_of_a_workload(self):
        for defect, change in WORKLOADS.items():
            with self.subTest(defect):
                self.assert_found(defect, self.maker.workload(self.sound_east, **change).certificate)

    def test_of_a_bundle(self):
        maker, root, east = self.maker, self.sound_root, self.sound_east
        west = maker.intermediate(root, subject="/O=Shop/CN=west")
        namesake = maker.root(key=maker.key("ec:P-256", "namesake"))
        stranger = maker.root(subject="/O=Other/CN=Root")
        tight = maker.root(subject="/O=Shop/CN=Tight", extensions=replaced(ROOT, basicConstraints="critical,CA:TRUE,pathlen:0"))
        below = maker.intermediate(tight)
        bridge = maker.mint("/O=Other/CN=Root", replaced(INTERMEDIATE, basicConstraints="critical,CA:TRUE,pathlen:1"),
                            issuer=root, key=stranger.key)
        other_east = maker.intermediate(stranger, subject="/O=Other/CN=east")
        cases = {
            "chain-does-not-begin-with-ca-cert": (east, [west], [root]),
            "ca-cert-not-alone": (east.pem + west.pem, [east], [root]),
            "equal-root-subjects": (east, [east], [root, namesake]),
            "chain-refused": (east, [east], [stranger]),
            "path-too-long": (below, [below], [tight]),
            "root-before-bridge": (other_east, [other_east, stranger, bridge], [root]),
        }
        COMPANIONS["path-too-long"] = {"root-path-length"}
        # The bridge takes part in no path here, so nothing shows that it is meant to be above another CA.
        COMPANIONS["root-before-bridge"] = {"chain-refused", "path-too-long", "intermediate-path-length"}
        for defect, (ca, chain, roots) in cases.items():
            with self.subTest(defect):
                self.assert_found(defect, bundle(self.new_folder(defect), ca, chain, roots))

    def test_of_revocation_lists(self):
        maker, root, east = self.maker, self.sound_root, self.sound_east
        mute = maker.intermediate(root, subject="/O=Shop/CN=mute", extensions=INTERMEDIATES["key-usage-crl-sign"]["extensions"])
        both = maker.crl(root) + maker.crl(east)
        cases = {
            "crl-missing": (east, maker.crl(root)),
            "crl-expired": (east, maker.crl(root, begin=-9, end=-1) + maker.crl(east)),
            "crl-not-yet-valid": (east, maker.crl(root, begin=1) + maker.crl(east)),
            "crl-expires-soon": (east, maker.crl(root, end=3) + maker.crl(east)),
            "crl-number": (east, maker.crl(root, numbered=False) + maker.crl(east)),
            "crl-issuer-may-sign": (mute, both + maker.crl(mute)),
        }
        COMPANIONS["crl-issuer-may-sign"] = {"key-usage-crl-sign", "crl-missing"}
        for defect, (ca, lists) in cases.items():
            with self.subTest(defect):
                self.assert_found(defect, bundle(self.new_folder(defect), ca, [ca], [root], lists))

    def test_there_are_more_than_thirty(self):
        self.assertGreaterEqual(len(INTERMEDIATES) + len(WORKLOADS), 30)


class NothingIsFoundInWhatIsHealthy(Papers):
    def test_ten_healthy_bundles(self):
        maker, root, east = self.maker, self.sound_root, self.sound_east
        healthy = {}
        for kind in ("ec:P-384", "rsa:2048", "rsa:3072"):
            own_root = maker.root(subject=f"/O=Shop/CN={kind}", kind=kind)
            own_east = maker.intermediate(own_root, subject=f"/O=Shop/CN=east {kind}", kind=kind)
            healthy[f"all {kind}"] = (own_east, [own_east], [own_root])
            healthy[f"root {kind}"] = (maker.intermediate(own_root), None, [own_root])
        upper = maker.mint("/O=Shop/CN=upper", replaced(INTERMEDIATE, basicConstraints="critical,CA:TRUE,pathlen:1"),
                           issuer=root, end=1500)
        lower = maker.intermediate(upper, subject="/O=Shop/CN=lower")
        healthy["three tiers"] = (lower, [lower, upper], [root])
        healthy["root in the chain"] = (east, [east, root], [root])
        healthy["two roots"] = (east, [east], [root, maker.root(subject="/O=Next/CN=Root")])
        roomy = maker.root(subject="/O=Shop/CN=Roomy", extensions=replaced(ROOT, basicConstraints="critical,CA:TRUE,pathlen:2"))
        healthy["a root with room for a bridge"] = (maker.intermediate(roomy), None, [roomy])
        istiod = maker.intermediate(root, extensions=INTERMEDIATE + ("subjectAltName=DNS:istiod.istio-system.svc",))
        healthy["with the name of istiod"] = (istiod, None, [root])
        self.assertGreaterEqual(len(healthy), 10)
        for number, (name, (ca, chain, roots)) in enumerate(healthy.items()):
            with self.subTest(name):
                folder = bundle(self.new_folder(f"healthy-{number}"), ca, chain or [ca], roots)
                self.assertEqual(set(), rules_found(folder))
        with self.subTest("with lists of every CA"):
            folder = bundle(self.new_folder("healthy-lists"), east, [east], [root], maker.crl(root) + maker.crl(east))
            self.assertEqual(set(), rules_found(folder))


class TheRecipeOfMostTutorials(Papers):
    def test_is_explained(self):
        usage = "critical,digitalSignature,nonRepudiation,keyEncipherment,keyCertSign"
        root = self.maker.root(subject="/O=Istio/CN=Root CA", kind="rsa:4096", extensions=replaced(ROOT, keyUsage=usage))
        east = self.maker.intermediate(root, subject="/O=Istio/CN=Intermediate CA", kind="rsa:4096", end=3650.0001,
                                       extensions=replaced(INTERMEDIATE, keyUsage=usage))
        folder = bundle(self.new_folder("tutorial"), east, [east, root], [root])
        done = meshtrust("lint", folder)
        self.assertEqual(3, done.returncode, "it works today: nothing is critical\n" + done.stdout)
        self.assertLessEqual({"key-usage-crl-sign", "ca-outlives-issuer", "ends-with-issuer", "key-rsa-cost", "key-usage-minimal"},
                             rules_found(folder))
        for rule, words in {
            "key-usage-crl-sign": "can never use CRLs",
            "ca-outlives-issuer": "the second ends later by the seconds in between",
            "ends-with-issuer": "Root and intermediate with the same life end together",
            "key-rsa-cost": "Nothing refuses it.",
        }.items():
            explained = " ".join(meshtrust("lint", "--explain", rule).stdout.split())
            self.assertIn(words, explained)


class OneAgreement(Papers):
    def test_with_openssl_on_subject_serial_and_dates(self):
        maker = self.maker
        subjects = ["/O=Shop/CN=a, b", "/CN=x\\=y", "/O=Größe/CN=ß", "/C=DE/L=Köln/O=Shop/OU=root 2026/CN=Root", '/O=a"b/CN=c;d<e>']
        kinds = ["ec:P-256", "ec:P-384", "rsa:2048", "ED25519"]
        files = [maker.root(subject=subject, kind=kind, serial=serial, begin=begin, end=end).certificate
                 for subject in subjects
                 for kind, serial, begin, end in zip(kinds, ("01", "7f" * 16, "00ff", "8" * 38), (-1, -9000, -20, 5), (1, 9000, 20, 40000))]
        seen = {item["source"]: item for item in json.loads(meshtrust("inspect", *files, "-o", "json").stdout)["items"]}
        self.assertEqual(len(files), len(seen))
        for file in files:
            told = dict(line.split("=", 1) for line in maker.openssl(
                "x509", "-in", file, "-noout", "-serial", "-dates", "-subject", "-nameopt",
                "esc_2253,utf8,sname,sep_comma_plus", "-dateopt", "iso_8601").splitlines())
            item = seen[str(file)]
            self.assertEqual(int(told["serial"], 16), int(item["serial"], 16))
            self.assertEqual(plain(told["subject"]), plain(item["subject"]))
            for ours, theirs in {"notBefore": "notBefore", "notAfter": "notAfter"}.items():
                self.assertEqual(datetime.fromisoformat(told[theirs].replace(" ", "T").replace("Z", "+00:00")),
                                 datetime.fromisoformat(item[ours].replace("Z", "+00:00")))


def plain(name):
    """A name without what the two write differently: which characters get a backslash."""
    return name.replace("\\", "")


if __name__ == "__main__":
    unittest.main()
