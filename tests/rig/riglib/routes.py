"""Plays kube-proxy: where a connection to an address of the cluster goes."""

import itertools

from .pods import is_istiod


class Routes:
    """By Services, EndpointSlices and pods, as `watch.Watch`es keep them, and by gateways."""

    def __init__(self, addresses, services, slices, pods, gateways):
        self._addresses = addresses
        self._services = services
        self._slices = slices
        self._pods = pods
        self._gateways = gateways
        self._turn = itertools.count()

    def target(self, address, port):
        """(address, port) to dial on this machine. Raises OSError where no endpoint is ready."""
        for service in self._services.objects():
            if address in addresses_of(service):
                return self._endpoint(service, port)
        return self._through_pod(address, port)

    def _endpoint(self, service, port):
        name = "{namespace}/{name}".format(**service["metadata"])
        port_name = next(
            (one.get("name", "") for one in service["spec"]["ports"] if one["port"] == port), None
        )
        if port_name is None:
            raise OSError(f"service {name} has no port {port}")
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
        return self._through_pod(*found[next(self._turn) % len(found)])

    def _through_pod(self, address, port):
        """A pod of istiod has a process that listens; any other can only be a gateway's."""
        pod = next(
            (one for one in self._pods.objects() if one.get("status", {}).get("podIP") == address), None
        )
        if pod is None or is_istiod(pod):
            return self._addresses.here(address), port
        name = "{namespace}/{name}".format(**pod["metadata"])
        destination = self._gateways.destination(pod, port)
        if destination is None:
            raise OSError(f"pod {name} passes nothing on that comes to port {port}")
        namespace, service_name, service_port = destination
        service = self._services.get(namespace, service_name)
        if service is None:
            raise OSError(f"pod {name} passes on to a service {namespace}/{service_name}, which is not there")
        return self._endpoint(service, service_port)


def addresses_of(service):
    """Its cluster address, those of its load balancer, and those that somebody routes to its node."""
    spec = service["spec"]
    given = service.get("status", {}).get("loadBalancer", {}).get("ingress") or []
    found = [spec.get("clusterIP"), *(one.get("ip") for one in given), *spec.get("externalIPs", [])]
    return [one for one in found if one not in (None, "", "None")]


def _belongs_to(one_slice, service):
    metadata = one_slice["metadata"]
    return (
        metadata["namespace"] == service["metadata"]["namespace"]
        and metadata.get("labels", {}).get("kubernetes.io/service-name") == service["metadata"]["name"]
    )
