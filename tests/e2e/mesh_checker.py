#!/usr/bin/env python3
"""Judges a mesh from outside: is what runs in these clusters the mesh that was asked for?

    tests/rig/rig exec tests/e2e/mesh_checker.py --model MODEL CLUSTER... [--kubeconfig FILE] [--gone]

It shares no code with meshtrust and asks the API servers alone, by kubectl: objects as they are, the
istiods' own view of their clusters, and pods that are created for show (`dryRun=All`), so that the
real injector answers. Prints a JSON list of findings; 1 is its exit code when there are any. With
`--gone` it finds instead what such a mesh has left in clusters that it was taken away from.
"""

import argparse
import base64
import http.client
import json
import re
import secrets
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "rig"))

from riglib.blueprint import MODELS, blueprint  # noqa: E402

GATEWAY = "istio-eastwestgateway"
NETWORK_LABEL = "topology.istio.io/network"
CONTROL_PLANE = "topology.istio.io/controlPlaneClusters"
READ_BY_ISTIOD = (
    ("services", ""),
    ("pods", ""),
    ("namespaces", ""),
    ("endpointslices", "discovery.k8s.io"),
)
WORLD_READABLE = "secrets-readable"  # of every mesh whose readers are Istio's own


@dataclass(frozen=True)
class Finding:
    check: str  # what tests go by
    cluster: str
    text: str


class Server:
    """An API server, asked as the one user of a kubeconfig."""

    def __init__(self, kubeconfig):
        """`kubeconfig` as kubectl shows it: JSON, one context, everything inline."""
        cluster, user = kubeconfig["clusters"][0]["cluster"], kubeconfig["users"][0]["user"]
        self._address = urlsplit(cluster["server"])
        self._headers = {"Authorization": f"Bearer {user['token']}"} if "token" in user else {}
        self._tls = ssl.create_default_context(
            cadata=base64.b64decode(cluster["certificate-authority-data"]).decode()
        )
        if "client-certificate-data" in user:
            with tempfile.NamedTemporaryFile() as identity:  # ssl loads keys from files only
                for field in ("client-certificate-data", "client-key-data"):
                    identity.write(base64.b64decode(user[field]))
                identity.flush()
                self._tls.load_cert_chain(identity.name)

    def request(self, method, path, body=None):
        """(status, answer as JSON); OSError when nobody answers."""
        connection = http.client.HTTPSConnection(
            self._address.hostname, self._address.port, context=self._tls, timeout=20
        )
        try:
            content = None if body is None else json.dumps(body)
            headers = self._headers | {"Content-Type": "application/json"}
            connection.request(method, self._address.path.rstrip("/") + path, content, headers)
            response = connection.getresponse()
            text = response.read()
        except http.client.HTTPException as error:
            raise OSError(f"bad answer to {path}: {error!r}") from error
        finally:
            connection.close()
        is_json = response.headers.get_content_type() == "application/json"
        return response.status, json.loads(text) if is_json else {"message": text.decode()}

    def may(self, verb, resource, group=""):
        """Whether it would let us, in all namespaces."""
        attributes = {"verb": verb, "resource": resource, "group": group}
        body = {"spec": {"resourceAttributes": attributes}}
        review = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
        return self.request("POST", review, body)[1].get("status", {}).get("allowed", False)


def minified(*words, given=None):
    """A kubeconfig as JSON with one context; given by standard input it touches no file."""
    command = ["kubectl", "config", "view", "--raw", "--minify", "--flatten", "-o", "json", *words]
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise OSError(done.stderr.strip())
    return json.loads(done.stdout)


# Where the API has the kinds that are looked at.
FOLDERS = {
    "namespace": "/api/v1",
    "secret": "/api/v1",
    "configmap": "/api/v1",
    "service": "/api/v1",
    "serviceaccount": "/api/v1",
    "pod": "/api/v1",
    "deployment": "/apis/apps/v1",
    "daemonset": "/apis/apps/v1",
    "clusterrole": "/apis/rbac.authorization.k8s.io/v1",
    "clusterrolebinding": "/apis/rbac.authorization.k8s.io/v1",
    "customresourcedefinition": "/apis/apiextensions.k8s.io/v1",
    "lease": "/apis/coordination.k8s.io/v1",
    "mutatingwebhookconfiguration": "/apis/admissionregistration.k8s.io/v1",
    "validatingwebhookconfiguration": "/apis/admissionregistration.k8s.io/v1",
    "gateway.networking.istio.io": "/apis/networking.istio.io/v1",
    "gateway.gateway.networking.k8s.io": "/apis/gateway.networking.k8s.io/v1",
    "gatewayclass": "/apis/gateway.networking.k8s.io/v1",
}
OF_THE_CLUSTER = {
    "namespace",
    "clusterrole",
    "clusterrolebinding",
    "customresourcedefinition",
    "mutatingwebhookconfiguration",
    "validatingwebhookconfiguration",
    "gatewayclass",
}


# What a mesh makes outside of its own namespaces, or those themselves.
LEFT_BEHIND = (
    "namespace",
    "mutatingwebhookconfiguration",
    "validatingwebhookconfiguration",
    "clusterrole",
    "clusterrolebinding",
    "customresourcedefinition",
    "gatewayclass",
    "configmap",
    "lease",
)


class Cluster:
    """One cluster as its administrator sees it."""

    def __init__(self, name, context, kubeconfig=None):
        self.name = name
        self._command = ["kubectl", "--context", context]
        self._command += ["--kubeconfig", kubeconfig] if kubeconfig else []
        self._server = Server(minified(*self._command[1:]))

    def kubectl(self, *words, given=None):
        return subprocess.run([*self._command, *words], input=given, capture_output=True, text=True, check=False)

    def get(self, kind, name="", namespace=None, selector=None):
        """An object, None where there is none; without a name the list of all."""
        path = FOLDERS[kind]
        path += f"/namespaces/{namespace}" if namespace and kind not in OF_THE_CLUSTER else ""
        word = kind.partition(".")[0]
        path += f"/{word}{'es' if word.endswith('s') else 's'}"
        path += f"/{name}" if name else ""
        path += f"?labelSelector={quote(selector)}" if selector else ""
        status, answer = self._server.request("GET", path)
        if status == 404:
            return None if name else []
        if status != 200:
            raise OSError(f"{self.name}: GET {path}: {status} {answer.get('message')}")
        return answer if name else answer["items"]

    def create(self, kind, body, namespace=None, dry_run=False):
        """(status, answer)."""
        folder = FOLDERS[kind] + (f"/namespaces/{namespace}" if namespace else "")
        return self._server.request("POST", f"{folder}/{kind}s{'?dryRun=All' if dry_run else ''}", body)

    @contextmanager
    def pod_port(self, namespace, pod, port):
        """A URL of this machine that leads to a port of the pod, as loopback does inside of it."""
        command = [*self._command, "-n", namespace, "port-forward", f"pod/{pod}", f":{port}"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
            try:
                line = child.stdout.readline()
                found = re.search(r"127\.0\.0\.1:(\d+)", line)
                if not found:
                    raise OSError(f"{self.name}: no way to {namespace}/{pod}: {line}{child.stderr.read()}")
                yield f"http://127.0.0.1:{found[1]}"
            finally:
                child.terminate()

    def debug(self, namespace, pod, page):
        """A page of istiod's /debug, parsed."""
        with self.pod_port(namespace, pod, 15014) as url:
            return json.load(urllib.request.urlopen(f"{url}/debug/{page}", timeout=20))


class Checker:
    """All checks of one mesh. `clusters` maps names to `Cluster`s."""

    def __init__(self, mesh, clusters):
        self._mesh = mesh
        self._clusters = clusters
        self._found = []

    def findings(self):
        self._found = []
        roots = self._check_trust()
        for member in self._mesh.members:
            self._guard(member, self._check_namespace)
        for member, namespace in self._mesh.istiods():
            self._guard(member, self._check_istiod, namespace)
            self._guard(member, self._check_remote_secrets, namespace)
            if any(one.managed_by == member.name for one in self._mesh.members):
                self._guard(member, self._check_istiod_is_open)
        for member in self._mesh.members:
            if self._mesh.has_eastwest_gateway(member):
                self._guard(member, self._check_gateway)
            if member.role != "external":
                self._guard(member, self._check_webhooks, roots)
                self._guard(member, self._check_data_plane)
        return self._found

    def gone(self):
        """What is left of the mesh, and what still refuses pods for its sake."""
        self._found = []
        for member in self._mesh.members:
            self._guard(member, self._check_nothing_left)
            self._guard(member, self._check_pods_are_let_alone)
        return self._found

    def _check_nothing_left(self, member):
        for kind in LEFT_BEHIND:
            for one in self._cluster(member).get(kind):
                name, labels = one["metadata"]["name"], one["metadata"].get("labels", {})
                place = "/".join(filter(None, (one["metadata"].get("namespace"), name)))
                is_mesh = name == self._mesh.namespace or place.startswith(f"{self._mesh.namespace}/")
                if is_mesh or is_of_istio(name) or any(is_of_istio(label) for label in labels):
                    self._note("left", member, f"{kind} {place}")

    def _check_pods_are_let_alone(self, member):
        """Whatever label asks for a sidecar."""
        for label, value in (("istio-injection", "enabled"), ("istio.io/rev", "default")):
            status, made = self._try_pod(self._cluster(member), {label: value})
            if status != 201:
                self._note("left", member, f"pods are refused with {label}={value}: {made.get('message')}")

    def _guard(self, member, check, *arguments):
        """A check that cannot even ask is a finding of its own."""
        try:
            check(member, *arguments)
        except (OSError, ValueError, KeyError) as error:
            self._note("could-not-ask", member, f"{check.__name__}: {error}")

    def _note(self, check, member, text):
        self._found.append(Finding(check, member.name, text))

    # Trust

    def _check_trust(self):
        """Notes where roots differ; returns those that the mesh trusts."""
        signing = {}
        for member, namespace in self._mesh.istiods():
            found = self._cluster(member).get("secret", "cacerts", namespace)
            if found is None:
                self._note("cacerts", member, f"there is no secret {namespace}/cacerts")
                continue
            signing[member.name] = certificates(base64.b64decode(found["data"].get("root-cert.pem", "")).decode())
        expected = next(iter(signing.values()), set())
        for name, roots in signing.items():
            if roots != expected:
                self._note("roots-equal", self._mesh.member(name), "its cacerts has another root than the others")
        for member in self._mesh.members:
            if member.role != "external":
                self._guard(member, self._check_root_given, expected)
        return expected

    def _check_root_given(self, member, expected):
        for namespace in (self._mesh.namespace, "default"):
            found = self._cluster(member).get("configmap", "istio-ca-root-cert", namespace)
            if found is None:
                self._note("roots-equal", member, f"there is no configmap {namespace}/istio-ca-root-cert")
            elif not expected <= certificates(found["data"].get("root-cert.pem", "")):
                self._note("roots-equal", member, f"{namespace}/istio-ca-root-cert has not the root of the mesh")

    # Control planes

    def _check_namespace(self, member):
        found = self._cluster(member).get("namespace", self._mesh.namespace)
        if found is None:
            self._note("namespace", member, f"there is no namespace {self._mesh.namespace}")
            return
        network = found["metadata"].get("labels", {}).get(NETWORK_LABEL)
        if network != member.network and member.role != "external":
            self._note("network-label", member, f"label {NETWORK_LABEL} is {network}, wanted {member.network}")
        if member.role != "remote":
            return
        wanted = self._mesh.cluster_id(self._mesh.member(member.managed_by))
        annotation = found["metadata"].get("annotations", {}).get(CONTROL_PLANE, "")
        if wanted not in annotation.split(","):
            self._note("adoption", member, f"annotation {CONTROL_PLANE} is '{annotation}', wanted {wanted}")

    def _check_istiod(self, member, namespace):
        cluster = self._cluster(member)
        deployment = cluster.get("deployment", "istiod", namespace)
        if deployment is None or not is_available(deployment):
            self._note("istiod-available", member, f"deployment {namespace}/istiod is not available")
        pods = [
            pod
            for pod in cluster.get("pod", namespace=namespace, selector="app=istiod")
            if "deletionTimestamp" not in pod["metadata"] and pod["status"].get("phase") == "Running"
        ]
        if not pods:
            self._note("clusterz", member, f"no pod of {namespace}/istiod to ask")
        for pod in pods:
            name = pod["metadata"]["name"]
            self._check_clusters(member, name, cluster.debug(namespace, name, "clusterz"))
            self._check_networks(member, name, cluster.debug(namespace, name, "networkz"))

    def _check_clusters(self, member, pod, known):
        states = {one["id"]: one["syncStatus"] for one in known}
        wanted = self._mesh.known_to(member)
        for name in wanted:
            if states.get(name) != "synced":
                self._note("clusterz", member, f"{pod}: cluster {name} is {states.get(name, 'unknown')}")
        for name in states.keys() - set(wanted):
            self._note("clusterz", member, f"{pod}: knows a cluster {name} that is not of the mesh")

    def _check_networks(self, member, pod, known):
        """Which gateways istiod found: one a network, at the address that its Service has."""
        listed = json.dumps(known)
        for other in self._mesh.members:
            if not self._mesh.is_multi_network() or not self._mesh.has_eastwest_gateway(other):
                continue
            address = self._gateway_address(other)
            if address is None or f'"{address}"' not in listed or f'"{other.network}"' not in listed:
                self._note(
                    "networkz", member, f"{pod}: knows no gateway of {other.network} at {address}: {listed}"
                )

    def _check_remote_secrets(self, member, namespace):
        secrets_found = self._cluster(member).get("secret", namespace=namespace, selector="istio/multiCluster=true")
        found = {key: secret for secret in secrets_found for key in secret.get("data", {})}
        wanted = set(self._mesh.known_to(member)) - {self._mesh.cluster_id(member)}
        for name in wanted - found.keys():
            self._note("remote-secret", member, f"no remote secret for {name}")
        for name in found.keys() - wanted:
            self._note("remote-secret", member, f"a remote secret for {name}, which it needs not")
        for name in wanted & found.keys():
            self._check_credentials(member, name, base64.b64decode(found[name]["data"][name]).decode())

    def _check_credentials(self, member, name, kubeconfig):
        """What the holder of the kubeconfig may do."""
        server = Server(minified("--kubeconfig", "/dev/stdin", given=kubeconfig))
        review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        status, _ = server.request("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", review)
        if status != 201:
            self._note("remote-secret", member, f"its credentials for {name} are refused: {status}")
            return
        for resource, group in READ_BY_ISTIOD:
            if not server.may("list", resource, group):
                self._note("remote-secret", member, f"its credentials for {name} may not list {resource}")
        if server.may("list", "secrets"):
            self._note(WORLD_READABLE, member, f"its credentials for {name} may read every secret there")

    # What workloads meet

    def _check_gateway(self, member):
        cluster, namespace = self._cluster(member), self._mesh.namespace
        deployment = cluster.get("deployment", GATEWAY, namespace)
        if deployment is None or not is_available(deployment):
            self._note("gateway", member, f"deployment {namespace}/{GATEWAY} is not available")
        if self._gateway_address(member) is None:
            self._note("gateway", member, f"service {namespace}/{GATEWAY} has no address")
        if self._mesh.is_multi_network() and not self._mesh.is_ambient():
            (reader, namespace) = self._configuration_of(member)
            if (15443, "AUTO_PASSTHROUGH") not in self._opened(self._clusters[reader], namespace, "eastwestgateway"):
                self._note("exposure", member, f"its services are not exposed: no such gateway in {reader}")

    def _check_istiod_is_open(self, member):
        """To the clusters that it manages: connections that stand would hide that for a while."""
        selector = "ingressgateway" if member.role == "external" else "eastwestgateway"
        opened = self._opened(self._cluster(member), self._mesh.namespace, selector)
        for port in (15012, 15017):
            if (port, "PASSTHROUGH") not in opened:
                self._note("exposure", member, f"port {port} of its istiod is not open to other clusters")

    def _opened(self, cluster, namespace, selector):
        """(port, TLS mode) of all that Gateways open on the gateway of this name."""
        return {
            (server["port"]["number"], server.get("tls", {}).get("mode"))
            for gateway in cluster.get("gateway.networking.istio.io", namespace=namespace)
            if gateway["spec"].get("selector", {}).get("istio") == selector
            for server in gateway["spec"]["servers"]
        }

    def _configuration_of(self, member):
        """(cluster, namespace) that the istiod of a member reads its configuration from."""
        if self._mesh.having("config"):
            return self._mesh.having("config")[0].name, self._mesh.namespace
        return member.managed_by or member.name, self._mesh.namespace

    def _check_webhooks(self, member, roots):
        cluster = self._cluster(member)
        suffix = "" if self._mesh.namespace == "istio-system" else f"-{self._mesh.namespace}"
        wanted = f"istio-sidecar-injector{suffix}"
        found = {one["metadata"]["name"]: one for one in cluster.get("mutatingwebhookconfiguration")}
        if wanted not in found:
            self._note("webhooks", member, f"there is no mutating webhook {wanted}")
        mine = [one for name, one in found.items() if name in (wanted, "istio-revision-tag-default")]
        if member.role != "remote":
            validating = cluster.get("validatingwebhookconfiguration")
            mine += [one for one in validating if one["metadata"]["name"] == f"istio-validator-{self._mesh.namespace}"]
        for one in mine:
            for webhook in one.get("webhooks", []):
                self._check_webhook(member, f"{one['metadata']['name']}/{webhook['name']}", webhook, roots)

    def _check_webhook(self, member, name, webhook, roots):
        if not webhook["clientConfig"].get("service"):
            return
        bundle = base64.b64decode(webhook["clientConfig"].get("caBundle", "")).decode()
        if not roots <= certificates(bundle) or not bundle:
            self._note("webhooks", member, f"{name} does not trust the root of the mesh")
        if webhook["failurePolicy"] != "Fail":
            self._note("webhooks", member, f"{name} lets everything pass: failurePolicy {webhook['failurePolicy']}")

    def _check_data_plane(self, member):
        if self._mesh.is_ambient():
            self._check_ambient(member)
        else:
            self._check_injection(member)

    def _check_injection(self, member):
        """The pod is refused, left alone, or comes back as the injector of the mesh changes it."""
        status, made = self._try_pod(self._cluster(member), {"istio-injection": "enabled"})
        if status != 201:
            self._note("injection", member, f"pods are refused: {made.get('message')}")
            return
        containers = made["spec"]["containers"] + made["spec"].get("initContainers", [])
        proxy = next((one for one in containers if one["name"] == "istio-proxy"), None)
        if proxy is None:
            self._note("injection", member, "pods get no istio-proxy")
            return
        said = {one["name"]: one.get("value") for one in proxy["env"]}
        wanted = {"ISTIO_META_CLUSTER_ID": member.name, "ISTIO_META_NETWORK": member.network}
        for name, value in wanted.items():
            if said.get(name) != value:
                self._note("injection", member, f"pods get {name}={said.get(name)}, wanted {value}")

    def _try_pod(self, cluster, labels):
        """(status, answer) for a pod in a namespace with these labels, which is made for show."""
        with a_namespace(cluster, labels) as namespace:
            container = {"name": "web", "image": "web"}
            pod = {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": "web", "namespace": namespace},
                "spec": {"containers": [container]},
            }
            return cluster.create("pod", pod, namespace, dry_run=True)

    def _check_ambient(self, member):
        cluster, namespace = self._cluster(member), self._mesh.namespace
        for name in ("ztunnel", "istio-cni-node"):
            found = cluster.get("daemonset", name, namespace)
            status = (found or {}).get("status", {})
            if not found or status.get("numberReady") != status.get("desiredNumberScheduled"):
                self._note("ambient", member, f"daemonset {namespace}/{name} is not ready")
            elif name == "ztunnel":
                self._check_ztunnel(member, found)
        gateway = cluster.get("gateway.gateway.networking.k8s.io", GATEWAY, namespace) or {}
        if conditions(gateway).get("Programmed") != "True":
            self._note("gateway", member, f"gateway {namespace}/{GATEWAY} is not programmed")
        accepted = conditions(cluster.get("gatewayclass", "istio-east-west") or {}).get("Accepted")
        if accepted != "True":
            self._note("ambient", member, "gateway class istio-east-west is not accepted")

    def _check_ztunnel(self, member, daemonset):
        (container,) = daemonset["spec"]["template"]["spec"]["containers"]
        said = {one["name"]: one.get("value") for one in container["env"]}
        for name, wanted in (("ISTIO_META_CLUSTER_ID", member.name), ("NETWORK", member.network)):
            if said.get(name) != wanted:
                self._note("ambient", member, f"ztunnel has {name}={said.get(name)}, wanted {wanted}")

    def _gateway_address(self, member):
        service = self._cluster(member).get("service", GATEWAY, self._mesh.namespace) or {}
        labels = service.get("metadata", {}).get("labels", {})
        if self._mesh.is_multi_network() and labels.get(NETWORK_LABEL) != member.network:
            return None
        given = service.get("status", {}).get("loadBalancer", {}).get("ingress") or [{}]
        return given[0].get("ip") or given[0].get("hostname")

    def _cluster(self, member):
        return self._clusters[member.name]


@contextmanager
def a_namespace(cluster, labels):
    """A namespace of one's own with its service account, gone afterwards."""
    name = f"check-{secrets.token_hex(4)}"
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
    status, answer = cluster.create("namespace", body)
    if status != 201:
        raise OSError(answer.get("message"))
    try:
        deadline = time.monotonic() + 20
        while cluster.get("serviceaccount", "default", name) is None and time.monotonic() < deadline:
            time.sleep(0.2)
        yield name
    finally:
        cluster.kubectl("delete", "namespace", name, "--wait=false")


def is_of_istio(word):
    """A name, or the key of a label, as Istio or meshtrust makes them."""
    return "istio" in word or "meshtrust" in word


def certificates(pem):
    """The certificates of a bundle, whatever their order and line ends."""
    found = re.findall(r"-----BEGIN CERTIFICATE-----(.+?)-----END CERTIFICATE-----", pem, re.DOTALL)
    return {base64.b64decode("".join(one.split())) for one in found}


def is_available(deployment):
    status = deployment.get("status", {})
    return (
        status.get("observedGeneration") == deployment["metadata"]["generation"]
        and status.get("availableReplicas", 0) == deployment["spec"]["replicas"] > 0
        and conditions(deployment).get("Available") == "True"
    )


def conditions(found):
    return {one["type"]: one["status"] for one in found.get("status", {}).get("conditions", [])}


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", required=True, choices=MODELS)
    parser.add_argument("--kubeconfig", help="default: as kubectl has it")
    parser.add_argument("--context", action="append", default=[], metavar="CLUSTER=CONTEXT")
    parser.add_argument("--namespace", help="the system namespace, if not the usual one")
    parser.add_argument("--accept-readers", action="store_true", help=f"let '{WORLD_READABLE}' pass")
    parser.add_argument("--gone", action="store_true", help="find what is left after the mesh was taken away")
    parser.add_argument("clusters", nargs="+", metavar="CLUSTER", help="as for 'rig up --mesh'")
    options = parser.parse_args(arguments)
    contexts = dict(one.split("=", 1) for one in options.context)
    mesh = blueprint(options.model, options.clusters, options.namespace)
    clusters = {name: Cluster(name, contexts.get(name, name), options.kubeconfig) for name in options.clusters}
    checker = Checker(mesh, clusters)
    found = checker.gone() if options.gone else checker.findings()
    if options.accept_readers:
        found = [one for one in found if one.check != WORLD_READABLE]
    print(json.dumps([asdict(one) for one in found], indent=2))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
