"""Two ways to have connections to a cluster's addresses taken where `routes` says.

In a network namespace the forwarder listens on the addresses of Services themselves. Elsewhere they
are nobody's, and only the API server gets through to them: it asks the egress proxy.
"""

import contextlib
import ipaddress
import socket
import socketserver
import threading

from .ports import LOOPBACK
from .report import progress

DIAL_SECONDS = 5
LONGEST_REQUEST = 8192
CHUNK = 65536


class EgressProxy(socketserver.ThreadingUnixStreamServer):
    """HTTP CONNECT, as Kubernetes' egress selector speaks it; `routes` says where an address is."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, path, routes):
        self.routes = routes
        super().__init__(path, _Connect)


class _Connect(socketserver.StreamRequestHandler):
    timeout = DIAL_SECONDS

    def handle(self):
        words = self.rfile.readline(LONGEST_REQUEST).decode(errors="replace").split()
        while self.rfile.readline(LONGEST_REQUEST) not in (b"\r\n", b"\n", b""):
            pass
        if len(words) != 3 or words[0] != "CONNECT":
            self._answer("400 Bad Request")
            return
        host, _, port = words[1].rpartition(":")
        there = _dial(self.server.routes, host, int(port))
        if there is None:
            self._answer("502 Bad Gateway")
            return
        with there:
            self._answer("200 OK")
            # TLS: the client waits for this answer before it speaks, so nothing is buffered in rfile.
            pass_bytes(self.connection, there)

    def _answer(self, status):
        self.wfile.write(f"HTTP/1.1 {status}\r\n\r\n".encode())


class Forwarder:
    """Listens on the addresses that it is given, those of Services above all."""

    def __init__(self, routes):
        self._routes = routes
        self._listeners = {}

    def listen_on(self, wanted):
        """Brings the listeners in line with `wanted`, a set of (address, port)."""
        for place in self._listeners.keys() - wanted:
            listener = self._listeners.pop(place)
            listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that waits for a connection
            listener.close()
        for place in wanted - self._listeners.keys():
            listener = socket.create_server(place, backlog=64)
            self._listeners[place] = listener
            threading.Thread(target=self._serve, args=(listener, *place), daemon=True).start()

    def _serve(self, listener, address, port):
        with contextlib.suppress(OSError):  # the listener was closed
            while True:
                here, _ = listener.accept()
                threading.Thread(target=self._pass_on, args=(here, address, port), daemon=True).start()

    def _pass_on(self, here, address, port):
        with here:
            source = LOOPBACK if ipaddress.ip_address(address).is_loopback else ""
            there = _dial(self._routes, address, port, source)
            if there is not None:
                with there:
                    pass_bytes(here, there)


def _dial(routes, address, port, source=""):
    """None, and a line in the log, when nobody answers. What came by loopback goes on by it."""
    try:
        return socket.create_connection(routes.target(address, port), DIAL_SECONDS, (source, 0))
    except OSError as error:
        progress(f"cannot connect to {address}:{port}: {error}")
        return None


def pass_bytes(here, there):
    """Both ways, until both sides have said all they had to say."""
    for end in (here, there):
        end.settimeout(None)
    back = threading.Thread(target=_pass_one_way, args=(there, here), daemon=True)
    back.start()
    _pass_one_way(here, there)
    back.join()


def _pass_one_way(source, sink):
    with contextlib.suppress(OSError):
        while chunk := source.recv(CHUNK):
            sink.sendall(chunk)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
