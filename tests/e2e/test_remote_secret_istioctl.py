#!/usr/bin/env python3
"""`remote-secret create` beside the real `istioctl create-remote-secret`: the same flags, the same object."""

import json
import subprocess
import unittest


from support import MeshTest, real

FLAGS = (
    (),
    ("--name", "east"),
    ("--name", "east", "--server", "https://172.18.0.3:6443", "--tls-server-name", "kubernetes"),
    ("--name", "east", "--create-service-account=false"),
    ("--name", "east", "--type", "remote", "--service-account", "istio-reader-service-account"),
    ("--name", "east", "--type", "config", "--service-account", "istio-reader-service-account"),
    ("--name", "east", "--secret-name", "istio-reader-service-account-istio-remote-secret-token"),
    ("--name", "east", "--auth-type", "plugin", "--auth-plugin-name", "oidc"),
)


class SameAsIstioctl(MeshTest):
    @classmethod
    def setUpClass(cls):
        real.skip_without_rig("istioctl")
        super().setUpClass()
        cls.istioctl_path = cls.rig.answer("which", "istioctl")

    def istioctl(self, *words):
        command = [self.istioctl_path, "create-remote-secret", *words]
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, check=True).stdout

    def parsed(self, text):
        """A manifest as the API server understands it: kubectl turns it into JSON, the kubeconfig as well."""
        kubectl = [self.rig.answer("which", "kubectl"), "--context", "east"]
        convert = [*kubectl, "create", "--dry-run=client", "--validate=false", "-o", "json", "-f", "-"]
        done = subprocess.run(convert, input=text, env=self.environment, capture_output=True, text=True, check=True)
        secret = json.loads(done.stdout)
        view = [kubectl[0], "config", "view", "--raw", "-o", "json", "--kubeconfig", "/dev/stdin"]
        for key, value in secret["stringData"].items():
            done = subprocess.run(view, input=value, capture_output=True, text=True, check=True)
            secret["stringData"][key] = json.loads(done.stdout)
        return secret

    def test_every_flag_gives_the_same_object(self):
        self.expect(0, "remote-secret", "create", "--context", "east", "-n", self.namespace, "--name", "east")
        for flags in FLAGS:
            with self.subTest(flags=flags):
                words = ("--context", "east", "-n", self.namespace, *flags)
                theirs = self.istioctl(*words)
                ours = self.expect(0, "remote-secret", "create", *words).out
                self.assertEqual(self.parsed(theirs), self.parsed(ours))

    def test_a_reader_that_is_missing_gets_the_same_rights(self):
        other = self.namespace + "-2"
        self.istioctl("--context", "east", "-n", other, "--name", "east")
        self.expect(0, "remote-secret", "create", "--context", "east", "-n", self.namespace, "--name", "east")
        rules = [
            self.east.get(f"/apis/rbac.authorization.k8s.io/v1/clusterroles/istio-reader-clusterrole-{one}")["rules"]
            for one in (other, self.namespace)
        ]
        self.assertEqual(*map(permissions, rules))


def permissions(rules):
    """Rules one by one, whatever way they are grouped. What `*` covers is left out beside it."""
    single = {
        (group, resource, verb)
        for rule in rules
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    return {one for one in single if one[1] == "*" or (one[0], "*", one[2]) not in single}


if __name__ == "__main__":
    unittest.main()
