"""Passes bytes between two connections, and serves the API server's requests for such passages."""

import contextlib
import socket
import socketserver
import threading

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
        try:
            there = socket.create_connection(self.server.routes.target(host, int(port)), DIAL_SECONDS)
        except OSError as error:
            progress(f"cannot connect the API server to {words[1]}: {error}")
            self._answer("502 Bad Gateway")
            return
        with there:
            self._answer("200 OK")
            # TLS: the client waits for this answer before it speaks, so nothing is buffered in rfile.
            pass_bytes(self.connection, there)

    def _answer(self, status):
        self.wfile.write(f"HTTP/1.1 {status}\r\n\r\n".encode())


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
