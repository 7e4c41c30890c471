"""The node of a cluster: what kubelet, kube-proxy and load balancer do there, for istiod's pods."""

import json
import threading
from pathlib import Path

from .addresses import Addresses
from .api import Api
from .balancer import Balancer
from .gateways import Gateways
from .pods import Kubelet
from .report import progress
from .routes import Routes, addresses_of
from .tunnel import EgressProxy, Forwarder
from .watch import Watch

TICK_SECONDS = 0.5
WATCHED = {
    "nodes": "/api/v1/nodes",
    "pods": "/api/v1/pods",
    "secrets": "/api/v1/secrets",
    "config_maps": "/api/v1/configmaps",
    "services": "/api/v1/services",
    "slices": "/apis/discovery.k8s.io/v1/endpointslices",
    "gateways": "/apis/networking.istio.io/v1/gateways",
    "virtual_services": "/apis/networking.istio.io/v1/virtualservices",
}


def run(configuration_file):
    """Until somebody ends the process; the processes of the pods outlive it."""
    configuration = json.loads(Path(configuration_file).read_text())
    api = Api.of_kubeconfig(configuration["kubeconfig"])
    changed = threading.Event()
    objects = {name: Watch(api, path, changed) for name, path in WATCHED.items()}
    in_namespace = configuration["in_namespace"]
    addresses = Addresses(configuration["pod_range"], in_namespace)
    gateways = Gateways(objects["gateways"], objects["virtual_services"])
    routes = Routes(addresses, objects["services"], objects["slices"], objects["pods"], gateways)
    forwarder = Forwarder(routes)
    if not in_namespace:
        proxy = EgressProxy(configuration["egress"], routes)
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
    balancer = Balancer(api, configuration["balancer_network"])
    kubelet = Kubelet(
        api,
        configuration["istiod"],
        Path(configuration["pods"]),
        addresses,
        objects["secrets"],
        objects["config_maps"],
        in_namespace,
    )
    for watch in objects.values():
        watch.wait_for_first()
    progress("ready")
    while True:
        changed.wait(TICK_SECONDS)
        changed.clear()
        try:
            kubelet.reconcile(objects["pods"].objects())
            services = objects["services"].objects()
            balancer.reconcile(services, objects["nodes"].objects())
            if in_namespace:
                forwarder.listen_on(_places(services) | kubelet.loopback_places())
        except OSError as error:
            progress(f"will try again: {error}")


def _places(services):
    """(address, port) of all TCP ports of Services."""
    return {
        (address, port["port"])
        for service in services
        for address in addresses_of(service)
        for port in service["spec"].get("ports", [])
        if port.get("protocol", "TCP") == "TCP"
    }
