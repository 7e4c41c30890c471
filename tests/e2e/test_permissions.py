#!/usr/bin/env python3
"""People with few rights: viewers see all but keys, operators learn what they lack before any write."""

import os
import unittest

from support import MeshTest

READ_NAMESPACES = {"apiGroups": [""], "resources": ["namespaces"], "verbs": ["get"]}
READ_PUBLIC = [
    {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]},
    {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["list"]},
]
READ_SECRETS = {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}
WRITE_PUBLIC = [
    {"apiGroups": [""], "resources": ["namespaces"], "verbs": ["create", "patch"]},
    {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["create", "patch"]},
]
WRITE_SECRETS = {"apiGroups": [""], "resources": ["secrets"], "verbs": ["create", "patch"]}
HOLD_LEASES = {
    "apiGroups": ["coordination.k8s.io"],
    "resources": ["leases"],
    "verbs": ["get", "create", "update", "delete"],
}
VIEWER = [READ_NAMESPACES, *READ_PUBLIC]
OPERATOR = [*VIEWER, READ_SECRETS, *WRITE_PUBLIC, WRITE_SECRETS, HOLD_LEASES]


class PermissionTest(MeshTest):
    def become(self, **rules):
        """Uses, per cluster, a user with just these rules."""
        paths = []
        for cluster, its_rules in rules.items():
            user = f"somebody-{self.namespace}-{cluster}"
            self.grant(self.rig.clusters[cluster], user, its_rules)
            paths.append(str(self.rig.user(cluster, user)))
        self.environment["KUBECONFIG"] = os.pathsep.join(paths)

    @staticmethod
    def grant(cluster, user, rules):
        base = "/apis/rbac.authorization.k8s.io/v1"
        metadata = {"name": user}
        cluster.create(f"{base}/clusterroles", {"metadata": metadata, "rules": rules})
        role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": user}
        subject = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}
        cluster.create(
            f"{base}/clusterrolebindings", {"metadata": metadata, "roleRef": role, "subjects": [subject]}
        )

    def names(self):
        return {f"somebody-{self.namespace}": "SOMEBODY"} | super().names()


class Viewer(PermissionTest):
    """May read everything but secrets."""

    def prepare(self):
        self.apply_all()
        self.become(east=VIEWER, west=VIEWER)

    def setUp(self):
        super().setUp()
        if self.scene:
            self.environment["KUBECONFIG"] = self.scene.environment["KUBECONFIG"]

    def test_verify_proves_trust_from_the_public_twin(self):
        with self.nothing_written():
            done = self.expect(0, "verify", password=None)
        self.assert_told("viewer_verify.out", done.out)

    def test_status_shows_the_mesh(self):
        with self.nothing_written():
            done = self.expect(0, "status", password=None)
        self.assert_told("viewer_status.out", done.out)

    def test_neither_needs_the_trust_store(self):
        self.store.rename(self.home / "elsewhere.trust")
        self.assertIn("2 of 2 ordered pairs accepted", self.expect(0, "verify", password=None).out)
        self.expect(0, "status", password=None)

    def test_apply_is_not_permitted_and_nothing_is_written(self):
        self.assert_apply_refused("viewer_apply", 77)

    def test_plan_is_not_made_over_what_may_not_be_seen(self):
        with self.nothing_written():
            self.assert_refused("viewer_plan", 77, "plan", password=None)


class Operator(PermissionTest):
    """May do all, or all but one thing."""

    def setUp(self):
        super().setUp()
        self.write_mesh()

    def test_these_rights_suffice(self):
        self.become(east=OPERATOR, west=OPERATOR)
        done = self.apply()
        self.assertEqual(0, done.code, done.err)

    def test_what_is_missing_in_one_cluster_stops_both(self):
        without = [rule for rule in OPERATOR if rule is not WRITE_SECRETS]
        self.become(east=OPERATOR, west=without)
        self.assert_apply_refused("operator_cannot_write_secrets", 77)

    def test_what_is_missing_in_both_is_told_together(self):
        self.become(east=VIEWER + [READ_SECRETS], west=VIEWER + [READ_SECRETS])
        self.assert_apply_refused("operator_can_only_read", 77)

    def test_somebody_without_any_right(self):
        self.become(east=[], west=[])
        self.assert_apply_refused("nobody", 77)

    def test_one_object_that_may_not_be_read_is_not_taken_for_absent(self):
        for resource in ("secrets", "configmaps", "namespaces", "deployments"):
            with self.subTest(resource):
                self.namespace = f"{self.namespace}x"
                self.write_mesh()
                rules = [rule for rule in OPERATOR if rule["resources"] != [resource]]
                self.become(east=OPERATOR, west=rules)
                self.assert_apply_refused(f"may_not_read_{resource}", 77)


if __name__ == "__main__":
    unittest.main()
