#!/usr/bin/env python3
"""What destroy takes away, on real API servers: what this mesh made, and nothing of others."""

import unittest

import handmade
from support import MeshTest
from test_permissions import PermissionTest

# Everything that is looked at, but no Secret.
LOOKS_WITHOUT_SECRETS = [
    {
        "apiGroups": [""],
        "resources": ["namespaces", "nodes", "configmaps", "pods", "services", "serviceaccounts"],
        "verbs": ["get", "list"],
    },
    {
        "apiGroups": [
            "apps",
            "autoscaling",
            "policy",
            "discovery.k8s.io",
            "rbac.authorization.k8s.io",
            "admissionregistration.k8s.io",
        ],
        "resources": ["*"],
        "verbs": ["get", "list"],
    },
]


class Destroy(MeshTest):
    """The trust of two clusters, in namespaces that meshtrust made."""

    def setUp(self):
        super().setUp()
        self.apply_all()

    def path(self, what=""):
        return f"/api/v1/namespaces/{self.namespace}{what}"

    def destroy(self, code, *words):
        return self.expect(code, "destroy", "--yes", *words)

    def refused(self, code, *words):
        """Nothing is touched anywhere, and nothing is said to be gone."""
        marks = [(cluster, cluster.mark()) for cluster in (self.east, self.west)]
        done = self.destroy(code, *words)
        self.assertEqual("", done.out)
        self.assertIn("nothing was removed anywhere\n", done.err)
        for cluster, mark in marks:
            self.assertEqual([], cluster.writes_since(mark))
        return done

    def replace_cacerts(self):
        """Somebody else's CA takes the place of ours."""
        self.east.delete(self.path("/secrets/cacerts"))
        self.east.make_secret(self.namespace, "cacerts", handmade.make_bundle(handmade.make_root(), "east"))

    def gone(self, cluster):
        namespace = cluster.get(self.path())
        return namespace is None

    def test_all_of_it_goes(self):
        done = self.destroy(0)
        self.assertEqual("Nothing of mesh 'mesh' is left.\n", done.out)
        self.assertTrue(self.gone(self.east) and self.gone(self.west))
        self.assertEqual("Nothing to do: nothing of mesh 'mesh' is left.\n", self.destroy(0).out)

    def test_a_namespace_stays_in_which_others_keep_a_config_map(self):
        self.east.make_config_map(self.namespace, "shop-config", {"of": "others"})
        done = self.destroy(0)
        self.assertEqual("Nothing of mesh 'mesh' is left but namespaces in which others keep things.\n", done.out)
        self.assertIn("others keep things in it [namespace-stays]\nmeshtrust: seen: ConfigMap shop-config\n", done.err)
        self.assertEqual({"of": "others"}, self.east.get(self.path("/configmaps/shop-config"))["data"])
        self.assertIsNone(self.east.get(self.path("/secrets/cacerts")))
        self.assertTrue(self.gone(self.west))
        self.destroy(0, "--with-namespace")
        self.assertTrue(self.gone(self.east))

    def test_a_foreign_cacerts_stays_with_its_namespace(self):
        self.replace_cacerts()
        before = self.east.get(self.path("/secrets/cacerts"))
        self.refused(4, "--with-namespace")
        self.meshtrust("destroy", "--yes")
        self.assertEqual(before, self.east.get(self.path("/secrets/cacerts")))

    def test_a_missing_store_is_no_reason_to_say_that_nothing_is_left(self):
        self.store.rename(self.folder / "elsewhere.trust")
        done = self.refused(4)
        self.assertIn("there is no trust store at 'mesh.trust'", done.err)

    def test_a_damaged_store_is_no_reason_to_say_that_nothing_is_left(self):
        database = self.store / "store.db"
        content = bytearray(database.read_bytes())
        content[20] ^= 0xFF
        database.write_bytes(content)
        self.refused(65)

    def test_an_api_that_does_not_answer_may_hold_things_of_others(self):
        services = "/apis/apiregistration.k8s.io/v1/apiservices"
        name = "v1.nobody.example.com"
        self.east.create(
            services,
            {
                "metadata": {"name": name},
                "spec": {
                    "group": "nobody.example.com",
                    "version": "v1",
                    "groupPriorityMinimum": 1000,
                    "versionPriority": 10,
                    "insecureSkipTLSVerify": True,
                    "service": {"namespace": "default", "name": "nobody"},
                },
            },
        )
        self.addCleanup(self.east.delete, f"{services}/{name}")
        done = self.refused(69)
        self.assertIn("nobody.example.com/v1", done.err)


class Unreadable(PermissionTest):
    """A cacerts that may not be read may be anybody's."""

    def test_a_foreign_cacerts_that_may_not_be_read_stays(self):
        self.apply_all()
        path = f"/api/v1/namespaces/{self.namespace}/secrets/cacerts"
        self.east.delete(path)
        self.east.make_secret(self.namespace, "cacerts", handmade.make_bundle(handmade.make_root(), "east"))
        before = self.east.get(path)
        self.become(east=LOOKS_WITHOUT_SECRETS, west=LOOKS_WITHOUT_SECRETS)
        done = self.expect(77, "destroy", "--yes")
        self.assertEqual("", done.out)
        self.assertIn("nothing was removed anywhere\n", done.err)
        self.assertEqual(before, self.east.get(path))


if __name__ == "__main__":
    unittest.main()
