"""How the rig talks: answers go to stdout, progress and errors to stderr after `rig: `."""

import sys

EXIT_FAILED = 1
EXIT_USAGE = 64
# This machine cannot build the program (no Go, no network): the one failure that a test may skip on.
EXIT_CANNOT_BUILD = 69
EXIT_INTERRUPTED = 130


class RigError(Exception):
    """A failure that a person can act on: what is wrong, and hints about the next command."""

    def __init__(self, message, *hints, exit_code=EXIT_FAILED):
        super().__init__(message)
        self.hints = hints
        self.exit_code = exit_code


class Interrupted(Exception):
    """Somebody pressed Ctrl-C while this cluster was starting."""


def from_os(error):
    """A failure of the machine, such as a full disk, told like the rig's own."""
    if error.filename is None:
        return RigError(str(error))
    return RigError(f"'{error.filename}': {(error.strerror or 'failed').lower()}")


def progress(text):
    print(f"rig: {text}", file=sys.stderr, flush=True)


def print_error(error):
    print(f"rig: error: {error}", file=sys.stderr)
    for hint in error.hints:
        print(f"rig: hint: {hint}", file=sys.stderr)


def last_lines(path, count=12, width=240):
    """The end of a log, indented, for quoting under an error."""
    try:
        with open(path, errors="replace") as log:
            lines = log.read().splitlines()[-count:]
    except FileNotFoundError:
        lines = []
    return "\n".join("    " + line[:width] for line in lines) or "    (the log is empty)"
