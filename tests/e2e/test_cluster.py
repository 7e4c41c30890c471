#!/usr/bin/env python3
"""cluster check with every kind of credential, and against set-ups that are broken, each in its own way."""

import base64
import contextlib
import json
import re
import signal
import socket
import threading
import unittest

import handmade
from proxies import HttpProxy, HttpsProxy, SocksProxy
from support import MeshTest

V1 = "client.authentication.k8s.io/v1"
MASTERS = "as-groups: [system:masters]"
NO_TLS = b"HTTP/1.0 400 Bad Request\r\n\r\n"


def value_of(key, text):
    """The value of `key` in a kubeconfig of the rig."""
    return re.search(rf'{key}: "?([^\s"]+)', text)[1]


class ClusterTest(MeshTest):
    def setUp(self):
        super().setUp()
        text = self.east.kubeconfig.read_text()
        self.server = value_of("server", text)
        self.authority = value_of("certificate-authority-data", text)
        self.certificate, self.key = (value_of(f"client-{part}-data", text) for part in ("certificate", "key"))
        self.identity = f"client-certificate-data: {self.certificate}, client-key-data: {self.key}"

    def kubeconfig(self, user=None, server=None, authority=None, cluster="", mode=0o600):
        """Makes the kubeconfig that the program uses; what is not said is that of east's administrator."""
        path = self.folder / "config"
        authority = authority or f"certificate-authority-data: {self.authority}"
        path.write_text(
            f"clusters:\n- name: c\n  cluster: {{server: '{server or self.server}', {authority}{cluster}}}\n"
            f"users:\n- name: u\n  user: {{{self.identity if user is None else user}}}\n"
            "contexts:\n- name: c\n  context: {cluster: c, user: u}\ncurrent-context: c\n"
        )
        path.chmod(mode)
        self.environment["KUBECONFIG"] = "config"

    def token(self, name="default"):
        """A token of a service account of the cluster east."""
        path = f"/api/v1/namespaces/default/serviceaccounts/{name}/token"
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
        return self.east.create(path, body)["status"]["token"]

    def plugin(self, status, code=0):
        path = self.folder / "plugin"
        answer = json.dumps({"kind": "ExecCredential", "apiVersion": V1, "status": status})
        path.write_text(f"#!/bin/sh\necho run >> runs\ncat << 'END'\n{answer}\nEND\nexit {code}\n")
        path.chmod(0o700)
        return f"exec: {{apiVersion: {V1}, command: ./plugin, interactiveMode: Never}}"

    def check(self, code, *words):
        done = self.expect(code, "cluster", "check", *words, password=None)
        self.assertNotIn(self.key[:60], done.out + done.err)
        return done

    def assert_checked(self, name, code, *words):
        done = self.check(code, *words)
        told = re.sub(r"\d+\.\d ms", "N ms", done.out + done.err)
        self.assert_told(f"cluster_{name}", told)
        return done

    def listen(self, greet):
        """A port where every caller is greeted after its first words, and then left."""
        listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listener.close)

        def serve():
            with contextlib.suppress(OSError):
                while True:
                    with listener.accept()[0] as connection:
                        connection.recv(65536)
                        greet(connection)

        threading.Thread(target=serve, daemon=True).start()
        return listener.getsockname()[1]

    def as_whom(self, *words):
        answer = json.loads(self.check(0, "-o", "json", *words).out)
        return answer["clusters"][0]["identity"]["username"]


class Credentials(ClusterTest):
    def test_a_client_certificate(self):
        self.kubeconfig()
        with self.nothing_written():
            self.assert_checked("certificate", 0)

    def test_a_token_without_rights(self):
        self.kubeconfig(f"token: {self.token()}")
        self.assert_checked("token", 77)

    def test_a_token_file(self):
        (self.folder / "token").write_text(self.token() + "\n")
        (self.folder / "token").chmod(0o644)
        self.kubeconfig(f"tokenFile: token, as: me, {MASTERS}")
        done = self.check(77)
        self.assertIn("'FOLDER/token' holds keys or tokens", self.normalised(done.err))

    def test_impersonation(self):
        self.kubeconfig(f"{self.identity}, as: somebody, {MASTERS}")
        self.assertEqual("somebody", self.as_whom())

    def test_a_plugin_with_a_certificate_runs_once(self):
        decoded = {name: base64.b64decode(data).decode() for name, data in (("c", self.certificate), ("k", self.key))}
        plugin = self.plugin({"clientCertificateData": decoded["c"], "clientKeyData": decoded["k"]})
        self.kubeconfig(plugin)
        self.assertEqual("east-admin", self.as_whom())
        self.assertEqual("run\n", (self.folder / "runs").read_text())

    def test_contexts_that_share_a_plugin_run_it_once(self):
        self.kubeconfig(self.plugin({"token": self.token()}))
        config = self.folder / "config"
        another = "- name: d\n  context: {cluster: c, user: u}\ncurrent-context"
        config.write_text(config.read_text().replace("current-context", another))
        self.check(77, "--context", "c", "--context", "d")
        self.assertEqual("run\n", (self.folder / "runs").read_text())

    def test_a_server_known_by_another_name(self):
        self.kubeconfig(cluster=", tls-server-name: localhost")
        self.assertEqual("east-admin", self.as_whom())


class Proxies(ClusterTest):
    def proxy(self, kind, *arguments):
        proxy = kind(*arguments)
        self.addCleanup(proxy.close)
        return proxy

    def test_every_kind_of_the_kubeconfig(self):
        address = self.server.removeprefix("https://")
        for scheme, kind in (("http", HttpProxy), ("socks5", SocksProxy)):
            with self.subTest(scheme):
                proxy = self.proxy(kind)
                self.kubeconfig(cluster=f", proxy-url: '{scheme}://127.0.0.1:{proxy.port}'")
                self.assertEqual("east-admin", self.as_whom())
                self.assertEqual({address}, set(proxy.opened))

    def test_a_proxy_that_speaks_tls_is_judged_by_the_authority_of_the_cluster(self):
        pair = handmade.make_server()
        proxy = self.proxy(HttpsProxy, pair)
        url = f", proxy-url: 'https://127.0.0.1:{proxy.port}'"
        both = base64.b64decode(self.authority) + pair.certificate.encode()
        self.kubeconfig(authority=f"certificate-authority-data: {base64.b64encode(both).decode()}", cluster=url)
        self.assertEqual("east-admin", self.as_whom())
        self.assertEqual({self.server.removeprefix("https://")}, set(proxy.opened))

        self.kubeconfig(cluster=url)
        self.assert_checked("proxy_untrusted", 69)

    def test_a_proxy_that_speaks_tls_is_not_judged_where_the_cluster_is_not(self):
        proxy = self.proxy(HttpsProxy, handmade.make_server("DNS:elsewhere"))
        url = f", proxy-url: 'https://127.0.0.1:{proxy.port}'"
        self.kubeconfig(authority="insecure-skip-tls-verify: true", cluster=url)
        self.assertEqual("east-admin", self.as_whom())

    def test_a_proxy_without_an_alternative_name(self):
        pair = handmade.make_server("URI:spiffe://proxy", "/CN=localhost")
        proxy = self.proxy(HttpsProxy, pair)
        both = base64.b64decode(self.authority) + pair.certificate.encode()
        authority = f"certificate-authority-data: {base64.b64encode(both).decode()}"
        self.kubeconfig(authority=authority, cluster=f", proxy-url: 'https://localhost:{proxy.port}'")
        done = self.check(69)
        self.assertIn("its subjectAltName holds neither a host name nor an address", done.err)

    def test_a_proxy_that_does_not_speak_tls(self):
        port = self.listen(lambda connection: connection.sendall(NO_TLS))
        self.kubeconfig(cluster=f", proxy-url: 'https://127.0.0.1:{port}'")
        self.assert_checked("proxy_without_tls", 69)

    def test_a_socks_proxy_resolves_the_name(self):
        proxy = self.proxy(SocksProxy)
        named = self.server.replace("127.0.0.1", "localhost")
        self.kubeconfig(server=named, cluster=f", proxy-url: 'socks5://127.0.0.1:{proxy.port}'")
        self.assertEqual("east-admin", self.as_whom())
        self.assertEqual({named.removeprefix("https://")}, set(proxy.opened))

    def test_this_machine_is_not_behind_the_proxy_of_the_environment(self):
        self.environment["HTTPS_PROXY"] = self.environment["ALL_PROXY"] = "http://127.0.0.1:1"
        self.kubeconfig()
        self.assertEqual("east-admin", self.as_whom())

    def test_a_proxy_where_nobody_listens(self):
        self.kubeconfig(cluster=", proxy-url: 'http://me:secret@127.0.0.1:1'")
        done = self.assert_checked("proxy_down", 69)
        self.assertNotIn("secret", done.out + done.err)


    def test_a_proxy_of_the_environment_where_nobody_listens(self):
        self.environment["HTTPS_PROXY"] = "http://me:secret@127.0.0.1:1"
        self.kubeconfig(server="https://192.0.2.10:6443")
        done = self.assert_checked("environment_proxy_down", 69)
        self.assertNotIn("secret", done.out + done.err)

    def test_a_proxy_url_that_is_none(self):
        for url in ("http://me:pa/secret@127.0.0.1:9", "http://127.0.0.1:notaport", "http://"):
            with self.subTest(url):
                self.kubeconfig(cluster=f", proxy-url: '{url}'")
                done = self.check(65)
                self.assertIn("'proxy-url' is no URL of a host with one of the schemes", done.err)
                self.assertNotIn("secret", done.out + done.err)


class Broken(ClusterTest):
    def test_a_port_where_nobody_listens(self):
        self.kubeconfig(server="https://127.0.0.1:1")
        self.assert_checked("nobody_listens", 69)

    def test_a_name_that_nobody_knows(self):
        self.kubeconfig(server="https://nowhere.invalid:6443")
        self.assert_checked("no_such_name", 69)

    def test_a_server_that_another_authority_vouches_for(self):
        other = base64.b64encode(handmade.make_root().certificate.encode()).decode()
        self.kubeconfig(authority=f"certificate-authority-data: {other}")
        self.assert_checked("untrusted", 69)

    def test_a_server_of_another_name(self):
        self.kubeconfig(cluster=", tls-server-name: other.example")
        self.assert_checked("other_name", 69)

    def test_a_server_name_that_would_be_another_host(self):
        self.kubeconfig(cluster=", tls-server-name: 'x@localhost'")
        self.assert_checked("server_name_is_none", 65)

    def test_a_server_with_a_password(self):
        self.kubeconfig(server="https://admin:secret@127.0.0.1:6443")
        done = self.check(65, "-o", "json")
        self.assertNotIn("secret", done.out + done.err)

    def test_a_server_that_does_not_speak_tls(self):
        port = self.listen(lambda connection: connection.sendall(NO_TLS))
        self.kubeconfig(server=f"https://127.0.0.1:{port}")
        self.assert_checked("plain_http", 69)

    def test_a_server_that_hangs_up(self):
        port = self.listen(lambda connection: None)
        self.kubeconfig(server=f"https://127.0.0.1:{port}")
        self.assert_checked("hangs_up", 69)

    def test_names_with_escape_sequences(self):
        self.kubeconfig(server="127.0.0.1:6443")
        config = self.folder / "config"
        name = r'"c\e]0;x\a"'
        text = config.read_text().replace("name: c", f"name: {name}").replace("cluster: c,", f"cluster: {name},")
        config.write_text(text.replace("current-context: c", f"current-context: {name}"))
        done = self.check(65)
        self.assertNotIn("\x1b", done.out + done.err)
        self.assertIn("c?]0;x?", done.out)

    def test_a_client_certificate_that_has_expired(self):
        text = self.rig.user("east", "late", "--lifetime=-1h").read_text()
        parts = [value_of(f"client-{part}-data", text) for part in ("certificate", "key")]
        self.kubeconfig("client-certificate-data: {}, client-key-data: {}".format(*parts))
        self.assert_checked("expired", 65)

    def test_a_token_that_nobody_gave(self):
        self.kubeconfig("token: not-a-token")
        self.assert_checked("unknown_token", 77)

    def test_somebody_who_may_not_act_for_others(self):
        self.kubeconfig(f"token: {self.token()}, as: me")
        self.assert_checked("may_not_act", 77)

    def test_a_plugin_that_is_missing(self):
        self.kubeconfig(
            f"exec: {{apiVersion: {V1}, command: no-such-plugin, interactiveMode: Never, installHint: get it}}"
        )
        self.assert_checked("plugin_missing", 65)

    def test_a_plugin_that_fails(self):
        self.kubeconfig(self.plugin({"token": "secret"}, code=3))
        self.assert_checked("plugin_fails", 65)

    def test_a_plugin_that_is_slow(self):
        path = self.folder / "plugin"
        path.write_text("#!/bin/sh\nexec sleep 600\n")
        path.chmod(0o700)
        self.kubeconfig(f"exec: {{apiVersion: {V1}, command: ./plugin, interactiveMode: Never}}")
        self.assert_checked("plugin_slow", 69, "--timeout", "1s")

    def test_ctrl_c_while_plugins_run(self):
        """None is started after it, and nobody is told that the kubeconfig is wrong."""
        path = self.folder / "plugin"
        path.write_text("#!/bin/sh\necho run >> runs\nexec sleep 600\n")
        path.chmod(0o700)
        self.kubeconfig(f"exec: {{apiVersion: {V1}, command: ./plugin, interactiveMode: Never}}")
        config = self.folder / "config"
        another = "- name: d\n  context: {cluster: c, user: u}\ncurrent-context"
        config.write_text(config.read_text().replace("current-context", another))
        words = ("cluster", "check", "--context", "c", "--context", "d", "--jobs", "1")
        with self.start(*words, password=None) as running:
            runs = self.folder / "runs"
            while not (runs.exists() and runs.read_text()):  # the shell makes it before it writes
                self.assertIsNone(running.poll())
            running.send_signal(signal.SIGTERM)
            _, err = running.communicate(timeout=60)
        self.assertEqual(5, running.returncode, err)
        self.assertEqual("run\n", runs.read_text())

    def test_a_plugin_that_needs_a_terminal(self):
        self.kubeconfig(f"exec: {{apiVersion: {V1}, command: 'true', interactiveMode: Always}}")
        self.assert_checked("plugin_wants_a_terminal", 65)

    def test_a_server_without_a_scheme(self):
        self.kubeconfig(server="127.0.0.1:6443")
        self.assert_checked("no_scheme", 65)

    def test_a_context_that_is_not_there(self):
        self.kubeconfig()
        self.assert_checked("no_context", 65, "--context", "d")

    def test_nothing_at_all(self):
        self.environment.pop("KUBECONFIG")
        self.assert_checked("nothing", 65)

    def test_verification_skipped_and_a_file_that_others_can_read(self):
        self.kubeconfig(authority="insecure-skip-tls-verify: true", mode=0o644)
        self.assert_checked("not_verified", 0)


class Unverified(ClusterTest):
    def test_keys_are_pushed_only_when_it_is_said_on_the_command_line(self):
        self.kubeconfig(authority="insecure-skip-tls-verify: true")
        self.write_mesh("east", east={"context": "c"})
        self.assert_apply_refused("unverified_push", 4)
        self.environment["MESHTRUST_INSECURE_SKIP_TLS_VERIFY"] = "1"
        self.assertEqual(4, self.apply().code)
        done = self.apply("--insecure-skip-tls-verify")
        self.assertEqual(0, done.code, done.err)


if __name__ == "__main__":
    unittest.main()
