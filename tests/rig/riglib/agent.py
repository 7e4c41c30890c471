"""The node of a cluster: what kubelet, kube-proxy and load balancer do there, for istiod's pods."""

import json
import threading
from pathlib import Path

from .addresses import Addresses
from .api import Api
from .pods import Kubelet
from .report import progress
from .routes import Routes
from .tunnel import EgressProxy
from .watch import Watch

TICK_SECONDS = 0.5
WATCHED = {
    "pods": "/api/v1/pods",
    "secrets": "/api/v1/secrets",
    "config_maps": "/api/v1/configmaps",
    "services": "/api/v1/services",
    "slices": "/apis/discovery.k8s.io/v1/endpointslices",
}


def run(configuration_file):
    """Until somebody ends the process; the processes of the pods outlive it."""
    configuration = json.loads(Path(configuration_file).read_text())
    api = Api.of_kubeconfig(configuration["kubeconfig"])
    changed = threading.Event()
    watches = {name: Watch(api, path, changed) for name, path in WATCHED.items()}
    addresses = Addresses(configuration["pod_range"])
    routes = Routes(addresses, watches["services"], watches["slices"])
    proxy = EgressProxy(configuration["egress"], routes)
    threading.Thread(target=proxy.serve_forever, daemon=True).start()
    kubelet = Kubelet(
        api,
        configuration["istiod"],
        Path(configuration["pods"]),
        addresses,
        watches["secrets"],
        watches["config_maps"],
    )
    for watch in watches.values():
        watch.wait_for_first()
    progress("ready")
    while True:
        changed.wait(TICK_SECONDS)
        changed.clear()
        try:
            kubelet.reconcile(watches["pods"].objects())
        except OSError as error:
            progress(f"will try again: {error}")
