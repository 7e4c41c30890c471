"""Hands out blocks of ports, so that any number of rigs can start at the same moment.

A block belongs to whoever has a socket bound to its first port. The servers of a cluster inherit
that socket and never use it: the kernel frees the block when the last of them has ended, however it
ended. There is no lock file to go stale, and it works between users and network namespaces too.
"""

import errno
import socket
from dataclasses import dataclass

from .report import RigError

LOOPBACK = "127.0.0.1"
FIRST_PORT = 21000  # below the range that Linux gives to outgoing connections
BLOCK_SIZE = 100
BLOCK_COUNT = 50


@dataclass(frozen=True)
class Block:
    """The ports and address ranges of one cluster; those of two clusters never overlap."""

    number: int

    @property
    def claim(self):
        return FIRST_PORT + BLOCK_SIZE * self.number

    @property
    def api(self):
        return self.claim + 1

    @property
    def etcd(self):
        return self.claim + 2

    @property
    def etcd_peer(self):
        return self.claim + 3

    @property
    def controllers(self):
        return self.claim + 4

    @property
    def scheduler(self):
        return self.claim + 5

    @property
    def kubelet(self):
        return self.claim + 6

    @property
    def network(self):
        """In a network namespace: the first three numbers of its API server and load balancers."""
        return f"172.18.{self.number}"

    @property
    def service_range(self):
        return f"10.{100 + self.number}.0.0/16"

    @property
    def kubernetes_service(self):
        """Where pods find the API server: the first address of the Services."""
        return f"10.{100 + self.number}.0.1"

    @property
    def pod_range(self):
        return f"10.{150 + self.number}.0.0/16"


def claim_block(address):
    """The first free block and the socket that holds it: close it once the servers have it."""
    for number in range(BLOCK_COUNT):
        block = Block(number)
        claim = _bind(address, block.claim, reuse=False)
        if claim is None:
            continue
        if _others_are_free(address, block):
            return block, claim
        claim.close()
    last = FIRST_PORT + BLOCK_SIZE * BLOCK_COUNT - 1
    raise RigError(
        f"no free ports: all {BLOCK_COUNT} blocks of {FIRST_PORT}-{last} on {address} are taken",
        "'rig status' and 'rig down' with each --state that you use",
    )


def _others_are_free(address, block):
    """A claim binds only rigs; some other program may sit on the ports behind it."""
    for port in range(block.api, block.kubelet + 1):
        # Reuse as the servers do it, or the remains of a closed connection look like a server.
        probe = _bind(address, port, reuse=True)
        if probe is None:
            return False
        probe.close()
    return True


def _bind(address, port, reuse):
    candidate = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    if reuse:
        candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        candidate.bind((address, port))
        return candidate
    except OSError as error:
        candidate.close()
        if error.errno == errno.EADDRINUSE:
            return None
        raise RigError(f"cannot bind {address}:{port}: {error.strerror}") from error
