"""Certificate authorities as people make them by hand, with the `openssl` program alone."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from support import openssl

AUTHORITY = """\
basicConstraints = critical, CA:TRUE{limit}
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
{issuer}"""


@dataclass(frozen=True)
class Pair:
    certificate: str
    key: str


def make_root(name="Handmade Root"):
    with tempfile.TemporaryDirectory() as folder:
        key = make_key()
        paths = _write(folder, key=key, extensions=AUTHORITY.format(limit="", issuer=""))
        request = _request(paths, f"/O=Handmade/CN={name}")
        certificate = openssl(
            "x509", "-req", "-in", request, "-signkey", paths["key"], "-days", 3650, "-extfile", paths["extensions"]
        )
    return Pair(certificate, key)


def make_bundle(root, name):
    """The four files of a cluster, signed by `root`."""
    with tempfile.TemporaryDirectory() as folder:
        key = make_key()
        extensions = AUTHORITY.format(limit=", pathlen:0", issuer="authorityKeyIdentifier = keyid\n")
        paths = _write(folder, key=key, extensions=extensions, root=root.certificate, root_key=root.key)
        request = _request(paths, f"/O=Handmade/CN={name}")
        signer = ("-CA", paths["root"], "-CAkey", paths["root_key"], "-CAcreateserial")
        certificate = openssl(
            "x509", "-req", "-in", request, *signer, "-days", 730, "-extfile", paths["extensions"]
        )
    return {
        "ca-cert.pem": certificate,
        "ca-key.pem": key,
        "cert-chain.pem": certificate + root.certificate,
        "root-cert.pem": root.certificate,
    }


def make_server(names="IP:127.0.0.1", subject="/CN=proxy"):
    """A certificate that is its own authority, for a server of these subjectAltNames."""
    with tempfile.TemporaryDirectory() as folder:
        key = make_key()
        paths = _write(folder, key=key, extensions=f"basicConstraints = CA:TRUE\nsubjectAltName = {names}\n")
        request = _request(paths, subject)
        certificate = openssl(
            "x509", "-req", "-in", request, "-signkey", paths["key"], "-days", 3650, "-extfile", paths["extensions"]
        )
    return Pair(certificate, key)


def make_key():
    return openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")


def _write(folder, **texts):
    paths = {}
    for name, text in texts.items():
        paths[name] = Path(folder, name)
        paths[name].write_text(text)
    return paths


def _request(paths, subject):
    request = paths["key"].with_suffix(".csr")
    openssl("req", "-new", "-key", paths["key"], "-subj", subject, "-out", request)
    return request
