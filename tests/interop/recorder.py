"""A TLS server that notes of every request who called it by which name, and with what."""

import http.server
import json
import ssl
import threading

REVIEWS = "/apis/authentication.k8s.io/v1/selfsubjectreviews"


class Recorder:
    """`seen` holds a dictionary a request; `certificate`, `key` and `clients` are paths."""

    def __init__(self, certificate, key, clients):
        self.seen = []
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        context.verify_mode = ssl.CERT_OPTIONAL
        context.load_verify_locations(clients)
        names = {}
        context.sni_callback = lambda connection, name, _: names.__setitem__(id(connection), name)
        seen = self.seen

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self):
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                who = (self.connection.getpeercert() or {}).get("subject", ())
                seen.append(
                    {
                        "path": self.path,
                        "name": names.get(id(self.connection)),
                        "host": self.headers["Host"],
                        "client": dict(pair for part in who for pair in part).get("commonName"),
                        "credentials": sorted(
                            (name.lower(), value)
                            for name, value in self.headers.items()
                            if name.lower() == "authorization" or name.lower().startswith("impersonate-")
                        ),
                    }
                )
                body = {"major": "1", "minor": "34", "gitVersion": "v1.34.4", "kind": "SelfSubjectReview"}
                text = json.dumps(body).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            do_GET = do_POST = answer

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def get_request(self):
                connection, address = super().get_request()
                return context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False), address

            def handle_error(self, *_):
                pass  # a client that does not trust us

        self._server = Server(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def take(self):
        """What was seen since the last call."""
        found = list(self.seen)
        self.seen.clear()
        return found

    def close(self):
        self._server.shutdown()
        self._server.server_close()
