"""Stops a program at an exact system call, by strace, and looks at what it left behind."""

import base64
import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

# Whatever leaves the process: to a file, to the disk, to a folder, to a server.
CALLS = {
    "write": ("write", "writev", "pwrite64", "pwritev", "pwritev2", "ftruncate"),
    "fsync": ("fsync", "fdatasync", "sync_file_range"),
    "rename": ("rename", "renameat", "renameat2", "link", "linkat", "unlink", "unlinkat", "mkdir"),
    "send": ("sendto", "sendmsg", "sendmmsg"),
}

# strace shows a call before it is made, then holds it back for so long: time enough to stop it.
HELD = "4ms"

CLEAR_KEY = re.compile(rb"BEGIN (?:RSA |EC |)PRIVATE KEY")
ENTERED = re.compile(rb"^(\d+) +\w+\(", re.MULTILINE)


@dataclass(frozen=True)
class Stopped:
    """How a run ended that got a signal at one of its calls."""

    code: int  # of the program, negative when a signal ended it
    at_call: str  # where it was stopped, as strace shows it
    held: bool  # the call was not made, or cut short: the signal came in time
    told: str  # its stderr


def why_no_strace():
    """None when this machine can stop a program at a system call."""
    if shutil.which("strace") is None:
        return "there is no strace: apt-get install strace"
    tried = subprocess.run(["strace", "-qq", "-o", "/dev/null", "true"], capture_output=True, check=False)
    return None if tried.returncode == 0 else f"strace may not trace here: {tried.stderr.decode().strip()}"


def count_calls(command, **options):
    """How often a whole run makes the calls of each class, and how it ended: ({class: N}, code)."""
    with tempfile.NamedTemporaryFile(prefix="meshtrust-calls-") as log:
        every = [name for group in CALLS.values() for name in group]
        strace = [*_strace(every), "-o", log.name, *command]
        done = subprocess.run(strace, capture_output=True, check=False, start_new_session=True, **options)
        text = Path(log.name).read_text(errors="replace")
    entered = Counter(re.findall(r"^\d+ +(\w+)\(", text, re.MULTILINE))
    return {kind: sum(entered[name] for name in group) for kind, group in CALLS.items()}, done.returncode


def run_until(kind, number, command, sent=signal.SIGKILL, **options):
    """Runs `command` and sends it `sent` when it enters its call `number` (from 1) of class `kind`.

    strace's own `when=` counts every thread by itself, so that the first calls of a worker could
    never be met. Here strace holds each call back and the calls are counted over all threads.
    """
    reader, writer = os.pipe()
    hold = ["-e", f"inject={_optional(CALLS[kind])}:delay_enter={HELD}", "-o", f"/dev/fd/{writer}"]
    with tempfile.TemporaryFile() as told:
        child = subprocess.Popen(
            [*_strace(CALLS[kind]), *hold, *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=told,
            pass_fds=[writer],
            start_new_session=True,
            **options,
        )
        os.close(writer)
        log = _send_at(reader, number, sent)
        code = child.wait(timeout=60)
        told.seek(0)
        at_call = _call(log, number)
        held = at_call.endswith("<unfinished ...>") or "= ?" in at_call
        return Stopped(code, at_call, held, told.read().decode())


def _strace(names):
    return ["strace", "-f", "-qq", "--seccomp-bpf", "-e", "signal=none", "-e", f"trace={_optional(names)}"]


def _optional(names):
    """For strace: no machine has all of the calls."""
    return ",".join(f"?{name}" for name in names)


def _call(log, number):
    """The line of call `number`; empty when there were fewer."""
    entered = list(ENTERED.finditer(log))
    return log[entered[number - 1].start() :].partition(b"\n")[0].decode() if len(entered) >= number else ""


def _send_at(reader, number, sent):
    """Reads the log of strace to its end, and sends the signal at entry `number`."""
    log, waiting = b"", True
    with open(reader, "rb", buffering=0) as lines:
        while chunk := lines.read(65536):
            log += chunk
            entered = ENTERED.findall(log) if waiting else []
            if waiting and len(entered) >= number:
                waiting = False
                _send(int(entered[number - 1]), sent)
    return log


def _send(thread, sent):
    try:
        os.kill(thread, sent)  # the id of any thread does
    except ProcessLookupError:
        pass  # it has ended by itself; the caller sees that from the exit code


def clear_keys_below(folder):
    """The files below `folder` that hold a private key which is not encrypted."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return sorted(str(path) for path in files if CLEAR_KEY.search(path.read_bytes()))


def fingerprint(pem):
    """SHA-256 of the first certificate of a PEM text, in hexadecimal."""
    text = openssl("x509", "-noout", "-fingerprint", "-sha256", given=pem)
    return text.strip().partition("=")[2].replace(":", "").lower()


def whats_wrong_with(files):
    """What keeps the four files of a cacerts from being one whole bundle; empty when nothing does."""
    wanted = {"ca-cert.pem", "ca-key.pem", "cert-chain.pem", "root-cert.pem"}
    if set(files) != wanted:
        return [f"files are {sorted(files)}"]
    found = []
    certified = openssl("x509", "-noout", "-pubkey", given=files["ca-cert.pem"])
    if certified != openssl("pkey", "-pubout", given=files["ca-key.pem"]):
        found.append("the key does not fit the certificate")
    if not files["cert-chain.pem"].startswith(files["ca-cert.pem"]):
        found.append("the chain does not begin with the certificate")
    with tempfile.TemporaryDirectory(prefix="meshtrust-bundle-") as folder:
        root, certificate = Path(folder, "root"), Path(folder, "certificate")
        root.write_text(files["root-cert.pem"])
        certificate.write_text(files["ca-cert.pem"])
        words = ["openssl", "verify", "-x509_strict", "-CAfile", root, certificate]
        checked = subprocess.run(words, capture_output=True, text=True, check=False)
        if checked.returncode != 0:
            found.append(f"the root did not issue it: {checked.stderr}")
    return found


def files_of(secret):
    """The files of a Secret, by name."""
    return {name: base64.b64decode(text).decode() for name, text in secret["data"].items()}


def openssl(*words, given):
    done = subprocess.run(["openssl", *words], input=given, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise AssertionError(f"openssl {words}: {done.stderr}")
    return done.stdout
