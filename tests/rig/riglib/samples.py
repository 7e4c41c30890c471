"""Workloads that call each other: Istio's helloworld and curl, and a way from each cluster to each.

Answers of the Service `helloworld` come from wherever Istio likes. For counting by way there is one
Service more for each cluster, whose pods are there alone, in all clusters.
"""

from .documents import istio_object
from .hand import PATIENCE_SECONDS

# Not `sample`, which `meshtrust verify --samples` has for a while.
NAMESPACE = "rig-samples"
PORT = 5000
HELLO = "helloworld"
IMAGE = "registry.istio.io/release/examples-helloworld-{}:1.0"
# Sidecars count handshakes, and sessions that were resumed without a whole one.
COUNTING = {"proxy.istio.io/config": 'proxyStatsMatcher: {inclusionRegexps: [".*ssl.*"]}'}
RULES_KIND = "virtualservices.networking.istio.io"  # a cluster that Istio only hosts has none
CURL = "docker.io/curlimages/curl:8.16.0"


def service_in(cluster):
    """The name of the Service that only this cluster answers."""
    return f"{HELLO}-{cluster}"


def url_of(cluster):
    return f"http://{service_in(cluster)}.{NAMESPACE}:{PORT}/hello"


def make(hand, clusters):
    """Starts them in these clusters, all of one mesh, and waits until every way has been gone once."""
    for cluster in clusters:
        hand.apply(cluster, *objects(cluster, clusters))
        if hand.run("kubectl", cluster, "get", "crd", RULES_KIND, "--ignore-not-found"):
            hand.apply(cluster, *_rules(clusters))
    for cluster in clusters:
        words = ("wait", "--for=condition=Available", "deployment", "--all", f"--timeout={PATIENCE_SECONDS}s")
        hand.run("kubectl", cluster, "-n", NAMESPACE, *words)
    for source in clusters:
        for target in clusters:
            hand.wait(f"{source} to reach {target}", lambda: _reaches(hand, source, target))


def _reaches(hand, source, target):
    in_pod = ("exec", "deploy/curl", "-c", "curl", "--")
    call = ("curl", "-sSf", "-m", "2", url_of(target))
    return hand.run("kubectl", source, "-n", NAMESPACE, *in_pod, *call, may_fail=True).returncode == 0


def objects(cluster, clusters):
    """What stands in one of the clusters: v1 answers in the first, v2 in the others."""
    version = "v1" if cluster == clusters[0] else "v2"
    labels = {"app": HELLO, "version": version, "cluster": cluster}
    hello = {"name": HELLO, "image": IMAGE.format(version), "ports": [{"containerPort": PORT}]}
    curl = {"name": "curl", "image": CURL, "command": ["/bin/sleep", "infinity"]}
    account = _object("v1", "ServiceAccount", "curl")
    return [
        _namespace(),
        _service(HELLO, {"app": HELLO}),
        *(_service(service_in(one), {"app": HELLO, "cluster": one}) for one in clusters),
        _deployment(f"{HELLO}-{version}", labels, {"containers": [hello]}),
        account,
        _deployment(
            "curl",
            {"app": "curl"},
            {"serviceAccountName": "curl", "terminationGracePeriodSeconds": 0, "containers": [curl]},
        ),
    ]


def _rules(clusters):
    """No call is repeated, or Istio would hide what got lost, and each has a whole handshake of its own."""
    policy = {"connectionPool": {"http": {"maxRequestsPerConnection": 1}}}
    rules = [istio_object("EnvoyFilter", "no-resumption", _without_resumption(), NAMESPACE)]
    rules[0]["apiVersion"] = "networking.istio.io/v1alpha3"
    for host in (HELLO, *(service_in(one) for one in clusters)):
        route = {"route": [{"destination": {"host": host}}], "retries": {"attempts": 0}}
        rules.append(istio_object("VirtualService", host, {"hosts": [host], "http": [route]}, NAMESPACE))
        rules.append(istio_object("DestinationRule", host, {"host": host, "trafficPolicy": policy}, NAMESPACE))
    return rules


def _without_resumption():
    """A resumed session looks at no certificate again: one that has expired would go on being good."""
    tls = {
        "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
        "disable_stateless_session_resumption": True,
        "disable_stateful_session_resumption": True,
    }
    socket = {"name": "envoy.transport_sockets.tls", "typed_config": tls}
    chain = {"filterChain": {"transportProtocol": "tls", "applicationProtocols": "istio"}}
    patch = {
        "applyTo": "FILTER_CHAIN",
        "match": {"context": "SIDECAR_INBOUND", "listener": chain},
        "patch": {"operation": "MERGE", "value": {"transport_socket": socket}},
    }
    return {"configPatches": [patch]}


def _object(version, kind, name, labels=None):
    metadata = {"name": name, "namespace": NAMESPACE, "labels": labels or {}}
    return {"apiVersion": version, "kind": kind, "metadata": metadata}


def _namespace():
    metadata = {"name": NAMESPACE, "labels": {"istio-injection": "enabled"}}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}


def _service(name, selector):
    ports = [{"name": "http", "port": PORT, "targetPort": PORT}]
    return _object("v1", "Service", name, {"app": HELLO}) | {"spec": {"selector": selector, "ports": ports}}


def _deployment(name, labels, pod):
    # Not the cluster's name: of a Deployment the selector may never change.
    chosen = {key: value for key, value in labels.items() if key != "cluster"}
    return _object("apps/v1", "Deployment", name, chosen) | {
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": chosen},
            "template": {"metadata": {"labels": labels, "annotations": COUNTING}, "spec": pod},
        }
    }
