#!/usr/bin/env python3
"""Times lint, and verify of a thousand bundles beside a loop of `openssl verify`."""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

BUILD = Path(__file__).resolve().parent.parent / "build" / "release"
BUNDLES = 1000


def timed(*command):
    begin = time.monotonic()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.monotonic() - begin


def main():
    with tempfile.TemporaryDirectory() as folder:
        told = subprocess.run([BUILD / "bench" / "papers_bench", str(BUNDLES), folder], check=True, capture_output=True, text=True).stdout
        rates = dict(line.split() for line in told.splitlines())
        folders = [str(Path(folder) / str(number)) for number in range(BUNDLES)]
        ours = min(timed(BUILD / "meshtrust", "verify", "--jobs", "2", "--bundle", *folders) for _ in range(3))
        at = str(int(time.time()))
        begin = time.monotonic()
        for one in folders:
            timed("openssl", "verify", "-attime", at, "-CAfile", f"{one}/root-cert.pem", "-untrusted", f"{one}/cert-chain.pem", f"{one}/ca-cert.pem")
        theirs = time.monotonic() - begin
        start = min(timed(BUILD / "meshtrust", "--version") for _ in range(10))
    print(f"lint, one core:           {rates['lint']} certificates a second, {rates['parse-and-lint']} with reading them (bound 20000)")
    print(f"verify, {BUNDLES} bundles:    {ours:.2f} s (bound 1 s on two idle cores); openssl verify, one after the other: {theirs:.2f} s")
    print(f"start-up:                 {start * 1000:.1f} ms (bound 10 ms)")
    return 0 if float(rates["parse-and-lint"]) >= 20000 and ours < 1 else 1


if __name__ == "__main__":
    sys.exit(main())
