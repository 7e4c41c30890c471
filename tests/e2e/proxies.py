"""HTTP and SOCKS proxies for the tests, each counting what goes through it."""

import contextlib
import select
import socket
import ssl
import struct
import tempfile
import threading


class Proxy:
    """Listens on a free local port until it is closed; `opened` lists the targets as they were named."""

    def __init__(self):
        self.opened = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        with connection, contextlib.suppress(OSError, EOFError):
            host, port, answer = self.greet(connection)
            self.opened.append(f"{host}:{port}")
            with socket.create_connection((host, port)) as target:
                connection.sendall(answer)
                back = threading.Thread(target=_copy, args=(target, connection), daemon=True)
                back.start()
                _copy(connection, target)
                back.join()


class HttpProxy(Proxy):
    def greet(self, connection):
        head = b""
        while b"\r\n\r\n" not in head:
            head += _some(connection)
        method, target, _ = head.split(b"\r\n")[0].decode().split(" ")
        assert method == "CONNECT", method
        host, _, port = target.rpartition(":")
        return host, int(port), b"HTTP/1.1 200 OK\r\n\r\n"


class HttpsProxy(HttpProxy):
    """An HTTP proxy that is itself spoken to by TLS."""

    def __init__(self, pair):
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
            file.write(pair.key + pair.certificate)
            file.flush()
            self._tls.load_cert_chain(file.name)
        super().__init__()

    def _serve(self, connection):
        with contextlib.suppress(OSError):
            super()._serve(_Tunnel(self._tls.wrap_socket(connection, server_side=True)))


class _Tunnel:
    """A TLS connection that one thread may read while another writes, as `ssl` does not allow by itself."""

    def __init__(self, connection):
        self._connection = connection
        self._lock = threading.Lock()
        connection.setblocking(False)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._connection.close()

    def recv(self, size):
        while True:
            with self._lock, contextlib.suppress(ssl.SSLWantReadError):
                return self._connection.recv(size)
            select.select([self._connection], [], [])

    def sendall(self, data):
        while data:
            try:
                with self._lock:
                    data = data[self._connection.send(data) :]
            except ssl.SSLWantWriteError:
                select.select([], [self._connection], [])

    def shutdown(self, how):
        self._connection.shutdown(how)


class SocksProxy(Proxy):
    def greet(self, connection):
        _, methods = _exactly(connection, 2)
        _exactly(connection, methods)
        connection.sendall(b"\x05\x00")
        _, _, _, kind = _exactly(connection, 4)
        if kind == 1:
            host = socket.inet_ntoa(_exactly(connection, 4))
        else:
            host = _exactly(connection, _exactly(connection, 1)[0]).decode()
        (port,) = struct.unpack("!H", _exactly(connection, 2))
        return host, port, b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00"


def _some(connection):
    data = connection.recv(65536)
    if not data:
        raise EOFError
    return data


def _exactly(connection, size):
    data = b""
    while len(data) < size:
        part = connection.recv(size - len(data))
        if not part:
            raise EOFError
        data += part
    return data


def _copy(source, target):
    with contextlib.suppress(OSError, EOFError):
        while True:
            target.sendall(_some(source))
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)
