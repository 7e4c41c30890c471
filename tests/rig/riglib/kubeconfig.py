"""Writes kubeconfig files: everything embedded, readable by the owner only."""

import base64
import json
from dataclasses import dataclass

from .files import write_private
from .pki import Identity


@dataclass(frozen=True)
class Access:
    """One user's way into one cluster. The context is named as the cluster."""

    cluster: str
    server: str
    authority: str
    user: str
    identity: Identity


def write_kubeconfig(path, accesses):
    """The first of `accesses` becomes the current context."""
    write_private(path, render(accesses))


def render(accesses):
    lines = ["apiVersion: v1", "kind: Config", f"current-context: {_quoted(accesses[0].cluster)}"]
    lines.append("clusters:")
    for access in accesses:
        lines += [
            f"- name: {_quoted(access.cluster)}",
            "  cluster:",
            f"    server: {_quoted(access.server)}",
            f"    certificate-authority-data: {_data(access.authority)}",
        ]
    lines.append("contexts:")
    for access in accesses:
        lines += [
            f"- name: {_quoted(access.cluster)}",
            "  context:",
            f"    cluster: {_quoted(access.cluster)}",
            f"    user: {_quoted(access.user)}",
        ]
    lines.append("users:")
    for access in accesses:
        lines += [
            f"- name: {_quoted(access.user)}",
            "  user:",
            f"    client-certificate-data: {_data(access.identity.certificate)}",
            f"    client-key-data: {_data(access.identity.key)}",
        ]
    return "\n".join(lines) + "\n"


def _quoted(text):
    return json.dumps(text)  # a JSON string is a YAML string, whatever it holds


def _data(pem):
    return base64.b64encode(pem.encode()).decode()
