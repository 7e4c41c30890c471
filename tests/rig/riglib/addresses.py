"""Where on this machine an address of the cluster is to be found."""

import ipaddress


class Addresses:
    """A pod 10.A.B.C listens on 127.A.B.C: all of 127.0.0.0/8 is this machine's, none of 10.0.0.0/8."""

    def __init__(self, pod_range):
        self._pods = ipaddress.ip_network(pod_range)

    def here(self, address):
        """The address to listen on, or dial, for an address of the cluster."""
        try:
            is_pod = ipaddress.ip_address(address) in self._pods
        except ValueError:
            return address  # a name
        return f"127.{address.partition('.')[2]}" if is_pod else address
