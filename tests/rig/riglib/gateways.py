"""Plays Istio's gateways, as far as they pass TLS on as it is to a Service of their own cluster.

That is what carries a remote cluster's xDS, certificate requests and webhooks to its istiod. It is
read from the same Gateways and VirtualServices that istiod would turn into Envoy's configuration, so
a missing exposure is missing here too. Names in the TLS handshake are not looked at.
"""


class Gateways:
    def __init__(self, gateways, virtual_services):
        self._gateways = gateways
        self._virtual_services = virtual_services

    def destination(self, pod, port):
        """(namespace, service, port) that connections to this port of the pod are for, else None."""
        for gateway in self._gateways.objects():
            if _selects(gateway, pod) and _passes_on(gateway, port):
                for virtual_service in self._virtual_services.objects():
                    if _is_bound(virtual_service, gateway):
                        found = _route(virtual_service, port)
                        if found is not None:
                            return found
        return None


def _selects(gateway, pod):
    wanted = gateway["spec"].get("selector", {})
    return wanted.items() <= pod["metadata"].get("labels", {}).items()


def _passes_on(gateway, port):
    return any(
        server["port"]["number"] == port and server.get("tls", {}).get("mode") == "PASSTHROUGH"
        for server in gateway["spec"].get("servers", [])
    )


def _is_bound(virtual_service, gateway):
    namespace, name = gateway["metadata"]["namespace"], gateway["metadata"]["name"]
    names = {f"{namespace}/{name}"}
    if virtual_service["metadata"]["namespace"] == namespace:
        names.add(name)
    return not names.isdisjoint(virtual_service["spec"].get("gateways", []))


def _route(virtual_service, port):
    for rule in virtual_service["spec"].get("tls", []):
        if any(match.get("port", port) == port for match in rule["match"]):
            destination = rule["route"][0]["destination"]
            service, _, rest = destination["host"].partition(".")
            namespace = rest.partition(".")[0] or virtual_service["metadata"]["namespace"]
            return namespace, service, destination.get("port", {}).get("number", port)
    return None
