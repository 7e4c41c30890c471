#!/usr/bin/env python3
"""Chains judged by Go, BoringSSL and rustls-webpki themselves, beside what meshtrust says they would say.

The chains are made by `chains generate`, see verifiers/README.md. From outside:

    MESHTRUST_SEED=7 MESHTRUST_CASES=20000   another seed, more chains
    MESHTRUST_CORPUS=FILE                    chains of one's own, as JSON lines, instead
    MESHTRUST_REQUIRE_VERIFIERS=1            a missing Go, Rust or crate is a failure
"""

import functools
import json
import os
import shutil
import subprocess
import sys
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent / "verifiers"
BINARY = Path(os.path.abspath(os.environ.get("MESHTRUST_BINARY") or HERE.parents[2] / "build" / "dev" / "meshtrust"))
CHAINS = Path(os.environ.get("MESHTRUST_CHAINS") or BINARY.parent / "tests" / "chains")
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "meshtrust" / "interop"
SEED = os.environ.get("MESHTRUST_SEED", "1")
COUNT = os.environ.get("MESHTRUST_CASES", "3000")
CORPUS = os.environ.get("MESHTRUST_CORPUS")
JUDGES = ("meshtrust", "openssl", "botan", "go", "boringssl", "webpki")


def missing(what):
    if os.environ.get("MESHTRUST_REQUIRE_VERIFIERS") == "1":
        raise AssertionError(what)
    print(f"\n*** NOT COMPARED WITH THE REAL VERIFIER: {what} ***", file=sys.stderr)
    raise unittest.SkipTest(what)


def run(command, folder, **environment):
    """What the command says against itself; empty when it went well."""
    if shutil.which(command[0]) is None:
        missing(f"there is no {command[0]}")
    done = subprocess.run(
        command, cwd=folder, env=os.environ | environment, capture_output=True, text=True, check=False
    )
    return "" if done.returncode == 0 else f"{' '.join(command)}: {done.stderr.strip()[-2000:]}"


def build(command, folder, **environment):
    """What does not build here is our fault: the toolchain is there, and so is what it needs."""
    if complaint := run(command, folder, **environment):
        raise AssertionError(complaint)


@functools.cache
def go_program():
    CACHE.mkdir(parents=True, exist_ok=True)
    build(["go", "build", "-o", str(CACHE / "go"), "."], HERE / "go", GOFLAGS="-buildvcs=false")
    return CACHE / "go"


@functools.cache
def rust_folder():
    # Built in a copy: cargo writes its lock file beside the manifest.
    copy = CACHE / "rust"
    shutil.copytree(HERE / "rust", copy, dirs_exist_ok=True)
    if complaint := run(["cargo", "fetch", "--quiet"], copy):
        missing(complaint)
    build(["cargo", "build", "--offline", "--quiet", "--bins"], copy, CARGO_TARGET_DIR=str(copy / "target"))
    return copy / "target" / "debug"


def answers(command, corpus):
    done = subprocess.run(list(map(str, command)), input=corpus, capture_output=True, text=True, check=True)
    return {answer["id"]: answer for answer in map(json.loads, done.stdout.splitlines())}


@functools.cache
def corpus():
    if CORPUS:
        return Path(CORPUS).read_text(encoding="utf-8")
    made = subprocess.run([CHAINS, "generate", SEED, COUNT], capture_output=True, text=True, check=True)
    print(made.stderr, file=sys.stderr)
    return made.stdout


@functools.cache
def models():
    return {name: answer["verdicts"] for name, answer in answers([CHAINS, "judge", *JUDGES], corpus()).items()}


@functools.cache
def real(judge):
    program = go_program() if judge == "go" else rust_folder() / judge
    return answers([program], corpus())


class Models(unittest.TestCase):
    def compare(self, judge):
        truth = real(judge)
        cases = {case["id"]: case for case in map(json.loads, corpus().splitlines())}
        self.assertEqual(set(truth), set(cases))
        wrong = []
        for name, case in cases.items():
            model = models()[name][judge]
            if model["accepted"] != truth[name]["accepted"]:
                wrong.append(f"{name} {case.get('dimensions')}\n    {judge}: {truth[name]}\n    model: {model}")
        print(f"{judge}: {len(cases)} chains, {sum(one['accepted'] for one in truth.values())} accepted", file=sys.stderr)
        self.assertEqual(wrong, [], "\n".join(wrong[:20]))

    def test_go_says_what_the_model_says(self):
        self.compare("go")

    def test_boringssl_says_what_the_model_says(self):
        self.compare("boringssl")

    def test_webpki_says_what_the_model_says(self):
        self.compare("webpki")

    @unittest.skipIf(CORPUS, "about our own chains")
    def test_many_chains_are_judged_differently(self):
        truths = [real(judge) for judge in ("go", "boringssl", "webpki")]
        split = 0
        for name, verdicts in models().items():
            said = {verdicts["openssl"]["accepted"], verdicts["botan"]["accepted"]}
            said |= {truth[name]["accepted"] for truth in truths}
            split += len(said) > 1
        print(f"{split} of {len(models())} chains are judged differently by two real verifiers", file=sys.stderr)
        self.assertGreaterEqual(split * 10, len(models()))

    @unittest.skipIf(CORPUS, "about our own chains")
    def test_what_meshtrust_mints_is_accepted_by_all(self):
        # Asked within the validity of what was minted.
        for case in map(json.loads, corpus().splitlines()):
            if case["maker"] != "meshtrust" or case["at"] > 1893456000 + 86400 * 699:
                continue
            for judge in ("go", "boringssl", "webpki"):
                self.assertTrue(real(judge)[case["id"]]["accepted"], (judge, real(judge)[case["id"]]))


if __name__ == "__main__":
    unittest.main()
