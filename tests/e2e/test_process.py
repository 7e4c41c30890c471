#!/usr/bin/env python3
"""The program as a process: what others can see of it, what its children get, how it is interrupted."""

import base64
import json
import signal
import time
import unittest
from pathlib import Path

from support import BINARY, PASSPHRASE, MeshTest

PLUGIN = """\
#!/bin/sh
env >>{record}
tr '\\0' ' ' </proc/self/cmdline >>{record}
tr '\\0' ' ' </proc/$PPID/environ >>{record}
tr '\\0' ' ' </proc/$PPID/cmdline >>{record}
cat {credential}
"""
EXEC_USER = """\
- name: "{user}"
  user:
    exec:
      apiVersion: client.authentication.k8s.io/v1
      command: {command}
      interactiveMode: Never
"""


class Secrets(MeshTest):
    def test_the_passphrase_can_be_seen_in_no_environment_and_no_command_line(self):
        self.write_mesh("east")
        record = self.home / "record"
        kubeconfig = self.kubeconfig_with_plugin(record)
        done = self.apply(environment={"KUBECONFIG": str(kubeconfig)})
        self.assertEqual(0, done.code, done.err)
        told = record.read_text()
        self.assertIn("KUBERNETES_EXEC_INFO", told)  # the plugin was really run
        self.assertIn(BINARY, told)
        self.assertNotIn(PASSPHRASE, told + done.out + done.err)

    def test_the_secrets_of_tls_are_never_written_down(self):
        self.write_mesh("east")
        log, record = self.home / "tls-keys", self.home / "record"
        kubeconfig = self.kubeconfig_with_plugin(record)
        unsafe = {"SSLKEYLOGFILE": str(log), "OPENSSL_CONF": "/nowhere", "OPENSSL_MODULES": "/nowhere"}
        done = self.apply(environment=unsafe | {"KUBECONFIG": str(kubeconfig)})
        self.assertEqual(0, done.code, done.err)
        self.assertFalse(log.exists())
        # The plugin sees its own environment first, then that which this program was started with.
        own = record.read_text().partition(BINARY)[0]
        for name in unsafe:
            self.assertNotIn(f"\n{name}=", "\n" + own)

    def test_a_plugin_of_a_kubeconfig_that_the_mesh_file_names_needs_a_word(self):
        record = self.folder / "record"
        kubeconfig = self.kubeconfig_with_plugin(record, self.folder)
        self.write_mesh("east", east={"kubeconfig": kubeconfig.name})
        for environment in ({}, {"MESHTRUST_ALLOW_EXEC": "1"}):
            self.assert_apply_refused("plugin_of_mesh_file", 65, environment=environment)
        self.assertFalse(record.exists())
        self.assertEqual(0, self.apply("--allow-exec").code)
        self.assertTrue(record.exists())

    def test_a_file_elsewhere_of_a_kubeconfig_that_the_mesh_file_names_needs_a_word(self):
        text = self.east.kubeconfig.read_text()
        key = self.home / "key.pem"
        key.write_text(self.value_of(text, "client-key-data"))
        key.chmod(0o600)
        line = next(line for line in text.splitlines() if "client-key-data" in line)
        kubeconfig = self.folder / "east.kubeconfig"
        kubeconfig.write_text(text.replace(line.strip(), "client-key: ../key.pem"))
        kubeconfig.chmod(0o600)
        self.write_mesh("east", east={"kubeconfig": kubeconfig.name})
        self.assert_apply_refused("files_of_mesh_file", 65)
        done = self.apply("--allow-credential-files")
        self.assertEqual(0, done.code, done.err)

    def kubeconfig_with_plugin(self, record, folder=None):
        """A kubeconfig for east whose credentials come from a program that looks around."""
        folder = folder or self.home
        text = self.east.kubeconfig.read_text()
        certificate, key = (self.value_of(text, name) for name in ("client-certificate-data", "client-key-data"))
        status = {"clientCertificateData": certificate, "clientKeyData": key}
        kind = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential"}
        credential, plugin = folder / "credential.json", folder / "plugin"
        credential.write_text(json.dumps(kind | {"status": status}))
        plugin.write_text(PLUGIN.format(record=record, credential=credential))
        plugin.chmod(0o700)
        kubeconfig = folder / "plugin.kubeconfig"
        user = EXEC_USER.format(user="east-admin", command=plugin)
        kubeconfig.write_text(text[: text.index("users:")] + "users:\n" + user)
        kubeconfig.chmod(0o600)
        return kubeconfig

    @staticmethod
    def value_of(kubeconfig, name):
        line = next(line for line in kubeconfig.splitlines() if name in line)
        return base64.b64decode(line.partition(": ")[2]).decode()

    def test_what_a_plugin_prints_wrongly_is_told(self):
        self.write_mesh("east")
        kubeconfig = self.kubeconfig_with_plugin(self.home / "record")
        (self.home / "credential.json").write_text("no json")
        with self.nothing_written():
            done = self.apply(environment={"KUBECONFIG": str(kubeconfig)})
        self.assertIn(done.code, (65, 69), done.err)
        self.assertEqual(1, done.err.count("error:"), done.err)


class Interrupted(MeshTest):
    def run_stopped_in_the_lock(self):
        """An apply that has the lock and has not written to the new clusters yet, stopped."""
        self.apply_all("east")
        self.write_mesh("east", "west", "central")
        child = self.start("apply", "--only", "trust", "--yes")
        self.addCleanup(child.communicate)
        self.addCleanup(child.kill)
        deadline = time.monotonic() + 20
        while str(child.pid) not in (self.store / "lock").read_text():
            self.assertIsNone(child.poll(), "ended before it was seen to hold the lock")
            self.assertLess(time.monotonic(), deadline)
        child.send_signal(signal.SIGSTOP)
        return child

    def test_its_memory_cannot_be_dumped_and_its_environment_is_clean(self):
        child = self.run_stopped_in_the_lock()
        process = Path("/proc", str(child.pid))
        self.assertNotIn(PASSPHRASE.encode(), (process / "environ").read_bytes())
        self.assertNotIn(PASSPHRASE.encode(), (process / "cmdline").read_bytes())
        limit = next(line for line in (process / "limits").read_text().splitlines() if "core file" in line)
        self.assertEqual(["0", "0"], limit.split()[4:6])

    def test_after_ctrl_c_the_next_run_goes_on(self):
        child = self.run_stopped_in_the_lock()
        child.send_signal(signal.SIGINT)
        child.send_signal(signal.SIGCONT)
        _, told = child.communicate(timeout=30)
        self.assertEqual(5, child.returncode, told)
        self.assertEqual("", (self.store / "lock").read_text())
        done = self.apply()
        self.assertEqual(0, done.code, done.err)
        self.assertIn("6 of 6 ordered pairs accepted", done.out)
        roots = {self.live_files(cluster)["root-cert.pem"] for cluster in self.all_clusters}
        self.assertEqual(1, len(roots))


if __name__ == "__main__":
    unittest.main()
