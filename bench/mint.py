#!/usr/bin/env python3
"""Times a root and the intermediates of 50 clusters on disk: meshtrust, openssl and certtool, in turn.

usage: bench/mint.py [--clusters N] [--rounds N] [--meshtrust PROGRAM]

Each tool is run as its users run it, one process a step, ECDSA P-256. Rounds alternate between the tools,
so that a machine that gets slower does so for all. Printed are medians and ratios.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

PASSWORD = "bench"
ROOT = Path(__file__).resolve().parent.parent

OPENSSL_CA = """\
basicConstraints = critical, CA:TRUE, pathlen:0
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
"""
CERTTOOL_CA = 'organization = "mesh"\ncn = "{name}"\nca\npath_len = 0\ncert_signing_key\ncrl_signing_key\nexpiration_days = 730\n'


def run(folder, *command, environment=None):
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                   env={**os.environ, **(environment or {})})


def concatenate(target, *sources):
    target.write_bytes(b"".join(source.read_bytes() for source in sources))


def meshtrust(folder, clusters, program, with_kdf):
    flags = [] if with_kdf else ["--no-password", "--insecure"]
    secret = {"MESHTRUST_PASSWORD": PASSWORD, "MESHTRUST_SCRYPT_P": "5"}  # as much work as the recipe
    run(folder, program, "ca", "create", "--store", "t", *flags, environment=secret)
    for name in clusters:
        run(folder, program, "ca", "issue", name, "--store", "t", "--out", name, environment=secret)


def openssl(folder, clusters, _, with_kdf):
    (folder / "ca.cnf").write_text(OPENSSL_CA)
    key = ["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out"]
    run(folder, *key, "root-key.pem")
    secret = []
    if with_kdf:
        secret = ["-passin", "env:BENCH_PASSWORD"]
        run(folder, "openssl", "pkcs8", "-topk8", "-scrypt", "-scrypt_p", "5", "-in", "root-key.pem",
            "-out", "root-key.enc", "-passout", "env:BENCH_PASSWORD", environment={"BENCH_PASSWORD": PASSWORD})
        os.replace(folder / "root-key.enc", folder / "root-key.pem")
    environment = {"BENCH_PASSWORD": PASSWORD}
    run(folder, "openssl", "req", "-x509", "-new", "-key", "root-key.pem", *secret, "-sha256", "-days", "3650",
        "-subj", "/O=mesh/CN=mesh Root CA", "-out", "root-cert.pem", environment=environment)
    for name in clusters:
        out = folder / name
        out.mkdir()
        run(folder, *key, f"{name}/ca-key.pem")
        run(folder, "openssl", "req", "-new", "-key", f"{name}/ca-key.pem", "-subj", f"/O=mesh/CN={name}",
            "-out", f"{name}/ca.csr")
        run(folder, "openssl", "x509", "-req", "-sha256", "-days", "730", "-CA", "root-cert.pem", "-CAkey",
            "root-key.pem", *secret, "-extfile", "ca.cnf", "-in", f"{name}/ca.csr", "-out", f"{name}/ca-cert.pem",
            environment=environment)
        concatenate(out / "cert-chain.pem", out / "ca-cert.pem", folder / "root-cert.pem")
        shutil.copy(folder / "root-cert.pem", out)


def certtool(folder, clusters, _, __):
    key = ["certtool", "--generate-privkey", "--key-type", "ecdsa", "--curve", "secp256r1", "--pkcs8", "--empty-password", "--outfile"]
    (folder / "root.cfg").write_text(CERTTOOL_CA.format(name="mesh Root CA").replace("path_len = 0\n", ""))
    run(folder, *key, "root-key.pem")
    run(folder, "certtool", "--generate-self-signed", "--load-privkey", "root-key.pem", "--empty-password", "--template",
        "root.cfg", "--outfile", "root-cert.pem")
    for name in clusters:
        out = folder / name
        out.mkdir()
        (out / "ca.cfg").write_text(CERTTOOL_CA.format(name=name))
        run(folder, *key, f"{name}/ca-key.pem")
        run(folder, "certtool", "--generate-certificate", "--load-privkey", f"{name}/ca-key.pem", "--empty-password",
            "--load-ca-certificate", "root-cert.pem", "--load-ca-privkey", "root-key.pem", "--template",
            f"{name}/ca.cfg", "--outfile", f"{name}/ca-cert.pem")
        concatenate(out / "cert-chain.pem", out / "ca-cert.pem", folder / "root-cert.pem")
        shutil.copy(folder / "root-cert.pem", out)


def verify(folder, clusters):
    for name in clusters:
        run(folder, "openssl", "verify", "-CAfile", f"{name}/root-cert.pem", f"{name}/ca-cert.pem")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clusters", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--meshtrust", default=str(ROOT / "build/release/meshtrust"))
    options = parser.parse_args()
    clusters = [f"c{number}" for number in range(options.clusters)]
    tools = [("meshtrust, key in clear", meshtrust, False), ("openssl recipe, key in clear", openssl, False)]
    if shutil.which("certtool"):
        tools.append(("certtool, key in clear", certtool, False))
    tools += [("meshtrust, scrypt", meshtrust, True), ("openssl recipe, scrypt", openssl, True)]

    times = {name: [] for name, _, _ in tools}
    for _ in range(options.rounds):
        for name, tool, with_kdf in tools:
            with tempfile.TemporaryDirectory() as folder:
                begun = time.monotonic()
                tool(Path(folder), clusters, options.meshtrust, with_kdf)
                times[name].append(time.monotonic() - begun)
                verify(Path(folder), clusters)

    print(f"a root and {len(clusters)} intermediates on disk, median of {options.rounds} rounds, seconds")
    medians = {name: statistics.median(values) for name, values in times.items()}
    for name, _, with_kdf in tools:
        own = medians["meshtrust, scrypt" if with_kdf else "meshtrust, key in clear"]
        print(f"  {name:30} {medians[name]:7.2f}   {medians[name] / own:5.2f} x meshtrust")


if __name__ == "__main__":
    main()
