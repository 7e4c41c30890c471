#!/usr/bin/env python3
"""Into pods: a real istiod's metrics, serving chain and certificate service, through its API server."""

import base64
import json
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
from support import BINARY  # noqa: E402
import clusters as real  # noqa: E402

PROBE = Path(BINARY).with_name("pod_probe")
SYSTEM = "istio-system"
NAME = "istiod.istio-system.svc"
CREATE = "/istio.v1.auth.IstioCertificateService/CreateCertificate"
ISTIOD_PROGRAMS = ("kubernetes", "kwok", "pilot-discovery")


def varint(number):
    low, rest = number & 0x7F, number >> 7
    return bytes([low | 0x80]) + varint(rest) if rest else bytes([low])


def text_field(number, text):
    """A string in a protobuf message."""
    content = text.encode()
    return varint(number << 3 | 2) + varint(len(content)) + content


def text_fields(message):
    """The strings of a message that holds nothing else, as (number, text)."""
    found = []
    at = 0

    def next_varint():
        nonlocal at
        number = shift = 0
        while True:
            byte = message[at]
            at += 1
            number |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return number

    while at < len(message):
        key = next_varint()
        size = next_varint()
        found.append((key >> 3, message[at:at + size].decode()))
        at += size
    return found


def openssl(*words, stdin=b""):
    return subprocess.run(["openssl", *words], input=stdin, capture_output=True, check=True).stdout.decode()


def subject_of(der):
    return openssl("x509", "-inform", "DER", "-noout", "-subject", "-issuer", "-ext", "subjectAltName", stdin=der)


class Pods(unittest.TestCase):
    """One cluster with an istiod, which all the cases share."""

    @classmethod
    def setUpClass(cls):
        if not PROBE.is_file():
            raise AssertionError(f"there is no program '{PROBE}': build it")
        real.skip_without_rig(*ISTIOD_PROGRAMS)
        folder = tempfile.TemporaryDirectory(prefix="meshtrust-e2e-pods-")
        cls.addClassCleanup(folder.cleanup)
        cls.folder = Path(folder.name)
        cls.addClassCleanup(cls.rig, "down")
        cls.rig("up", "east", "--istiod")
        cls.kubeconfig = cls.rig("kubeconfig", "east")
        cls.api = real.Api.of_kubeconfig(cls.kubeconfig)
        cls.roots = cls.folder / "roots.pem"
        config_map = cls.ask(f"/api/v1/namespaces/{SYSTEM}/configmaps/istio-ca-root-cert")
        cls.roots.write_text(config_map["data"]["root-cert.pem"])
        pods = cls.ask(f"/api/v1/namespaces/{SYSTEM}/pods?labelSelector=app%3Distiod")["items"]
        cls.istiod = pods[0]["metadata"]["name"]

    @classmethod
    def rig(cls, *words):
        command = [real.RIG_FOLDER / "rig", "--state", cls.folder / "rig", *words]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    @classmethod
    def ask(cls, path, body=None):
        status, answer = cls.api.request("POST" if body else "GET", path, body)
        if status >= 300:
            raise AssertionError(f"{path}: HTTP {status}: {answer}")
        return answer

    def run_probe(self, port, *words, stdin=b"", pod=None, kubeconfig=None):
        command = [PROBE, kubeconfig or self.kubeconfig, "east", SYSTEM, pod or self.istiod, str(port), *words]
        return subprocess.run(command, input=stdin, capture_output=True, check=False, timeout=60)

    def probe(self, *words, **options):
        done = self.run_probe(*words, **options)
        self.assertEqual((0, ""), (done.returncode, done.stderr.decode()))
        return done.stdout.decode()

    def refused(self, *words, **options):
        done = self.run_probe(*words, **options)
        self.assertEqual((1, ""), (done.returncode, done.stdout.decode()))
        return done.stderr.decode()

    def token_file(self, audience):
        path = f"/api/v1/namespaces/{SYSTEM}/serviceaccounts/default/token"
        answer = self.ask(path, {"spec": {"audiences": [audience]}})
        file = self.folder / f"{audience}.token"
        file.touch(0o600)
        file.write_text(answer["status"]["token"])
        return file

    def create_certificate(self, token, roots=None):
        """A workload's private key, and what istiod's certificate service answers to its request."""
        key = self.folder / "workload.key"
        openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", str(key))
        request = openssl("req", "-new", "-key", str(key), "-subj", "/")
        words = ("grpc", NAME, roots or self.roots, CREATE, token)
        return key, self.run_probe(15012, *words, stdin=text_field(1, request))

    def test_metrics_by_pods_proxy(self):
        metrics = self.probe(15014, "get", "/metrics")
        self.assertIn("\ncitadel_server_root_cert_expiry_timestamp ", metrics)

    def test_the_serving_chain_of_istiod(self):
        peer = json.loads(self.probe(15012, "tls", NAME, self.roots))
        chain = [base64.b64decode(one) for one in peer.pop("chain")]
        self.assertEqual(
            {"version": "TLSv1.3", "protocol": "h2", "asked_for_client_certificate": True,
             "verdict": "trusted", "objection": ""}, peer)  # fmt: skip
        self.assertIn(f"DNS:{NAME}", subject_of(chain[0]))
        self.assertIn("issuer=O = cluster.local", subject_of(chain[0]))

    def test_a_chain_is_shown_and_called_untrusted_under_other_roots(self):
        other = self.folder / "other.pem"
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=other", "-keyout", os.devnull, "-out", str(other))  # fmt: skip
        peer = json.loads(self.probe(15012, "tls", NAME, other))
        self.assertEqual("untrusted", peer["verdict"])
        self.assertNotEqual([], peer["chain"])
        wrong_name = json.loads(self.probe(15012, "tls", "istiod.elsewhere.svc", self.roots))
        self.assertEqual("hostname mismatch", wrong_name["objection"])
        _, done = self.create_certificate(self.token_file("istio-ca"), other)
        self.assertIn("a token is not sent to a server whose certificate is not trusted", done.stderr.decode())

    def test_istiod_signs_for_a_service_account(self):
        key, done = self.create_certificate(self.token_file("istio-ca"))
        self.assertEqual((0, ""), (done.returncode, done.stderr.decode()))
        answer = json.loads(done.stdout)
        self.assertEqual((0, ""), (answer["status"], answer["words"]))
        fields = text_fields(base64.b64decode(answer["message"]))
        self.assertEqual({1}, {number for number, _ in fields})
        leaf = self.folder / "leaf.pem"
        leaf.write_text(fields[0][1])
        self.assertEqual(f"{leaf}: OK\n", openssl("verify", "-CAfile", str(self.roots), str(leaf)))
        names = openssl("x509", "-in", str(leaf), "-noout", "-ext", "subjectAltName")
        self.assertIn(f"URI:spiffe://cluster.local/ns/{SYSTEM}/sa/default", names)
        public = openssl("x509", "-in", str(leaf), "-noout", "-pubkey")
        self.assertEqual(openssl("pkey", "-in", str(key), "-pubout"), public)

    def test_istiod_does_not_sign_for_a_token_of_another_audience(self):
        token = self.token_file("somebody-else")
        _, done = self.create_certificate(token)
        answer = json.loads(done.stdout)
        self.assertEqual(16, answer["status"])
        self.assertEqual("", answer["message"])
        self.assertNotIn(token.read_text(), done.stdout.decode() + done.stderr.decode())

    def test_a_port_where_nobody_listens(self):
        said = self.refused(1234, "tls", NAME)
        self.assertIn(f"error: TLS handshake: port 1234 of pod '{SYSTEM}/{self.istiod}' cannot be reached: ", said)

    def test_a_pod_that_does_not_exist(self):
        action = f"opening a tunnel to port 15012 of pod '{SYSTEM}/nobody'"
        self.assertEqual(f'error: {action}: pods "nobody" not found\n', self.refused(15012, "tls", NAME, pod="nobody"))
        self.assertIn('pods "nobody" not found', self.refused(15014, "get", "/metrics", pod="nobody"))

    def test_somebody_without_the_right(self):
        alice = self.rig("user", "east", "alice")
        said = self.refused(15012, "tls", NAME, kubeconfig=alice)
        self.assertIn('User "alice" cannot ', said)
        self.assertIn("\nhint: a tunnel takes the rights 'get' and 'create' on pods/portforward", said)


if __name__ == "__main__":
    unittest.main()
