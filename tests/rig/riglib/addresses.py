"""Where on this machine an address of the cluster is to be found."""

import ipaddress


class Addresses:
    """A pod 10.A.B.C has the loopback address 127.A.B.C: all of 127.0.0.0/8 is this machine's.

    In a network namespace its process listens on the pod's address, elsewhere on the loopback one.
    """

    def __init__(self, pod_range, in_namespace):
        self._pods = ipaddress.ip_network(pod_range)
        self._in_namespace = in_namespace

    def here(self, address):
        """The address to listen on, or dial, for an address of the cluster."""
        if self._in_namespace:
            pod = f"10.{address.partition('.')[2]}"
            return pod if address.startswith("127.") and self._is_pod(pod) else address
        return self.loopback(address) if self._is_pod(address) else address

    def loopback(self, pod_address):
        """Where a connection arrives that the pod is to take for one from inside the pod."""
        return f"127.{pod_address.partition('.')[2]}"

    def _is_pod(self, address):
        try:
            return ipaddress.ip_address(address) in self._pods
        except ValueError:
            return False  # a name
