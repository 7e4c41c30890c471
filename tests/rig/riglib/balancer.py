"""Plays the load balancer of a cloud: gives each Service of that type an address.

A cluster without a load balancer is one whose node is not to be behind any, by Kubernetes' own label:

    kubectl label node node node.kubernetes.io/exclude-from-external-load-balancers=
"""

from .report import progress

HOSTS = range(100, 250)
EXCLUDED = "node.kubernetes.io/exclude-from-external-load-balancers"


class Balancer:
    """`network` is the first three numbers of its addresses, like 172.18.0."""

    def __init__(self, api, network):
        self._api = api
        self._network = network

    def reconcile(self, services, nodes):
        if all(EXCLUDED in node["metadata"].get("labels", {}) for node in nodes):
            return
        balanced = [one for one in services if one["spec"].get("type") == "LoadBalancer"]
        taken = {address for one in balanced for address in _given(one)}
        for service in balanced:
            if _given(service):
                continue
            address = next(one for host in HOSTS if (one := f"{self._network}.{host}") not in taken)
            taken.add(address)
            path = "/api/v1/namespaces/{namespace}/services/{name}/status".format(**service["metadata"])
            status, _ = self._api.merge(path, {"status": {"loadBalancer": {"ingress": [{"ip": address}]}}})
            if status == 200:
                progress(f"{service['metadata']['name']}: gave it the address {address}")


def _given(service):
    ingress = service.get("status", {}).get("loadBalancer", {}).get("ingress") or []
    return [one["ip"] for one in ingress if "ip" in one]
