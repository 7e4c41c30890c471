#!/usr/bin/env python3
"""Times a trust store that has issued many intermediates: opening it, and the commands of `meshtrust ca` on it.

usage: bench/store.py [--intermediates N]
"""

import argparse
import subprocess
import tempfile
import time
from pathlib import Path

BUILD = Path(__file__).resolve().parent.parent / "build" / "release"


def timed(*command):
    begin = time.monotonic()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - begin


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--intermediates", type=int, default=20000)
    arguments.add_argument("--build", type=Path, default=BUILD)
    wanted = arguments.parse_args()
    # Memory, where there is such a folder: making the store is not what is timed.
    shared = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=shared if shared.is_dir() else None) as folder:
        store = f"{folder}/bench.trust"
        bench = [wanted.build / "bench" / "store_bench", store, str(wanted.intermediates)]
        print(subprocess.run(bench, check=True, stdout=subprocess.PIPE, text=True).stdout, end="")
        program = wanted.build / "meshtrust"
        for words in (["show"], ["list"], ["issue", "another", "--out", f"{folder}/another"], ["crl"]):
            print(f"ca-{words[0]} {timed(program, 'ca', *words, '--store', store):.3f}")


if __name__ == "__main__":
    main()
