"""Traces of a private key: what they look like, and where they are in memory and in system calls."""

import base64
import contextlib
import mmap
import re
import shutil
import socket
import subprocess
import threading
from pathlib import Path

from kill_support import openssl

PIECE = 12  # bytes; whoever finds none of these finds no 24 bytes of the whole either
CAP_SYS_PTRACE = 1 << 19
PRIVATE = "priv|privateExponent|prime1|prime2|exponent1|exponent2|coefficient"


def why_no_cores():
    """None when this machine can write the core of another process."""
    if shutil.which("gdb") is None:
        return "there is no gdb: apt-get install gdb"
    return why_no_tracing()


def why_no_tracing():
    """None when this user may look into a process that has made itself unreadable."""
    capabilities = re.search(r"^CapEff:\s+(\w+)", Path("/proc/self/status").read_text(), re.MULTILINE)
    if int(capabilities[1], 16) & CAP_SYS_PTRACE:
        return None
    return "meshtrust lets only root (CAP_SYS_PTRACE) look into it"


def private_numbers(key):
    """The secret numbers of a PEM key by name, big-endian: the scalar, or exponents and primes."""
    text = openssl("pkey", "-noout", "-text", given=key)
    blocks = re.findall(rf"^({PRIVATE}):\s*((?:\n +[0-9a-f:]+)+)", text, re.MULTILINE)
    numbers = {name: bytes.fromhex(re.sub(r"[\s:]", "", digits)) for name, digits in blocks}
    return {name: number.lstrip(b"\0") for name, number in numbers.items()}


class KeyTraces:
    """Every form in which a private key is looked for, cut into pieces that are secret throughout."""

    def __init__(self, key):
        self.pieces = {}  # bytes -> what they are
        body = "".join(line for line in key.splitlines() if "-" not in line)
        der = base64.b64decode(body)
        for name, number in private_numbers(key).items():
            self._add(number, f"{name}, big-endian")
            self._add(number[::-1], f"{name}, little-endian")
            self._add(number.hex().encode(), f"{name}, hexadecimal")
            first = der.find(number)
            assert first >= 0, f"'{name}' is not in the key as it was decoded"
            self._add_base64(key, body, first, first + len(number), name)
        assert self.pieces

    def _add_base64(self, key, body, first, last, name):
        """The text of the PEM that stands for bytes first..last, and the same as Secret data."""
        secret = body[-(-first * 4 // 3) : last * 4 // 3]
        for line in key.splitlines():
            for piece in (line[at : at + PIECE] for at in range(0, len(line) - PIECE + 1, PIECE)):
                if piece in secret:
                    self.pieces[piece.encode()] = f"{name}, a line of the PEM"
        for at in range(0, len(key) - PIECE + 1, 3):  # three bytes are four characters of base64
            if key[at : at + PIECE].replace("\n", "") in secret:
                self.pieces[base64.b64encode(key[at : at + PIECE].encode())] = f"{name}, the PEM in base64"

    def _add(self, content, what):
        for start in [*range(0, len(content) - PIECE, PIECE), len(content) - PIECE]:
            self.pieces[content[start : start + PIECE]] = what

    def found_in(self, content):
        """(what, offset) of every piece that is in `content`."""
        return sorted({(what, at) for piece, what in self.pieces.items() if (at := content.find(piece)) >= 0})


class Core:
    """All memory of a running process, also what it keeps out of core dumps."""

    def __init__(self, pid, folder):
        commands = ("set use-coredump-filter off", "set dump-excluded-mappings on", f"gcore {folder}/core")
        gdb = ["gdb", "-nx", "-batch", "-iex", "set auto-solib-add off", "-p", str(pid)]
        gdb += [word for one in commands for word in ("-ex", one)]
        done = subprocess.run(gdb, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        self.path = Path(folder, "core")
        if not self.path.exists():
            raise AssertionError(f"gdb wrote no core: {done.stdout}{done.stderr}")

    def content(self):
        """What is in the core, without the pages that nobody ever wrote to; removes the file."""
        with self.path.open("rb") as file:
            pages = iter(lambda: file.read(mmap.PAGESIZE), b"")
            content = b"".join(page for page in pages if page.count(0) != len(page))
        self.path.unlink()
        return content


class Forwarder:
    """Passes the bytes of TCP connections on to an API server until it is told to hold them.

    With `hold_above` it holds everything from the first piece on that a client sends at once and
    that is longer: the request that carries a Secret, though all of it is TLS.
    """

    def __init__(self, port, hold_above=None):
        self._target = ("127.0.0.1", port)
        self._hold_above = hold_above
        self._sockets = []
        self._passing = threading.Event()
        self._passing.set()
        self.held = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def hold(self):
        self._passing.clear()

    def release(self):
        self._hold_above = None
        self._passing.set()

    def close(self):
        """Ends everything; to be called when the program that goes through it has ended."""
        self.release()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
        for one in [self._listener, *self._sockets]:
            one.close()

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._target)
            except OSError:
                return  # closed
            self._sockets += [client, server]
            for source, sink, limited in ((client, server, True), (server, client, False)):
                threading.Thread(target=self._pass, args=(source, sink, limited), daemon=True).start()

    def _pass(self, source, sink, limited):
        try:
            while piece := source.recv(65536):
                if limited and self._hold_above is not None and len(piece) > self._hold_above:
                    self.hold()
                    self.held.set()
                self._passing.wait()
                sink.sendall(piece)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # the other side is gone


class Trace:
    """What a run wrote to files and which programs it started, by strace."""

    WRITES = ("write", "writev", "pwrite64", "pwritev", "pwritev2")
    CALLS = ",".join((*WRITES, "execve", "execveat", "mmap", "sendfile", "copy_file_range"))
    STRING = re.compile(rb'"((?:\\x[0-9a-f]{2})*)"(\.\.\.)?')

    def __init__(self, command, **options):
        self.path = options["cwd"].parent / "trace"
        strace = ["strace", "-f", "-qq", "-y", "-xx", "-s", "1000000", "-e", "signal=none"]
        strace += ["-e", f"trace={self.CALLS}", "-o", str(self.path), *command]
        how = {"capture_output": True, "text": True, "start_new_session": True}
        self.done = subprocess.run(strace, check=False, **how, **options)
        self.lines = self.path.read_bytes().splitlines()

    def calls(self, *names):
        pattern = re.compile(rb"^\d+ +(?:" + b"|".join(name.encode() for name in names) + rb")\(")
        return [line for line in self.lines if pattern.match(line)]

    def written(self):
        """(path, bytes) of every write to a file, a pipe or a terminal."""
        for line in self.calls(*self.WRITES):
            target = re.search(rb"\(\d+<([^>]*)>", line)
            strings = self.STRING.findall(line)
            assert target and strings and not any(cut for _, cut in strings), line[:200]
            content = b"".join(self._plain(text) for text, _ in strings)
            yield self._plain(target[1]).decode(errors="replace"), content

    @staticmethod
    def _plain(text):
        return re.sub(rb"\\x([0-9a-f]{2})", lambda match: bytes.fromhex(match[1].decode()), text)
