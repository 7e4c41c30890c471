"""A registry of images that only gives: enough of the OCI distribution API for containerd to pull."""

import json
import shutil
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from . import oci


class Registry(ThreadingHTTPServer):
    """Serves the images of `layouts` by the last part of their names: any host, any tag.

    A host below .invalid (RFC 2606) is one that nobody reaches: it has no images, as any name that is
    not of ours.
    """

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, address, layouts):
        self.layouts = layouts
        self.digests = {name: digest for one in layouts for name, digest in oci.manifests(one).items()}
        super().__init__(address, Handler)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_HEAD(self):
        self._answer(with_body=False)

    def do_GET(self):
        self._answer(with_body=True)

    def _answer(self, with_body):
        place = urlsplit(self.path)
        host = parse_qs(place.query).get("ns", [""])[0]  # for whom containerd takes us
        path, kind = self._find(place.path.split("/"), host)
        if path is None:
            self.send_response(200 if place.path == "/v2/" else 404)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(path.stat().st_size))
        self.send_header("Docker-Content-Digest", f"sha256:{path.name}")
        self.end_headers()
        if with_body:
            with open(path, "rb") as file:
                shutil.copyfileobj(file, self.wfile, 1 << 20)

    def _find(self, words, host):
        """(file, its type) for ['', 'v2', ..., NAME, 'manifests' or 'blobs', WHICH]."""
        if len(words) < 5 or words[-2] not in ("manifests", "blobs") or host.endswith(".invalid"):
            return None, None
        name, kind, which = words[-3:]
        if kind == "manifests" and not which.startswith("sha256:"):
            which = self.server.digests.get(name, "")
        found = [path for one in self.server.layouts if (path := oci.blob(one, which)).is_file()]
        if not found:
            return None, None
        return found[0], oci.MANIFEST if kind == "manifests" else "application/octet-stream"

    def log_message(self, *_words):
        pass  # what is missing the kubelet says
