"""Certificates and revocation lists made by the openssl program, as wrong as one likes."""

import subprocess
from datetime import datetime, timedelta, timezone
from pathlib import Path

CONFIG = """[ca]
default_ca = all
[all]
database = index
serial = serial
crlnumber = crlnumber
new_certs_dir = .
policy = anything
unique_subject = no
preserve = yes
[anything]
countryName = optional
organizationName = optional
organizationalUnitName = optional
commonName = optional
localityName = optional
[req]
distinguished_name = empty
[empty]
[constrained]
CN = a
[crl]
authorityKeyIdentifier = keyid:always
"""

NOW = datetime.now(timezone.utc).replace(microsecond=0)
ROOT = ("basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign,cRLSign", "subjectKeyIdentifier=hash")
INTERMEDIATE = ("basicConstraints=critical,CA:TRUE,pathlen:0", "keyUsage=critical,keyCertSign,cRLSign",
                "subjectKeyIdentifier=hash", "authorityKeyIdentifier=keyid:always")
WORKLOAD = ("basicConstraints=critical,CA:FALSE", "keyUsage=critical,digitalSignature,keyEncipherment",
            "extendedKeyUsage=serverAuth,clientAuth", "authorityKeyIdentifier=keyid:always",
            "subjectAltName=critical,URI:spiffe://cluster.local/ns/shop/sa/cart")


def replaced(extensions, **changes):
    """`extensions` with some of another value; None leaves one out."""
    kept = [line for line in extensions if line.split("=", 1)[0] not in changes]
    return tuple(kept + [f"{name}={value}" for name, value in changes.items() if value is not None])


def days(count):
    return NOW + timedelta(days=count)


class Identity:
    """A certificate with its key, as files."""

    def __init__(self, certificate, key):
        self.certificate, self.key = certificate, key

    @property
    def pem(self):
        return self.certificate.read_text()


class Maker:
    """A folder in which openssl makes things."""

    def __init__(self, folder):
        self.folder = Path(folder)
        (self.folder / "index").write_text("")
        (self.folder / "ca.cnf").write_text(CONFIG)
        self.count = 0
        self.keys = {}

    def openssl(self, *arguments):
        done = subprocess.run(["openssl", *map(str, arguments)], cwd=self.folder, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise AssertionError(f"openssl {' '.join(map(str, arguments))}: {done.stderr}")
        return done.stdout

    def name(self, suffix):
        self.count += 1
        return self.folder / f"{self.count}.{suffix}"

    def key(self, kind="ec:P-256", purpose=""):
        """The key of this kind for this purpose: made once."""
        if (kind, purpose) not in self.keys:
            path = self.name("key")
            algorithm, _, detail = kind.partition(":")
            if algorithm == "ec":
                self.openssl("genpkey", "-algorithm", "EC", "-pkeyopt", f"ec_paramgen_curve:{detail}", "-out", path)
            elif algorithm == "rsa":
                self.openssl("genrsa", "-out", path, detail)
            elif algorithm == "compressed":
                self.openssl("ec", "-in", self.key(f"ec:{detail}", purpose), "-conv_form", "compressed", "-out", path)
            else:
                self.openssl("genpkey", "-algorithm", algorithm, "-out", path)
            self.keys[kind, purpose] = path
        return self.keys[kind, purpose]

    def mint(self, subject, extensions, issuer=None, kind="ec:P-256", begin=-10, end=700, serial=None, digest="sha256",
             key=None):
        """Signed by `issuer`, or by itself. `begin` and `end` are days from now."""
        key = key or self.key(kind, subject)
        request, extension_file, out = self.name("csr"), self.name("ext"), self.name("pem")
        self.openssl("req", "-new", "-config", "ca.cnf", "-key", key, "-subj", subject, "-out", request)
        extension_file.write_text("\n".join(extensions) + "\n[constrained]\nCN = a\n")
        (self.folder / "index").write_text("")
        (self.folder / "serial").write_text(f"{serial or '%032x' % (0x5eed << 112 | self.count)}\n")
        who = ["-keyfile", issuer.key, "-cert", issuer.certificate] if issuer else ["-selfsign", "-keyfile", key]
        is_edwards = subprocess.run(["openssl", "pkey", "-in", (issuer.key if issuer else key), "-noout", "-text"],
                                    capture_output=True, text=True, check=True).stdout.startswith("ED25519")
        stamp = "%Y%m%d%H%M%SZ"
        self.openssl("ca", "-config", "ca.cnf", "-batch", "-notext", "-in", request, "-out", out, "-extfile", extension_file,
                     "-startdate", days(begin).strftime(stamp), "-enddate", days(end).strftime(stamp),
                     "-md", "null" if is_edwards else digest, *who)
        return Identity(out, key)

    def root(self, subject="/O=Shop/CN=Root", extensions=ROOT, end=3650, **more):
        return self.mint(subject, extensions, end=end, **more)

    def intermediate(self, issuer, subject="/O=Shop/CN=east", extensions=INTERMEDIATE, **more):
        return self.mint(subject, extensions, issuer=issuer, **more)

    def workload(self, issuer, extensions=WORKLOAD, end=1, begin=-0.1, **more):
        return self.mint("/O=Shop", extensions, issuer=issuer, begin=begin, end=end, **more)

    def crl(self, issuer, begin=-1, end=90, numbered=True):
        out = self.name("crl")
        (self.folder / "crlnumber").write_text("01\n")
        (self.folder / "index").write_text("")
        stamp = "%Y%m%d%H%M%SZ"
        config = self.folder / "crl.cnf"
        text = CONFIG.replace("[anything]", "crl_extensions = crl\n[anything]")
        config.write_text(text if numbered else text.replace("crlnumber = crlnumber\n", ""))
        self.openssl("ca", "-config", config, "-gencrl", "-keyfile", issuer.key, "-cert", issuer.certificate, "-md", "sha256",
                     "-crl_lastupdate", days(begin).strftime(stamp), "-crl_nextupdate", days(end).strftime(stamp),
                     "-out", out)
        return out.read_text()


def bundle(folder, ca, chain, roots, crl=None):
    """The files of a plugged-in CA; the key is not what lint looks at."""
    folder.mkdir(parents=True)
    (folder / "ca-cert.pem").write_text(ca if isinstance(ca, str) else ca.pem)
    (folder / "cert-chain.pem").write_text("".join(one.pem for one in chain))
    (folder / "root-cert.pem").write_text("".join(one.pem for one in roots))
    if crl is not None:
        (folder / "ca-crl.pem").write_text(crl)
    return folder
