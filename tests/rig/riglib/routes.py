"""Plays kube-proxy: where a connection to an address of the cluster goes."""

import itertools


class Routes:
    """Services and their EndpointSlices, as `watch.Watch`es keep them."""

    def __init__(self, addresses, services, slices):
        self._addresses = addresses
        self._services = services
        self._slices = slices
        self._turn = itertools.count()

    def target(self, address, port):
        """(address, port) to dial on this machine. Raises OSError where no endpoint is ready."""
        for service in self._services.objects():
            if address in addresses_of(service):
                return self._endpoint(service, address, port)
        return self._addresses.here(address), port

    def _endpoint(self, service, address, port):
        name = "{namespace}/{name}".format(**service["metadata"])
        port_name = next((one.get("name", "") for one in service["spec"]["ports"] if one["port"] == port), None)
        if port_name is None:
            raise OSError(f"service {name} at {address} has no port {port}")
        found = [
            (endpoint["addresses"][0], one["port"])
            for one_slice in self._slices.objects()
            if _belongs_to(one_slice, service)
            for one in one_slice.get("ports") or []
            if (one.get("name") or "") == port_name
            for endpoint in one_slice.get("endpoints") or []
            if endpoint.get("conditions", {}).get("ready", True)
        ]
        if not found:
            raise OSError(f"service {name} has no ready endpoint for port {port}")
        chosen, chosen_port = found[next(self._turn) % len(found)]
        return self._addresses.here(chosen), chosen_port


def addresses_of(service):
    """Its cluster address and those of its load balancer."""
    given = service.get("status", {}).get("loadBalancer", {}).get("ingress") or []
    found = [service["spec"].get("clusterIP"), *(one.get("ip") for one in given)]
    return [one for one in found if one not in (None, "", "None")]


def _belongs_to(one_slice, service):
    metadata = one_slice["metadata"]
    return (
        metadata["namespace"] == service["metadata"]["namespace"]
        and metadata.get("labels", {}).get("kubernetes.io/service-name") == service["metadata"]["name"]
    )
