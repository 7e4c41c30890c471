"""A small client of the Kubernetes API: JSON over HTTPS with a client certificate."""

import base64
import http.client
import json
import re
import ssl
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

APPLY = "application/apply-patch+yaml"  # JSON is YAML
MERGE = "application/merge-patch+json"


class Api:
    """One connection per request: servers come and go under it."""

    def __init__(self, server, context, timeout=5):
        self._address = urlsplit(server)
        self._context = context
        self._timeout = timeout

    @classmethod
    def of_kubeconfig(cls, path):
        """For a kubeconfig that this rig wrote for one user; it reads no others."""
        text = Path(path).read_text()
        fields = dict(re.findall(r"^ +(server|[a-z-]+-data): (\S+)$", text, re.MULTILINE))
        pem = {name: base64.b64decode(value) for name, value in fields.items() if name.endswith("-data")}
        context = ssl.create_default_context(cadata=pem["certificate-authority-data"].decode())
        with tempfile.NamedTemporaryFile() as identity:  # ssl loads keys from files only
            identity.write(pem["client-certificate-data"] + pem["client-key-data"])
            identity.flush()
            context.load_cert_chain(identity.name)
        return cls(json.loads(fields["server"]), context)

    @property
    def server(self):
        return self._address.geturl()

    def request(self, method, path, body=None, content_type="application/json"):
        """(status, answer): any HTTP status is an answer. Raises OSError when nobody answers."""
        connection = self._connect(self._timeout)
        try:
            content = None if body is None else json.dumps(body)
            connection.request(method, path, content, {"Content-Type": content_type})
            response = connection.getresponse()
            text = response.read().decode()
        except http.client.HTTPException as error:
            raise OSError(f"bad answer from the API server: {error!r}") from error
        finally:
            connection.close()
        is_json = response.headers.get_content_type() == "application/json"
        return response.status, json.loads(text) if is_json else text

    def get(self, path):
        return self.request("GET", path)

    def apply(self, path, body, manager):
        """Server-side apply."""
        return self.request("PATCH", f"{path}?fieldManager={manager}", body, APPLY)

    def merge(self, path, patch):
        return self.request("PATCH", path, patch, MERGE)

    def watch(self, path, version, seconds):
        """Yields (type, object) for what happens after `version`, for so many seconds."""
        connection = self._connect(seconds + self._timeout)
        try:
            connection.request("GET", f"{path}?watch=1&resourceVersion={version}&timeoutSeconds={seconds}")
            response = connection.getresponse()
            if response.status != 200:
                raise OSError(f"cannot watch '{path}': HTTP {response.status}")
            for line in response:
                event = json.loads(line)
                yield event["type"], event["object"]
        except (http.client.HTTPException, ValueError) as error:
            raise OSError(f"the watch of '{path}' broke off: {error!r}") from error
        finally:
            connection.close()

    def _connect(self, timeout):
        return http.client.HTTPSConnection(
            self._address.hostname, self._address.port, context=self._context, timeout=timeout
        )
