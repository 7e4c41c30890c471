#!/usr/bin/env python3
"""The API client's verbs, lists, watches and tokens against a real API server.

The tests themselves are a C++ program, k8s_client.cpp; this starts the server, makes a namespace and
runs it, as an administrator and as somebody who may not watch.
"""

import os
import secrets
import subprocess
import unittest
from pathlib import Path

import clusters as real

HERE = Path(__file__).resolve().parent
PROGRAM = Path(os.environ.get("MESHTRUST_BINARY") or HERE.parents[1] / "build/dev/meshtrust").parent / "tests/k8s_client_tests"


class ApiClient(unittest.TestCase):
    def setUp(self):
        self.rig = real.rig()
        self.assertTrue(PROGRAM.is_file(), f"there is no '{PROGRAM}': build the target k8s_client_tests")
        self.east = self.rig.clusters["east"]
        self.namespace = f"client-{secrets.token_hex(4)}"
        self.east.make_namespace(self.namespace)

    def run_tests(self, kubeconfig, *only):
        environment = {
            "PATH": os.environ["PATH"],
            "MESHTRUST_TEST_KUBECONFIG": str(kubeconfig),
            "MESHTRUST_TEST_NAMESPACE": self.namespace,
        }
        command = [PROGRAM, "--gtest_brief=1", *only]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)

    def test_as_an_administrator(self):
        done = self.run_tests(self.east.kubeconfig)
        self.assertEqual(0, done.returncode, done.stdout + done.stderr)

    def test_who_may_only_get_polls(self):
        user = f"getter-{self.namespace}"
        rules = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "create", "patch"]}]
        base = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{self.namespace}"
        group = "rbac.authorization.k8s.io"
        self.east.create(f"{base}/roles", {"metadata": {"name": user}, "rules": rules})
        self.east.create(
            f"{base}/rolebindings",
            {
                "metadata": {"name": user},
                "roleRef": {"apiGroup": group, "kind": "Role", "name": user},
                "subjects": [{"apiGroup": group, "kind": "User", "name": user}],
            },
        )
        mark = self.east.mark()
        kubeconfig = self.rig.user("east", user)
        done = self.run_tests(kubeconfig, "--gtest_filter=*WatchesUntilSomethingHappens")
        self.assertEqual(0, done.returncode, done.stdout + done.stderr)
        verbs = [verb for verb, uri, code in self.east.requests_since(mark) if "configmaps" in uri]
        self.assertIn("list", verbs)  # refused
        self.assertIn("get", verbs)
        self.assertNotIn("watch", verbs)


if __name__ == "__main__":
    unittest.main()
