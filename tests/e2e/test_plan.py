#!/usr/bin/env python3
"""plan touches nothing and tells all; a saved plan is run as it was reviewed or not at all."""

import json
import unittest

from support import MeshTest


class Planning(MeshTest):
    def setUp(self):
        super().setUp()
        self.write_mesh()

    def test_a_plan_is_told_and_nothing_is_touched(self):
        files = self.contents()
        with self.nothing_written():
            told = self.expect(0, "plan", password=None)
        self.assert_told("plan.out", told.out)
        self.assertEqual(files, self.contents())
        self.assertIsNone(self.east.get(f"/api/v1/namespaces/{self.namespace}"))

    def test_two_plans_are_the_same(self):
        first, second = (self.expect(0, "plan", "-o", "json").out for _ in range(2))
        self.assertEqual(first, second)

    def test_a_pipeline_learns_whether_anything_is_pending(self):
        self.expect(2, "plan", "--detailed-exitcode", password=None)
        self.assertEqual(0, self.apply().code)
        done = self.expect(0, "plan", "--detailed-exitcode", password=None)
        self.assert_told("plan_empty.out", done.out)

    def test_what_is_gone_is_all_that_is_planned(self):
        self.apply()
        self.west.delete(self.path_of("configmaps", "meshtrust-trust"))
        self.assert_told("plan_one_step.out", self.expect(2, "plan", "--detailed-exitcode").out)

    def test_json_is_one_document(self):
        plan = json.loads(self.expect(0, "plan", "-o", "json").out)
        self.assertEqual(("meshtrust/v1", "Plan"), (plan["apiVersion"], plan["kind"]))
        self.assertEqual(7, len(plan["steps"]))

    def test_yaml_and_json_say_the_same(self):
        plan = json.loads(self.expect(0, "plan", "-o", "json").out)
        text = self.expect(0, "plan", "-o", "yaml").out
        self.assertTrue(text.startswith("apiVersion: meshtrust/v1\nkind: Plan\n"), text)
        for step in plan["steps"]:
            self.assertIn(f"\n    id: {step['id']}\n", text)


class SavedPlan(MeshTest):
    def setUp(self):
        super().setUp()
        self.write_mesh()
        self.expect(0, "plan", "--out", "plan.json")

    def test_a_plan_that_still_holds_is_run(self):
        saved = json.loads((self.folder / "plan.json").read_text())
        self.assertEqual(saved, json.loads(self.expect(0, "plan", "-o", "json").out))
        done = self.apply("--plan", "plan.json")
        self.assertEqual(0, done.code, done.err)
        self.assertIsNotNone(self.cacerts(self.east))

    def test_a_mesh_file_that_changed_since_is_refused(self):
        self.write_mesh("east", "west", "central")
        self.assert_apply_refused("saved_plan_other_mesh", 4, "--plan", "plan.json")

    def test_a_cluster_that_changed_since_is_refused(self):
        self.east.make_namespace(self.namespace)
        self.assert_apply_refused("saved_plan_other_cluster", 4, "--plan", "plan.json")

    def test_a_file_that_is_no_plan_is_refused(self):
        for name, content in (("garbage", "{"), ("other", '{"kind": "Other"}')):
            (self.folder / "plan.json").write_text(content)
            with self.subTest(name):
                self.assert_apply_refused(f"saved_plan_{name}", 65, "--plan", "plan.json")

    def test_a_plan_that_is_not_there_is_named(self):
        self.assert_apply_refused("saved_plan_missing", 65, "--plan", "nowhere.json")


class Confirmation(MeshTest):
    def test_without_yes_and_terminal_it_shows_the_plan_and_ends(self):
        self.write_mesh()
        files = self.contents()
        with self.nothing_written():
            self.assert_refused("apply_without_yes", 64, "apply", "--only", "trust")
        self.assertEqual(files, self.contents())

    def test_more_than_trust_wants_a_version_of_istio_and_servers_that_peers_reach(self):
        self.write_mesh()
        with self.nothing_written():
            self.assert_refused("apply_without_version", 65, "apply", "--yes")

    def test_there_is_one_thing_to_stop_after(self):
        self.write_mesh()
        with self.nothing_written():
            self.assert_refused("apply_only_other", 64, "apply", "--yes", "--only", "gateways")

    def test_a_new_root_key_needs_a_passphrase(self):
        self.write_mesh()
        self.assert_apply_refused("apply_without_passphrase", 64, password=None)
        self.assert_apply_refused("apply_empty_passphrase", 64, password="")

    def test_a_cluster_that_the_mesh_has_not_is_named(self):
        self.write_mesh()
        self.assert_apply_refused("apply_unknown_cluster", 64, "esat")


if __name__ == "__main__":
    unittest.main()
