"""What a cluster with real pods has around it: DNS, a registry of images, and a cloud's load balancer."""

import json
import threading
from pathlib import Path

from . import dns
from .api import Api
from .balancer import Balancer
from .registry import Registry
from .report import progress
from .telemetry import Telemetry
from .watch import Watch

TICK_SECONDS = 0.5
WATCHED = {
    "services": "/api/v1/services",
    "slices": "/apis/discovery.k8s.io/v1/endpointslices",
    "config_maps": "/api/v1/configmaps",
}


def run(configuration_file):
    """Until somebody ends the process."""
    configuration = json.loads(Path(configuration_file).read_text())
    address = configuration["address"]
    registry = Registry((address, configuration["registry_port"]), list(map(Path, configuration["images"])))
    threading.Thread(target=registry.serve_forever, daemon=True).start()
    api = Api.of_kubeconfig(configuration["kubeconfig"])
    changed = threading.Event()
    objects = {name: Watch(api, path, changed) for name, path in WATCHED.items()}
    dns.serve(address, dns.Names(objects["services"], objects["slices"]))
    balancer = Balancer(api, configuration["balancer_network"])
    telemetry = Telemetry(api)
    for watch in objects.values():
        watch.wait_for_first()
    progress("ready")
    while True:
        changed.wait(TICK_SECONDS)
        changed.clear()
        try:
            balancer.reconcile(objects["services"].objects())
            telemetry.reconcile(objects["config_maps"].objects())
        except OSError as error:
            progress(f"will try again: {error}")
