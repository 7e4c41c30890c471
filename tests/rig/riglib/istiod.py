"""An istiod as small as it can be: what `rig up --istiod` applies. No gateways, no webhooks, no CRDs.

It is the Deployment of Istio's chart in what matters to a CA: names, labels, ports, mounts, probe.
"""

NAMESPACE = "istio-system"
LABELS = {"app": "istiod", "istio": "pilot", "istio.io/rev": "default"}
PORTS = (
    ("grpc-xds", 15010, 15010),
    ("https-dns", 15012, 15012),
    ("https-webhook", 443, 15017),
    ("http-monitoring", 15014, 15014),
)


def objects(cluster):
    """(path, object) of everything, in the order to apply it."""
    in_namespace = f"/api/v1/namespaces/{NAMESPACE}"
    rbac = "/apis/rbac.authorization.k8s.io/v1"
    return (
        (f"/api/v1/namespaces/{NAMESPACE}", _object("v1", "Namespace", NAMESPACE)),
        (f"{in_namespace}/serviceaccounts/istiod", _object("v1", "ServiceAccount", "istiod")),
        (
            f"{in_namespace}/configmaps/istio",
            _object("v1", "ConfigMap", "istio") | {"data": {"mesh": "trustDomain: cluster.local\n"}},
        ),
        (f"{rbac}/clusterrolebindings/rig-istiod", _may_do_everything()),
        (f"{in_namespace}/services/istiod", _service()),
        (f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/istiod", _deployment(cluster)),
    )


DEPLOYMENT = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/istiod"


def _object(version, kind, name):
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, "labels": LABELS}}


def _may_do_everything():
    # What the chart's roles allow is no matter of these tests.
    return _object("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", "rig-istiod") | {
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"kind": "ServiceAccount", "name": "istiod", "namespace": NAMESPACE}],
    }


def _service():
    ports = [{"name": name, "port": port, "targetPort": target} for name, port, target in PORTS]
    return _object("v1", "Service", "istiod") | {"spec": {"selector": {"app": "istiod"}, "ports": ports}}


def _deployment(cluster):
    environment = {
        "REVISION": "default",
        "PILOT_CERT_PROVIDER": "istiod",
        "CLUSTER_ID": cluster,
        "KUBECONFIG": "/var/run/secrets/remote/config",
    }
    fields = {
        "POD_NAME": "metadata.name",
        "POD_NAMESPACE": "metadata.namespace",
        "SERVICE_ACCOUNT": "spec.serviceAccountName",
    }
    container = {
        "name": "discovery",
        "image": "pilot",
        "args": ["discovery", "--monitoringAddr=:15014", "--domain", "cluster.local"],
        "ports": [{"containerPort": port} for port in (8080, 15010, 15012, 15014, 15017)],
        "readinessProbe": {"httpGet": {"path": "/ready", "port": 8080}},
        "env": [{"name": name, "value": value} for name, value in environment.items()]
        + [{"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}} for name, path in fields.items()],
        "volumeMounts": [
            {"name": "istio-token", "mountPath": "/var/run/secrets/tokens"},
            {"name": "local-certs", "mountPath": "/var/run/secrets/istio-dns"},
            {"name": "cacerts", "mountPath": "/etc/cacerts"},
        ],
    }
    token = {"audience": "istio-ca", "expirationSeconds": 43200, "path": "istio-token"}
    volumes = [
        {"name": "local-certs", "emptyDir": {}},
        {"name": "istio-token", "projected": {"sources": [{"serviceAccountToken": token}]}},
        {"name": "cacerts", "secret": {"secretName": "cacerts", "optional": True}},
    ]
    pod = {"serviceAccountName": "istiod", "containers": [container], "volumes": volumes}
    return _object("apps/v1", "Deployment", "istiod") | {
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app": "istiod"}},
            "template": {"metadata": {"labels": LABELS}, "spec": pod},
            "strategy": {"rollingUpdate": {"maxSurge": "100%", "maxUnavailable": "25%"}},
        }
    }
