"""Ways in which meshes break, each to be done to a working one and undone.

    with sabotage.of("exposure-deleted", cluster_of):
        ... # whoever judges the mesh has to notice

`cluster_of(role)` gives the `mesh_checker.Cluster` of the mesh that has the role: "primary", "remote".
All of them last: none is something that istiod would repair by itself within seconds.
"""

import json
from contextlib import contextmanager

SYSTEM = "istio-system"
READER = "istio-reader-service-account"


@contextmanager
def of(name, cluster_of, namespace=SYSTEM):
    role, sabotage, _ = ALL[name]
    cluster = cluster_of(role)
    saved = sabotage(cluster, namespace)
    try:
        yield
    finally:
        for one in saved:
            restore(cluster, one)


def expected_of(name):
    """The check of `mesh_checker` that has to notice."""
    return ALL[name][2]


def deleted(kind, name):
    def sabotage(cluster, namespace):
        saved = take(cluster, kind, name, namespace)
        run(cluster, "delete", kind, name, "-n", namespace)
        return [saved]

    return sabotage


def patched(kind, name, patch, kind_of_patch="merge"):
    """`patch` is what kubectl takes, or a function of the object."""

    def sabotage(cluster, namespace):
        saved = take(cluster, kind, name.format(namespace=namespace), namespace)
        body = patch(saved) if callable(patch) else patch
        words = ("patch", kind, saved["metadata"]["name"], "-n", namespace)
        run(cluster, *words, "--type", kind_of_patch, "-p", json.dumps(body))
        return [saved]

    return sabotage


def bundles_emptied(webhooks):
    """istiod fills them again, unless the object is of another revision."""
    places = [
        {"op": "replace", "path": f"/webhooks/{number}/clientConfig/caBundle", "value": ""}
        for number in range(len(webhooks["webhooks"]))
    ]
    return [{"op": "replace", "path": "/metadata/labels/istio.io~1rev", "value": "nobody"}, *places]


def other_root(cacerts):
    """The certificate of the CA itself in the place of its root."""
    return {"data": {"root-cert.pem": cacerts["data"]["ca-cert.pem"]}}


def other_network(gateway):
    return {"metadata": {"labels": {"topology.istio.io/network": "elsewhere"}}}


# name: (role of the cluster, what is done, which check has to notice)
ALL = {
    "exposure-deleted": ("primary", deleted("gateway.networking.istio.io", "istiod-gateway"), "exposure"),
    "services-unexposed": ("primary", deleted("gateway.networking.istio.io", "cross-network-gateway"), "exposure"),
    "network-label-wrong": ("remote", patched("namespace", SYSTEM, other_network), "network-label"),
    "gateway-label-wrong": ("remote", patched("service", "istio-eastwestgateway", other_network), "networkz"),
    "gateway-deleted": ("remote", deleted("deployment", "istio-eastwestgateway"), "gateway"),
    "annotation-removed": (
        "remote",
        patched("namespace", SYSTEM, {"metadata": {"annotations": {"topology.istio.io/controlPlaneClusters": None}}}),
        "adoption",
    ),
    "bundle-emptied": (
        "remote",
        patched("mutatingwebhookconfiguration", "istio-sidecar-injector", bundles_emptied, "json"),
        "webhooks",
    ),
    "reader-powerless": (
        "remote",
        deleted("clusterrolebinding", f"istio-reader-clusterrole-{SYSTEM}"),
        "remote-secret",
    ),
    "remote-secret-deleted": ("primary", lambda cluster, namespace: [
        saved for one in cluster.get("secret", namespace=namespace, selector="istio/multiCluster=true")
        for saved in deleted("secret", one["metadata"]["name"])(cluster, namespace)
    ], "clusterz"),
    "cacerts-of-another-root": ("primary", patched("secret", "cacerts", other_root), "roots-equal"),
    "istiod-gone": ("primary", patched("deployment", "istiod", {"spec": {"replicas": 0}}), "istiod-available"),
    # The last, for it cannot be undone: an account that is made anew has another token.
    "token-revoked": ("remote", deleted("serviceaccount", READER), "remote-secret"),
}  # fmt: skip


def take(cluster, kind, name, namespace):
    found = cluster.get(kind, name, namespace)
    if found is None:
        raise AssertionError(f"{cluster.name}: there is no {kind} {name} to break")
    return found


def restore(cluster, saved):
    """The object as it was, whether it is still there or not."""
    for field in ("resourceVersion", "uid", "managedFields", "creationTimestamp", "generation"):
        saved["metadata"].pop(field, None)
    saved.pop("status", None)
    text = json.dumps(saved)
    if cluster.kubectl("replace", "-f", "-", given=text).returncode != 0:
        done = cluster.kubectl("create", "-f", "-", given=text)
        if done.returncode != 0:
            raise AssertionError(f"{cluster.name}: cannot restore: {done.stderr}")


def run(cluster, *words):
    done = cluster.kubectl(*words)
    if done.returncode != 0:
        raise AssertionError(f"{cluster.name}: kubectl {' '.join(words)}: {done.stderr}")
