#!/usr/bin/env python3
"""API servers that cannot be reached, trusted or convinced: one clear error, and no write anywhere."""

import base64
import re
import socket
import threading
import unittest

import handmade
from support import MeshTest


class ConnectionTest(MeshTest):
    def setUp(self):
        super().setUp()
        self.write_mesh()

    def use_kubeconfig(self, name, text):
        path = self.folder / name
        path.write_text(text)
        path.chmod(0o600)
        return path.name

    def west_with(self, pattern, replacement):
        """A mesh whose west has a kubeconfig of its own, changed in one place."""
        text, count = re.subn(pattern, replacement, self.west.kubeconfig.read_text())
        self.assertEqual(1, count)
        self.write_mesh(west={"kubeconfig": self.use_kubeconfig("west.kubeconfig", text)})

    def west_at(self, port):
        self.west_with(r"(127\.0\.0\.1):\d+", rf"\g<1>:{port}")


class Servers(ConnectionTest):
    def test_a_port_where_nobody_listens(self):
        self.west_at(1)
        self.assert_apply_refused("nobody_listens", 69)

    def test_every_command_that_looks_says_the_same(self):
        self.west_at(1)
        for command in ("plan", "verify", "status"):
            with self.subTest(command), self.nothing_written():
                done = self.expect(69, command, password=None)
                self.assertEqual(1, done.err.count("west: "), done.err)

    def test_one_that_cannot_be_reached_may_be_left_out(self):
        self.apply_all("central")
        self.west_at(1)
        done = self.apply("--skip-unreachable")
        self.assertEqual(5, done.code, done.err)
        self.assertIsNotNone(self.cacerts(self.east))
        self.assertIsNone(self.cacerts(self.west))
        self.assertIn("meshtrust: left out: west\n", done.err)
        self.write_mesh()
        self.assertEqual(0, self.apply().code)
        self.assertEqual(*(self.live_files(one)["root-cert.pem"] for one in (self.east, self.west)))

    def test_no_root_is_minted_while_one_is_left_out(self):
        self.west_at(1)
        self.assert_apply_refused("root_without_all", 4, "--skip-unreachable")

    def test_a_server_whose_certificate_is_not_trusted(self):
        other = base64.b64encode(handmade.make_root().certificate.encode()).decode()
        self.west_with(r"(certificate-authority-data): \S+", rf"\1: {other}")
        self.assert_apply_refused("untrusted_server", 69)

    def test_a_server_that_has_another_name(self):
        self.west_with(r"127\.0\.0\.1(:\d+)", r"127.0.0.2\1")
        done = self.meshtrust("plan")
        self.assertEqual(69, done.code, done.err)

    def test_a_server_that_hangs_up(self):
        with self.listener(lambda connection: connection.close()) as port:
            self.west_at(port)
            self.assert_apply_refused("hangs_up", 69, "--timeout", "2s")

    def test_a_server_that_is_no_https_server(self):
        answer = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        with self.listener(lambda connection: (connection.sendall(answer), connection.close())) as port:
            self.west_at(port)
            done = self.apply("--timeout", "2s")
        self.assertEqual(69, done.code, done.err)
        self.assertIsNone(self.cacerts(self.east))

    def listener(self, answer):
        return Listener(answer)


class Listener:
    """Answers every connection to a free local port."""

    def __init__(self, answer):
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._answer = answer

    def __enter__(self):
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        return self._socket.getsockname()[1]

    def __exit__(self, *_):
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()

    def _serve(self):
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            try:
                connection.recv(1024)
                self._answer(connection)
            except OSError:
                pass


class Users(ConnectionTest):
    def test_a_client_certificate_that_has_expired(self):
        path = self.rig.user("west", "late", "--lifetime=-1h")
        self.write_mesh(west={"kubeconfig": self.use_kubeconfig("late.kubeconfig", path.read_text())})
        self.assert_apply_refused("expired_client", 65)

    def test_somebody_unknown(self):
        self.west_with(r"(?s)client-certificate-data.*", "token: not-a-token\n")
        self.assert_apply_refused("unknown_client", 77)

    def test_a_certificate_without_its_key(self):
        self.west_with(r" +client-key-data: \S+\n", "")
        self.assert_apply_refused("client_without_key", 65)


class Kubeconfigs(ConnectionTest):
    def test_a_context_that_is_not_there(self):
        self.write_mesh(west={"context": "wset"})
        self.assert_apply_refused("missing_context", 65)

    def test_two_contexts_that_are_not_there_are_told_together(self):
        self.write_mesh(east={"context": "aest"}, west={"context": "wset"})
        self.assert_apply_refused("missing_contexts", 65)

    def test_a_kubeconfig_that_is_not_there(self):
        self.write_mesh(west={"kubeconfig": "nowhere"})
        self.assert_apply_refused("missing_kubeconfig", 65)

    def test_a_kubeconfig_that_is_no_yaml(self):
        self.write_mesh(west={"kubeconfig": self.use_kubeconfig("bad", "clusters: [")})
        self.assert_apply_refused("broken_kubeconfig", 65)

    def test_no_kubeconfig_at_all(self):
        self.environment.pop("KUBECONFIG")
        self.assert_apply_refused("no_kubeconfig", 65)

    def test_what_is_wrong_in_two_clusters_is_told_together(self):
        text = self.east.kubeconfig.read_text().replace("127.0.0.1", "127.0.0.1:1#")
        text = re.sub(r"127\.0\.0\.1:1#:\d+", "127.0.0.1:1", text)
        self.write_mesh(
            east={"kubeconfig": self.use_kubeconfig("east.kubeconfig", text)}, west={"context": "wset"}
        )
        self.assert_apply_refused("two_kinds_of_wrong", 65)


class MeshFiles(ConnectionTest):
    def test_ten_mistakes_are_ten_located_errors(self):
        (self.folder / "mesh.yaml").write_text(f"""\
apiVersion: meshtrust/v2
kind: Mash
metadata: {{name: Shop}}
spec:
  trust:
    mode: manged
    root: {{key: rsa-1024, lifetime: 10}}
    intermediate: {{lifetime: ten days}}
  istio: {{namespace: {self.namespace}, version: 1.30}}
  clusters:
    - {{name: Kubernetes, context: east, network: network1, colour: red}}
    - {{name: west, context: west, network: network2, role: remote}}
""")
        done = self.assert_apply_refused("ten_mistakes", 65)
        self.assertGreaterEqual(len(re.findall(r"(?m)^mesh\.yaml:\d+:\d+: error: ", done.err)), 10)

    def test_no_mesh_file(self):
        (self.folder / "mesh.yaml").unlink()
        self.assert_apply_refused("no_mesh_file", 65)

    def test_a_mesh_file_that_is_a_folder(self):
        self.assert_apply_refused("mesh_file_is_a_folder", 65, "-f", ".")

    def test_no_yaml(self):
        (self.folder / "mesh.yaml").write_text("spec: [\n")
        self.assert_apply_refused("no_yaml", 65)


if __name__ == "__main__":
    unittest.main()
