"""Ways in which meshes break, each to be done to a working one and undone.

    with sabotage.of("exposure-deleted", cluster_of):
        ... # whoever judges the mesh has to notice

`cluster_of(role)` gives the `mesh_checker.Cluster` of the mesh that has the role: "primary", "remote".
All of them last: none is something that istiod would repair by itself within seconds.
"""

import base64
import json
from contextlib import contextmanager

SYSTEM = "istio-system"
SYSTEM_OF_KUBERNETES = "kube-system"
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


def without_services(role):
    """A reader that may not read what istiod cannot do without."""
    rules = [rule | {"resources": [one for one in rule["resources"] if one != "services"]} for rule in role["rules"]]
    return {"rules": [rule for rule in rules if rule["resources"]]}


def cut_reader(_, read, __):
    patched("clusterrole", "istio-reader-clusterrole-{namespace}", without_services)(read, SYSTEM)


def unbind_reader(_, read, __):
    deleted("clusterrolebinding", f"istio-reader-clusterrole-{SYSTEM}")(read, SYSTEM)


def delete_token(_, read, __):
    run(read, "delete", "secret", "-n", SYSTEM, f"{READER}-istio-remote-secret-token")


def delete_account(_, read, __):
    run(read, "delete", "serviceaccount", "-n", SYSTEM, READER)


def kubeconfig_in(reading, read):
    secret = take(reading, "secret", f"istio-remote-secret-{read.name}", SYSTEM)
    return base64.b64decode(secret["data"][read.name]).decode()


def swap_authority(reading, read, third):
    """The CA of another cluster in the place of the right one."""
    right, wrong = (
        base64.b64encode(take(one, "configmap", "kube-root-ca.crt", SYSTEM_OF_KUBERNETES)["data"]["ca.crt"].encode())
        for one in (read, third)
    )
    changed = kubeconfig_in(reading, read).replace(right.decode(), wrong.decode()).encode()
    patch = {"data": {read.name: base64.b64encode(changed).decode()}}
    patched("secret", f"istio-remote-secret-{read.name}", patch)(reading, SYSTEM)


def make_known_again(reading, read, _):
    """The same cluster by a second name."""
    make_known(reading, "again", kubeconfig_in(reading, read))


def make_stranger_known(reading, _, third):
    """A cluster that is in no mesh file, read as whoever administers it."""
    server = json.loads(run(third, "config", "view", "--raw", "--minify", "--flatten", "-o", "json"))
    server["users"][0]["user"] = {"token": run(third, "create", "token", "-n", SYSTEM_OF_KUBERNETES, "default").strip()}
    bind = ("create", "clusterrolebinding", "read-by-a-stranger", "--clusterrole=cluster-admin")
    run(third, *bind, f"--serviceaccount={SYSTEM_OF_KUBERNETES}:default")
    make_known(reading, "stranger", json.dumps(server))


def make_known(reading, name, kubeconfig):
    body = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": f"made-by-hand-{name}", "namespace": SYSTEM, "labels": {"istio/multiCluster": "true"}},
        "stringData": {name: kubeconfig},
    }
    run(reading, "create", "-f", "-", given=json.dumps(body))


ROLE_LOST = [
    "seen: the token in 'istio-remote-secret-cluster2' counts there as "
    f"system:serviceaccount:{SYSTEM}:{READER}",
    f"seen: they come from ClusterRole 'istio-reader-clusterrole-{SYSTEM}' and the ClusterRoleBinding of that name",
    "hint: 'meshtrust apply' gives the reader its role back",
]
REMOTE_SECRET = f"secret '{SYSTEM}/istio-remote-secret-cluster2'"
LACKS = "error: cluster1: its istiod lacks rights in 'cluster2', without which it never finishes reading it: "
READ_ALL = ("services", "endpointslices", "pods", "nodes", "namespaces", "secrets")
DEAD_TOKEN = [
    f"error: cluster1: its istiod cannot use {REMOTE_SECRET}: the API server of 'cluster2' does not take the token "
    "[access-broken]",
    "seen: asking the server who we are: the server does not accept the credentials (401 Unauthorized)",
    "hint: 'meshtrust apply' writes it anew",
]


def delete_by_hand(name):
    return f"'kubectl --context cluster1 -n {SYSTEM} delete secret {name}'"


# Ways in which one cluster (cluster1, `reading`) loses its access to another (cluster2, `read`) or gets one
# too much: what is done, and the lines of the finding of `verify` that names it. Nobody undoes them: doing
# what its hint says has to.
ACCESS = {
    "reader-cut": (cut_reader, [LACKS + "list services, watch services [token-without-rights]", *ROLE_LOST]),
    "reader-unbound": (
        unbind_reader,
        [
            LACKS
            + ", ".join(f"{verb} {what}" for what in READ_ALL for verb in ("list", "watch"))
            + " [token-without-rights]",
            *ROLE_LOST,
        ],
    ),
    "stranger-known": (
        make_stranger_known,
        [
            "error: cluster1: its istiod serves a cluster 'stranger', which the mesh file does not name "
            "[cluster-not-in-mesh-file]",
            f"seen: it knows it by secret '{SYSTEM}/made-by-hand-stranger'",
            "hint: add it to the mesh file, or find out who made that secret, then "
            + delete_by_hand("made-by-hand-stranger"),
        ],
    ),
    "known-twice": (
        make_known_again,
        [
            "error: cluster1: its istiod knows one cluster by two names, 'cluster2' and 'again': each of its endpoints "
            "counts twice [cluster-known-twice]",
            f"seen: {REMOTE_SECRET}",
            f"seen: secret '{SYSTEM}/made-by-hand-again'",
            f"hint: find out who made secret '{SYSTEM}/made-by-hand-again', then " + delete_by_hand("made-by-hand-again"),
        ],
    ),
    "authority-wrong": (
        swap_authority,
        [
            f"error: cluster1: {REMOTE_SECRET} holds what 'kubectl-patch' wrote, and its token or CA is not that of the "
            "cluster [remote-secret-overwritten]",
            "hint: find out what writes it, then "
            + delete_by_hand("istio-remote-secret-cluster2")
            + " and 'meshtrust apply', which makes it anew",
        ],
    ),
    "token-deleted": (delete_token, DEAD_TOKEN),
    "account-deleted": (delete_account, DEAD_TOKEN),
}


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


def run(cluster, *words, given=None):
    done = cluster.kubectl(*words, given=given)
    if done.returncode != 0:
        raise AssertionError(f"{cluster.name}: kubectl {' '.join(words)}: {done.stderr}")
    return done.stdout
