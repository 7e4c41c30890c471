"""The certificates of a cluster, made by the `openssl` program: P-256, because it is fast."""

import re
import subprocess
import tempfile
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

from .files import write_private
from .report import RigError

YEARS = timedelta(days=3650)
NAMES = ("localhost", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local")
LONGEST_NAME = 64  # of a common name or an organization, RFC 5280 appendix A.1

# Signed by `openssl ca`, not `openssl x509`: that one cannot write a certificate that has expired.
CONFIGURATION = """\
[req]
distinguished_name = nobody
x509_extensions = authority
[nobody]
[ca]
default_ca = rig
[rig]
database = issued.txt
new_certs_dir = issued
rand_serial = yes
unique_subject = no
default_md = sha256
policy = any_name
[any_name]
commonName = optional
organizationName = optional
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[client]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = clientAuth
[server]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectAltName = {names}
"""


@dataclass(frozen=True)
class Identity:
    """A certificate and its key, both PEM."""

    certificate: str
    key: str

    def save(self, certificate_file, key_file):
        write_private(certificate_file, self.certificate)
        write_private(key_file, self.key)

    @classmethod
    def load(cls, certificate_file, key_file):
        return cls(certificate_file.read_text(), key_file.read_text())


class Authority:
    """The CA that one cluster's API server and clients trust; `folder` is private already."""

    def __init__(self, folder):
        self.folder = folder
        self.certificate_file = folder / "ca.crt"

    def create(self, cluster, addresses):
        """The certificate of the API server is for these addresses, for this machine, and for pods."""
        found = [f"IP:{one}" for one in (*addresses, "127.0.0.1")] + [f"DNS:{one}" for one in NAMES]
        names = ", ".join(dict.fromkeys(found))
        (self.folder / "openssl.cnf").write_text(CONFIGURATION.format(names=names))
        (self.folder / "issued.txt").touch()
        (self.folder / "issued").mkdir()
        self._openssl(
            "req", "-config", "openssl.cnf", "-x509", *_new_key("ca.key"), "-out", "ca.crt",
            "-days", str(YEARS.days), "-subj", _subject(f"{cluster} API", []),
        )  # fmt: skip

    def certificate(self):
        return self.certificate_file.read_text()

    def issue_server(self):
        return self._issue("server", "kube-apiserver", [], YEARS)

    def issue_client(self, user, groups=(), lifetime=YEARS):
        """A negative lifetime gives a certificate that expired that long ago."""
        return self._issue("client", user, groups, lifetime)

    def create_service_account_key(self, path):
        """RSA, because that is what the tokens of most real clusters are signed with (RS256)."""
        size = ["-pkeyopt", "rsa_keygen_bits:2048"]
        self._openssl("genpkey", "-quiet", "-algorithm", "RSA", *size, "-out", str(path))

    def _issue(self, kind, name, groups, lifetime):
        now = datetime.now(timezone.utc)
        end = now + lifetime
        start = min(now, end) - timedelta(hours=1)
        with tempfile.TemporaryDirectory(dir=self.folder) as scratch:
            key, request, certificate = (f"{scratch}/{part}" for part in ("key", "request", "certificate"))
            self._openssl(
                "req", "-config", "openssl.cnf", "-new", "-utf8", *_new_key(key), "-out", request,
                "-subj", _subject(name, groups),
            )  # fmt: skip
            self._openssl(
                "ca", "-config", "openssl.cnf", "-batch", "-notext", "-preserveDN", "-extensions", kind,
                "-cert", "ca.crt", "-keyfile", "ca.key", "-in", request, "-out", certificate,
                "-startdate", _asn1_time(start), "-enddate", _asn1_time(end),
            )  # fmt: skip
            return Identity(Path(certificate).read_text(), Path(key).read_text())

    def _openssl(self, *arguments):
        try:
            done = subprocess.run(
                ["openssl", *arguments], cwd=self.folder, capture_output=True, text=True, check=False
            )
        except FileNotFoundError as error:
            raise RigError("no program 'openssl' on PATH", "apt-get install openssl") from error
        if done.returncode != 0:
            raise RigError(f"'openssl {arguments[0]}' failed:\n{done.stderr.strip()}")


def _new_key(path):
    return ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", path]


def _subject(name, groups):
    """What Kubernetes reads from a certificate: organizations are groups, the common name the user."""
    parts = [("O", group) for group in groups] + [("CN", name)]
    return "".join(f"/{kind}={_escaped(value)}" for kind, value in parts)


def _escaped(value):
    if not value or len(value) > LONGEST_NAME or not value.isprintable():
        raise RigError(
            f"'{value}' cannot stand in a certificate: found {len(value)} characters, "
            f"wanted 1 to {LONGEST_NAME} printable ones"
        )
    return re.sub(r"([/+\\])", r"\\\1", value)


def _asn1_time(moment):
    return moment.strftime("%Y%m%d%H%M%SZ")
