"""The DNS of one cluster: its Services' names, and nothing else, for there is nothing else."""

import ipaddress
import socketserver
import struct
import threading
from dataclasses import dataclass

DOMAIN = ("svc", "cluster", "local")
PORT = 53
SECONDS_TO_LIVE = 5
A, CNAME, ANY = 1, 5, 255
IN = 1
NO_ERROR, FORMAT_ERROR, NO_SUCH_NAME = 0, 1, 3
AUTHORITATIVE_ANSWER = 0x8400
LONGEST_DATAGRAM = 512


class Names:
    """Looks names up in copies of Services and EndpointSlices (`watch.Watch`)."""

    def __init__(self, services, slices):
        self._services = services
        self._slices = slices

    def find(self, labels):
        """[(type, value)] of a name, None when there is no such name. Types are A and CNAME."""
        if tuple(labels[-len(DOMAIN) :]) != DOMAIN or len(labels) not in (5, 6):
            return None
        *host, name, namespace = labels[: -len(DOMAIN)]
        service = self._services.get(namespace, name)
        if service is None:
            return None
        spec = service["spec"]
        if spec.get("type") == "ExternalName":
            return [(CNAME, spec["externalName"])] if not host else None
        if spec.get("clusterIP", "None") != "None":
            return [(A, spec["clusterIP"])] if not host else None
        found = self._endpoints(namespace, name, host[0] if host else None)
        return None if host and not found else found

    def _endpoints(self, namespace, service, host):
        """Those of a Service without an address of its own; with a host, that pod's alone."""
        return [
            (A, address)
            for one in self._slices.objects()
            if one["metadata"]["namespace"] == namespace
            and one["metadata"].get("labels", {}).get("kubernetes.io/service-name") == service
            for endpoint in one.get("endpoints") or []
            if endpoint.get("conditions", {}).get("ready", True) and host in (None, endpoint.get("hostname"))
            for address in endpoint["addresses"]
        ]


@dataclass(frozen=True)
class Question:
    number: int
    flags: int
    labels: tuple
    kind: int
    raw: bytes  # as it is repeated in the answer


def answer(names, packet):
    """The packet that answers a packet; b"" when that one is too broken for any answer."""
    try:
        question = _read(packet)
    except (struct.error, IndexError, UnicodeDecodeError):
        return packet[:2] + struct.pack(">HHHHH", 0x8000 | FORMAT_ERROR, 0, 0, 0, 0) if len(packet) >= 2 else b""
    found = names.find(question.labels)
    records = [_record(kind, value) for kind, value in found or [] if question.kind in (kind, ANY) or kind == CNAME]
    code = NO_SUCH_NAME if found is None else NO_ERROR
    # The wish for recursion is repeated, and granted: a name that is not ours is nobody's.
    flags = AUTHORITATIVE_ANSWER | question.flags & 0x0100 | 0x0080 | code
    return struct.pack(">HHHHHH", question.number, flags, 1, len(records), 0, 0) + question.raw + b"".join(records)


def _read(packet):
    number, flags, questions = struct.unpack(">HHH", packet[:6])
    if questions != 1:
        raise IndexError
    labels, place = [], 12
    while length := packet[place]:
        labels.append(packet[place + 1 : place + 1 + length].decode("ascii").lower())
        place += 1 + length
    kind, _ = struct.unpack(">HH", packet[place + 1 : place + 5])
    return Question(number, flags, tuple(labels), kind, packet[12 : place + 5])


def _record(kind, value):
    data = ipaddress.ip_address(value).packed if kind == A else _written(value)
    # 0xC00C: the name of the question, which begins at byte 12.
    return struct.pack(">HHHIH", 0xC00C, kind, IN, SECONDS_TO_LIVE, len(data)) + data


def _written(name):
    labels = [label.encode() for label in name.rstrip(".").split(".")]
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def serve(address, names):
    """Answers by UDP and TCP, in threads."""

    class Datagram(socketserver.BaseRequestHandler):
        def handle(self):
            packet, connection = self.request
            reply = answer(names, packet)
            if len(reply) > LONGEST_DATAGRAM:  # cut off: ask again by TCP
                end = 12 + len(_read(packet).raw)
                reply = reply[:2] + bytes([reply[2] | 0x02]) + reply[3:6] + bytes(6) + reply[12:end]
            connection.sendto(reply, self.client_address)

    class Stream(socketserver.StreamRequestHandler):
        def handle(self):
            while len(head := self.rfile.read(2)) == 2:
                reply = answer(names, self.rfile.read(struct.unpack(">H", head)[0]))
                self.wfile.write(struct.pack(">H", len(reply)) + reply)

    class TcpServer(socketserver.ThreadingTCPServer):
        allow_reuse_address = True
        daemon_threads = True

    for server in (socketserver.ThreadingUDPServer((address, PORT), Datagram), TcpServer((address, PORT), Stream)):
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
