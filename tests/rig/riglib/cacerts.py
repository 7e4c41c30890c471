"""The `cacerts` of clusters, as people make them with the openssl program."""

import subprocess
from pathlib import Path


def make_cacerts(folder, name):
    """The files of a `cacerts` whose CA has this name, under the root in `folder`, made if need be."""

    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    new = ("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2")
    usage = ("-addext", "keyUsage=critical,keyCertSign,cRLSign")
    if not Path(folder, "root.pem").exists():
        openssl(*new, "-keyout", "root.key", "-out", "root.pem", "-subj", "/CN=root", *usage)
    issuer = ("-CA", "root.pem", "-CAkey", "root.key")
    openssl(*new, "-keyout", "ca.key", "-out", "ca.pem", "-subj", f"/CN={name}", *issuer, *usage)
    ca, key, root = (Path(folder, file).read_text() for file in ("ca.pem", "ca.key", "root.pem"))
    return {"ca-cert.pem": ca, "ca-key.pem": key, "cert-chain.pem": ca + root, "root-cert.pem": root}
