"""A mesh made by hand: the commands of the tutorials, one after the other, each waited for.

Everything is done by istioctl and kubectl, which have to be on PATH, and in the network namespace of
the clusters if they have one.
"""

import json
import subprocess
import tempfile
import time
from pathlib import Path

from . import documents
from .blueprint import SYSTEM
from .cacerts import make_cacerts
from .report import RigError

PATIENCE_SECONDS = 90
POLL_SECONDS = 0.25


class Hand:
    """Runs commands and counts them. `contexts` maps names of clusters to those of contexts."""

    def __init__(self, contexts=None, environment=None, say=lambda line: None):
        self.commands = []  # as typed, without what was piped in
        self._contexts = contexts or {}
        self._environment = environment
        self._say = say

    def run(self, program, cluster, *words, given=None, may_fail=False):
        """What the command answers. `given` is typed into it."""
        command = [program, "--context", self._contexts.get(cluster, cluster), *map(str, words)]
        self.commands.append(" ".join(command))
        self._say(self.commands[-1])
        done = subprocess.run(
            command, input=given, capture_output=True, text=True, env=self._environment, check=False
        )
        if done.returncode != 0 and not may_fail:
            raise RigError(f"'{self.commands[-1]}' failed:\n{(done.stderr or done.stdout).strip()}")
        return done if may_fail else done.stdout

    def apply(self, cluster, *objects):
        """Again until the webhook that validates Istio's objects answers: it is later than istiod."""
        text = "\n---\n".join(map(json.dumps, objects))

        def try_it():
            done = self.run(
                "kubectl", cluster, "apply", "--server-side", "-f", "-", given=text, may_fail=True
            )
            if done.returncode != 0 and "failed calling webhook" not in done.stderr:
                raise RigError(f"{cluster}: {done.stderr.strip()}")
            return done.returncode == 0

        self.wait(f"{cluster} to accept {', '.join(one['kind'] for one in objects)}", try_it)

    def apply_files(self, cluster, *paths):
        for path in paths:
            self.run("kubectl", cluster, "apply", "--server-side", "-f", path)

    def install(self, cluster, file):
        self.run("istioctl", cluster, "install", "-y", "-f", self._written(file))

    def render_and_apply(self, cluster, file):
        """For what istioctl's own waits would never end: its parts are ready only later."""
        rendered = self.run("istioctl", cluster, "manifest", "generate", "-f", self._written(file))
        apply = ("apply", "--server-side", "--force-conflicts", "-f", "-")
        # Objects of kinds that the same manifest defines fail as long as their kind is not served.
        self.wait(
            f"{cluster} to accept what istioctl rendered",
            lambda: self.run("kubectl", cluster, *apply, given=rendered, may_fail=True).returncode == 0,
        )

    def get(self, cluster, namespace, kind, name, path):
        """A field of an object; empty while there is neither."""
        words = ("-n", namespace, "get", kind, name, "--ignore-not-found", "-o", f"jsonpath={path}")
        return self.run("kubectl", cluster, *words)

    def wait(self, what, question):
        """Asks until there is an answer; a person would type it again."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not (answer := question()):
            if time.monotonic() > deadline:
                raise RigError(f"gave up waiting for {what} after {PATIENCE_SECONDS} s")
            time.sleep(POLL_SECONDS)
        return answer

    def _written(self, file):
        path = Path(self._folder().name, "operator.json")
        path.write_text(json.dumps(file))
        return path

    def _folder(self):
        if not hasattr(self, "_temporary"):
            self._temporary = tempfile.TemporaryDirectory(prefix="rig-hand-")
        return self._temporary


class Builder:
    """Makes the mesh of one blueprint. Nothing else may be in its clusters."""

    def __init__(self, hand, blueprint, folder, gateway_api=None):
        self._hand = hand
        self._blueprint = blueprint
        self._folder = folder  # where the root key is, or will be
        self._gateway_api = gateway_api  # the folder of the CRDs, for ambient meshes

    def build(self):
        if self._blueprint.model == "external-control-plane":
            self._build_external()
        else:
            self._build_primaries()
            self._build_remotes(self._blueprint.having("remote"), "istio-eastwestgateway", SYSTEM)
        self._introduce()

    # Clusters with an istiod of their own

    def _build_primaries(self):
        for member in self._blueprint.having("primary"):
            self._make_namespace(member)
            self._push_cacerts(member, self._blueprint.namespace)
            if self._blueprint.is_ambient():
                self._install_ambient(member)
            else:
                self._install_sidecars(member)

    def _install_sidecars(self, member):
        manages = any(one.managed_by == member.name for one in self._blueprint.members)
        self._hand.install(
            member.name,
            documents.control_plane(member.name, member.network, self._blueprint.mesh_id, manages),
        )
        if self._blueprint.has_eastwest_gateway(member):
            self._hand.install(member.name, documents.eastwest_gateway(member.network))
        exposed = documents.istiod_exposure() if manages else []
        exposed += documents.services_exposure() if self._blueprint.is_multi_network() else []
        if exposed:
            self._hand.apply(member.name, *exposed)

    def _install_ambient(self, member):
        self._hand.apply_files(member.name, self._gateway_api)
        self._hand.install(
            member.name,
            documents.ambient_control_plane(member.name, member.network, self._blueprint.mesh_id),
        )
        self._hand.apply(member.name, documents.ambient_gateway(member.network))
        path = '{.status.conditions[?(@.type=="Programmed")].status}'
        self._hand.wait(
            f"the gateway of {member.name} to be programmed",
            lambda: self._hand.get(member.name, self._blueprint.namespace, "gtw", documents.GATEWAY, path) == "True",
        )

    # Clusters without

    def _build_remotes(self, remotes, gateway, gateway_namespace):
        for member in remotes:
            manager = self._blueprint.member(member.managed_by)
            address = self._address(manager.name, gateway_namespace, gateway)
            self._make_namespace(member, self._blueprint.cluster_id(manager))
            self._hand.install(
                member.name,
                documents.remote(member.name, member.network, address, self._blueprint.namespace),
            )
            self._introduce_one(member, manager)
            self._await_adoption(member)
            if self._blueprint.has_eastwest_gateway(member):
                self._hand.install(
                    member.name, documents.eastwest_gateway(member.network, self._blueprint.namespace)
                )

    def _await_adoption(self, member):
        path = "{.webhooks[0].clientConfig.caBundle}"
        suffix = "" if self._blueprint.namespace == "istio-system" else f"-{self._blueprint.namespace}"
        self._hand.wait(
            f"{member.name} to be adopted",
            lambda: self._hand.get(
                member.name, "default", "mutatingwebhookconfiguration", f"istio-sidecar-injector{suffix}", path
            )
            and self._hand.get(member.name, "default", "configmap", "istio-ca-root-cert", "{.metadata.name}"),
        )

    # An istiod outside of the clusters that it serves

    def _build_external(self):
        (hub,) = self._blueprint.having("external")
        (config,) = self._blueprint.having("config")
        name, space = hub.name, self._blueprint.namespace
        self._hand.apply(name, documents.namespace("istio-system", hub.network))
        self._hand.install(name, documents.ingress_control_plane())
        address = self._address(name, "istio-system", "istio-ingressgateway")

        self._make_namespace(config)
        self._hand.render_and_apply(
            config.name, documents.config_cluster(config.name, config.network, address, space)
        )
        self._hand.apply(name, documents.namespace(space, hub.network))
        self._push_cacerts(hub, space)
        self._push_config_secret(config, hub)
        self._hand.install(
            name,
            documents.external_control_plane(
                config.name, config.network, self._blueprint.mesh_id, address, space
            ),
        )
        self._hand.apply(name, *documents.istiod_exposure(space, "ingressgateway", "external-istiod"))
        self._await_adoption(config)
        self._build_remotes(self._blueprint.having("remote"), "istio-ingressgateway", "istio-system")
        if self._blueprint.has_eastwest_gateway(config):
            self._hand.install(config.name, documents.eastwest_gateway(config.network, space))
            self._hand.apply(config.name, *documents.services_exposure(space))

    def _push_config_secret(self, config, hub):
        words = ("--type", "config", "--service-account", "istiod", "--create-service-account=false")
        secret = self._remote_secret(config.name, *words)
        # With its label istiod would take its own configuration for one more cluster, named config.
        secret = secret.replace('    istio/multiCluster: "true"\n', "").replace("  labels:\n", "")
        self._hand.run("kubectl", hub.name, "apply", "--server-side", "-f", "-", given=secret)

    # What all have in common

    def _make_namespace(self, member, control_plane=""):
        self._hand.apply(
            member.name, documents.namespace(self._blueprint.namespace, member.network, control_plane)
        )

    def _push_cacerts(self, member, namespace):
        files = make_cacerts(self._folder, member.name)
        self._hand.apply(member.name, documents.secret(namespace, "cacerts", files))

    def _address(self, cluster, namespace, gateway):
        path = "{.status.loadBalancer.ingress[0].ip}"
        return self._hand.wait(
            f"the address of {gateway} in {cluster}",
            lambda: self._hand.get(cluster, namespace, "service", gateway, path),
        )

    def _introduce(self):
        """Every istiod to every other cluster with one."""
        primaries = self._blueprint.having("primary")
        for target in primaries:
            for source in primaries:
                if source != target:
                    self._introduce_one(source, target)

    def _introduce_one(self, source, target):
        secret = self._remote_secret(source.name)
        self._hand.run("kubectl", target.name, "apply", "--server-side", "-f", "-", given=secret)

    def _remote_secret(self, cluster, *words):
        space = self._blueprint.namespace
        return self._hand.run("istioctl", cluster, "create-remote-secret", "--name", cluster, "-n", space, *words)
