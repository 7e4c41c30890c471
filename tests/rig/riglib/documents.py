"""What people who follow the tutorials hand to istioctl and kubectl, as JSON."""

GATEWAY = "istio-eastwestgateway"
EASTWEST_PORTS = {"status-port": 15021, "tls": 15443, "tls-istiod": 15012, "tls-webhook": 15017}
INGRESS_PORTS = {"status-port": 15021, "tls-xds": 15012, "tls-webhook": 15017}


def namespace(name, network, control_plane=""):
    annotations = {"topology.istio.io/controlPlaneClusters": control_plane} if control_plane else {}
    metadata = {"name": name, "labels": {"topology.istio.io/network": network}, "annotations": annotations}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}


def secret(namespace_name, name, files):
    metadata = {"name": name, "namespace": namespace_name}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": files}


def operator(profile, name="control-plane", namespace_name="istio-system", **spec):
    return {
        "apiVersion": "install.istio.io/v1alpha1",
        "kind": "IstioOperator",
        "metadata": {"name": name, "namespace": namespace_name},
        "spec": {"profile": profile} | spec,
    }


def control_plane(cluster, network, mesh_id, manages_remotes=False):
    values = {"global": _of_mesh(cluster, network, mesh_id)}
    if manages_remotes:
        values["global"]["externalIstiod"] = True
        values["pilot"] = {"env": {"EXTERNAL_ISTIOD": "true"}}
    return operator("minimal", values=values)


def ambient_control_plane(cluster, network, mesh_id):
    environment = [{"name": "AMBIENT_ENABLE_MULTI_NETWORK", "value": "true"}]
    return operator(
        "ambient",
        components={"pilot": {"k8s": {"env": environment}}},
        values={"global": _of_mesh(cluster, network, mesh_id)},
    )


def remote(cluster, network, address, namespace_name="istio-system"):
    """A cluster whose workloads use the istiod behind `address`."""
    values = {
        "istiodRemote": {"injectionPath": f"/inject/cluster/{cluster}/net/{network}"},
        "global": {"remotePilotAddress": address, "istioNamespace": namespace_name},
    }
    return operator("remote", namespace_name=namespace_name, values=values)


def config_cluster(cluster, network, address, namespace_name):
    """The same where that istiod also keeps its configuration here."""
    file = remote(cluster, network, address, namespace_name)
    file["spec"]["values"]["global"]["configCluster"] = True
    file["spec"]["values"] |= {"pilot": {"configMap": True}, "defaultRevision": "default"}
    return file


def ingress_control_plane():
    """A control plane whose gateway passes on what comes for an external istiod."""
    gateway = {
        "name": "istio-ingressgateway",
        "enabled": True,
        "k8s": {"service": {"ports": _ports(INGRESS_PORTS)}},
    }
    return operator("minimal", "ingress", components={"ingressGateways": [gateway]})


def external_control_plane(config, network, mesh_id, address, namespace_name):
    """The istiod that works for the cluster `config` from outside of it."""
    mounts = {
        "config-volume": ("istio", "/etc/istio/config"),
        "inject-volume": ("istio-sidecar-injector", "/var/lib/istio/inject"),
    }
    patches = [
        {"path": f"spec.template.spec.volumes[{100 + number}]", "value": {"name": name, "configMap": {"name": map_name}}}
        for number, (name, (map_name, _)) in enumerate(mounts.items())
    ] + [
        {
            "path": f"spec.template.spec.containers[0].volumeMounts[{100 + number}]",
            "value": {"name": name, "mountPath": path},
        }
        for number, (name, (_, path)) in enumerate(mounts.items())
    ]
    environment = {
        "INJECTION_WEBHOOK_CONFIG_NAME": f"istio-sidecar-injector-{namespace_name}",
        "VALIDATION_WEBHOOK_CONFIG_NAME": f"istio-validator-{namespace_name}",
        "EXTERNAL_ISTIOD": "true",
        "LOCAL_CLUSTER_SECRET_WATCHER": "true",
        "SHARED_MESH_CONFIG": "istio",
    }
    of_mesh = _of_mesh(config, network, mesh_id)
    of_mesh |= {
        "externalIstiod": True,
        "caAddress": f"{address}:15012",
        "istioNamespace": namespace_name,
        "operatorManageWebhooks": True,
        "configValidation": False,
    }
    overlays = [{"kind": "Deployment", "name": "istiod", "patches": patches}]
    return operator(
        "empty",
        "external",
        namespace_name,
        meshConfig={
            "rootNamespace": namespace_name,
            "defaultConfig": {"discoveryAddress": f"{address}:15012"},
        },
        components={"pilot": {"enabled": True, "k8s": {"overlays": overlays}}},
        values={"global": of_mesh, "pilot": {"env": environment}},
    )


def eastwest_gateway(network, namespace_name="istio-system"):
    gateway = {
        "name": GATEWAY,
        "enabled": True,
        "label": {"istio": "eastwestgateway", "app": GATEWAY, "topology.istio.io/network": network},
        "k8s": {
            "env": [{"name": "ISTIO_META_REQUESTED_NETWORK_VIEW", "value": network}],
            "service": {"ports": _ports(EASTWEST_PORTS)},
        },
    }
    values = {
        "gateways": {"istio-ingressgateway": {"injectionTemplate": "gateway"}},
        "global": {"network": network, "istioNamespace": namespace_name},
    }
    return operator("empty", "eastwest", namespace_name, values=values, components={"ingressGateways": [gateway]})


def ambient_gateway(network, namespace_name="istio-system"):
    listener = {
        "name": "mesh",
        "port": 15008,
        "protocol": "HBONE",
        "tls": {"mode": "Terminate", "options": {"gateway.istio.io/tls-terminate-mode": "ISTIO_MUTUAL"}},
    }
    labels = {"topology.istio.io/network": network}
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "Gateway",
        "metadata": {"name": GATEWAY, "namespace": namespace_name, "labels": labels},
        "spec": {"gatewayClassName": "istio-east-west", "listeners": [listener]},
    }


def services_exposure(namespace_name="istio-system"):
    server = {
        "port": {"number": 15443, "name": "tls", "protocol": "TLS"},
        "tls": {"mode": "AUTO_PASSTHROUGH"},
        "hosts": ["*.local"],
    }
    spec = {"selector": {"istio": "eastwestgateway"}, "servers": [server]}
    return [istio_object("Gateway", "cross-network-gateway", spec, namespace_name)]


def istiod_exposure(namespace_name="istio-system", selector="eastwestgateway", name="istiod"):
    """The control ports of a gateway, passed on to istiod."""
    route = {15012: 15012, 15017: 443}
    servers = [
        {
            "port": {"name": f"tls-{port}", "number": port, "protocol": "TLS"},
            "tls": {"mode": "PASSTHROUGH"},
            "hosts": ["*"],
        }
        for port in route
    ]
    host = f"istiod.{namespace_name}.svc.cluster.local"
    rules = [
        {
            "match": [{"port": port, "sniHosts": ["*"]}],
            "route": [{"destination": {"host": host, "port": {"number": target}}}],
        }
        for port, target in route.items()
    ]
    gateway = {"selector": {"istio": selector}, "servers": servers}
    virtual_service = {"hosts": ["*"], "gateways": [f"{name}-gateway"], "tls": rules}
    return [
        istio_object("Gateway", f"{name}-gateway", gateway, namespace_name),
        istio_object("VirtualService", f"{name}-vs", virtual_service, namespace_name),
    ]


def istio_object(kind, name, spec, namespace_name):
    metadata = {"name": name, "namespace": namespace_name}
    return {"apiVersion": "networking.istio.io/v1", "kind": kind, "metadata": metadata, "spec": spec}


def _of_mesh(cluster, network, mesh_id):
    return {"meshID": mesh_id, "multiCluster": {"clusterName": cluster}, "network": network}


def _ports(numbers):
    return [{"name": name, "port": port, "targetPort": port} for name, port in numbers.items()]
