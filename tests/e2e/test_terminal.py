#!/usr/bin/env python3
"""What a person sees and types at a terminal: prompts without echo, a question, live lines, colours."""

import os
import pty
import re
import select
import signal
import socket
import termios
import time
import unittest

from support import MeshTest, ProgramTest, openssl

ESCAPE = "\x1b["
RED_ERROR = "\x1b[31merror:\x1b[0m"


class Terminal:
    """The program on a terminal of its own, and somebody who reads and types."""

    def __init__(self, test, *words, password=None, **environment):
        self._master, slave = pty.openpty()
        ends = {"stdin": slave, "stdout": slave, "stderr": slave}
        self.child = test.start(
            *words, password=password, environment={"TERM": "xterm"} | environment,
            preexec_fn=lambda: os.login_tty(os.dup(slave)), start_new_session=False, **ends,
        )  # fmt: skip
        self._slave = slave
        self.seen = ""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.child.poll() is None:
            self.child.kill()
            self.child.wait()
        os.close(self._slave)
        os.close(self._master)

    def read_until(self, text, seconds=20):
        deadline = time.monotonic() + seconds
        while text not in self.seen:
            self._read(deadline, f"'{text}' never came")
        return self

    def type(self, text):
        os.write(self._master, text.encode())

    def end(self, seconds=20):
        """The exit code, once the program has ended; what it said is in `seen`."""
        deadline = time.monotonic() + seconds
        while self.child.poll() is None:
            self._read(deadline, "it did not end")
        while select.select([self._master], [], [], 0)[0]:
            self.seen += os.read(self._master, 65536).decode()
        return self.child.returncode

    def echoes(self):
        return bool(termios.tcgetattr(self._slave)[3] & termios.ECHO)

    def _read(self, deadline, complaint):
        if time.monotonic() > deadline:
            raise AssertionError(f"{complaint}; seen:\n{self.seen}")
        if select.select([self._master], [], [], 0.1)[0]:
            self.seen += os.read(self._master, 65536).decode()

    def plain(self):
        """What was said, without escape sequences."""
        return re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", self.seen).replace("\r\n", "\n")


class Passphrases(ProgramTest):
    def test_a_new_one_is_asked_for_twice_and_never_shown(self):
        with Terminal(self, "ca", "create") as terminal:
            terminal.read_until("passphrase for the new root key: ")
            self.assertFalse(terminal.echoes())
            terminal.type("open sesame\n")
            terminal.read_until("the same once more: ")
            terminal.type("open sesame\n")
            self.assertEqual(0, terminal.end(), terminal.seen)
            self.assertTrue(terminal.echoes())
            self.assertNotIn("sesame", terminal.seen)
        (key,) = (self.folder / "mesh.trust").glob("root-*.key.pem")
        openssl("pkey", "-in", key, "-passin", "pass:open sesame", "-noout")

    def test_two_that_differ_make_nothing(self):
        with Terminal(self, "ca", "create") as terminal:
            terminal.read_until("root key: ").type("one\n")
            terminal.read_until("once more: ").type("two\n")
            self.assertEqual(64, terminal.end(), terminal.seen)
            self.assertIn("error: the two passphrases differ", terminal.plain())
        self.assertEqual({}, self.contents())

    def test_an_empty_one_makes_nothing(self):
        with Terminal(self, "ca", "create") as terminal:
            terminal.read_until("root key: ").type("\n")
            terminal.read_until("once more: ").type("\n")
            self.assertEqual(64, terminal.end(), terminal.seen)
        self.assertEqual({}, self.contents())

    def test_an_old_one_is_asked_for_once(self):
        self.expect(0, "ca", "create", password="open sesame")
        with Terminal(self, "ca", "issue", "east", "--out", "east") as terminal:
            terminal.read_until("passphrase of the root key: ").type("open sesame\n")
            self.assertEqual(0, terminal.end(), terminal.seen)
            self.assertNotIn("once more", terminal.seen)
            self.assertNotIn("sesame", terminal.seen)

    def test_ctrl_c_at_the_prompt_gives_the_echo_back_and_leaves_nothing(self):
        with Terminal(self, "ca", "create") as terminal:
            terminal.read_until("root key: ")
            terminal.type("\x03")
            self.assertIn(terminal.end(), (5, -signal.SIGINT, 130), terminal.seen)
            self.assertTrue(terminal.echoes())
        self.assertEqual({}, self.contents())

    def test_ctrl_d_at_the_prompt_is_no_answer(self):
        with Terminal(self, "ca", "create") as terminal:
            terminal.read_until("root key: ").type("\x04")
            self.assertNotIn(terminal.end(), (0, -signal.SIGSEGV), terminal.seen)
            self.assertTrue(terminal.echoes())
        self.assertEqual({}, self.contents())


class Colours(ProgramTest):
    def error(self, **environment):
        with Terminal(self, "ca", "show", **environment) as terminal:
            self.assertEqual(65, terminal.end(), terminal.seen)
            return terminal.seen

    def test_errors_are_red_unless_told_otherwise(self):
        self.assertIn(RED_ERROR, self.error())
        self.assertNotIn(ESCAPE, self.error(NO_COLOR="1"))
        self.assertNotIn(ESCAPE, self.error(CI="true"))

    def test_a_pipe_gets_no_colour(self):
        self.assertNotIn(ESCAPE, self.expect(65, "ca", "show").err)


class Looking(MeshTest):
    def test_a_server_that_says_nothing_is_named_within_two_seconds(self):
        with socket.create_server(("127.0.0.1", 0)) as silent:
            server = f"127.0.0.1:{silent.getsockname()[1]}"
            text = re.sub(r"127\.0\.0\.1:\d+", server, self.west.kubeconfig.read_text())
            (self.folder / "west.kubeconfig").write_text(text)
            (self.folder / "west.kubeconfig").chmod(0o600)
            self.write_mesh(west={"kubeconfig": "west.kubeconfig"})
            with Terminal(self, "status", "--timeout", "5s", password=None) as terminal:
                terminal.read_until(f"s west: waiting for https://{server}")
                (elapsed,) = re.findall(r"(\d\.\d)s west: waiting", terminal.plain())[:1]
                self.assertLess(float(elapsed), 2.5)
                self.assertEqual(69, terminal.end(), terminal.seen)


class Applying(MeshTest):
    def setUp(self):
        super().setUp()
        self.write_mesh()

    def test_no_is_the_answer_to_the_question_unless_yes_is_typed(self):
        for answer in ("n", "", "what?"):
            with self.subTest(answer), self.nothing_written():
                files = self.contents()
                with Terminal(self, "apply", "--only", "trust") as terminal:
                    terminal.read_until("run this plan? [y/N] ").type(f"{answer}\n")
                    self.assertNotEqual(0, terminal.end())
                    self.assertIn("meshtrust: nothing was changed\n", terminal.plain())
                self.assertEqual(files, self.contents())

    def test_yes_and_a_passphrase_lead_to_proved_trust(self):
        with Terminal(self, "apply", "--only", "trust") as terminal:
            terminal.read_until("run this plan? [y/N] ")
            self.assertIn("Plan: 7 to add, 0 to change, 0 to remove\n", terminal.plain())
            terminal.type("y\n")
            terminal.read_until("root key: ").type("open sesame\n")
            terminal.read_until("once more: ").type("open sesame\n")
            self.assertEqual(0, terminal.end(), terminal.seen)
            self.assertIn("2 of 2 ordered pairs accepted by OpenSSL and Botan", terminal.plain())
            self.assertIn("\x1b[1A\x1b[2K", terminal.seen)
            self.assertRegex(terminal.plain(), r"(?m)^  \d+\.\ds store: root CA in the trust store")
            self.assertRegex(terminal.plain(), r"(?m)^  done    east: secret ")
            self.assertNotIn("sesame", terminal.seen)
        self.assertIsNotNone(self.cacerts(self.west))

    def test_what_can_be_left_plain_is_left_plain(self):
        with Terminal(self, "apply", "--only", "trust", "--yes", password="x", CI="true") as terminal:
            self.assertEqual(0, terminal.end(), terminal.seen)
            self.assertNotIn(ESCAPE, terminal.seen)

    def test_in_ci_nobody_is_asked(self):
        with self.nothing_written(), Terminal(self, "apply", "--only", "trust", CI="true") as terminal:
            self.assertEqual(64, terminal.end(), terminal.seen)
            self.assertNotIn("[y/N]", terminal.seen)

    def test_progress_for_machines_is_a_line_an_event(self):
        done = self.apply("--progress", "json")
        self.assertEqual(0, done.code, done.err)
        lines = [line for line in done.err.splitlines() if line.startswith("{")]
        self.assertTrue(any('"event":"done"' in line and '"step":"east/cacerts"' in line for line in lines), done.err)


if __name__ == "__main__":
    unittest.main()
