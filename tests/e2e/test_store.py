#!/usr/bin/env python3
"""The trust store when it is held, closed, damaged, full or in the wrong hands."""

import contextlib
import fcntl
import os
import resource
import shutil
import signal
import subprocess
import time
import unittest

from support import PASSPHRASE, MeshTest

HOLDER = "pid 4711 of alice@laptop since 2026-11-21T08:00:00Z: meshtrust apply --only trust"


class Locked(MeshTest):
    @contextlib.contextmanager
    def held(self, words):
        with (self.store / "lock").open("r+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            lock.write(words)
            lock.flush()
            yield
            lock.truncate(0)

    def test_the_second_says_who_is_at_work(self):
        self.apply_all()
        self.write_mesh("east", "west", "central")
        with self.held(HOLDER):
            self.assert_apply_refused("locked", 7)
        self.assertEqual(0, self.apply().code)

    def test_looking_needs_no_lock(self):
        self.apply_all()
        with self.held(HOLDER):
            for command in ("plan", "verify", "status"):
                self.expect(0, command, password=None)

    def test_of_two_real_runs_one_works_and_the_other_names_it(self):
        self.apply_all("east")
        self.write_mesh("east", "west")
        first = self.start("apply", "--only", "trust", "--yes")
        try:
            self.stop_in_the_lock(first)
            with self.nothing_written():
                done = self.apply()
            self.assertEqual(7, done.code, done.err)
            self.assertIn(f"is held by pid {first.pid} of ", done.err)
            self.assertIn("meshtrust apply --only trust --yes\n", done.err)
        finally:
            first.send_signal(signal.SIGCONT)
            _, told = first.communicate()
        self.assertEqual(0, first.returncode, told)
        self.assertEqual("", (self.store / "lock").read_text())

    def test_a_removed_lock_file_lets_nobody_in(self):
        self.apply_all("east")
        self.write_mesh("east", "west")
        first = self.start("apply", "--only", "trust", "--yes")
        try:
            self.stop_in_the_lock(first)
            (self.store / "lock").unlink()
            with self.nothing_written():
                done = self.apply()
            self.assertEqual(7, done.code, done.err)
            self.assertIn(f"is held by pid {first.pid}: ", done.err)
            self.assertIn("apply --only trust --yes, whose lock file is gone\n", done.err)
        finally:
            first.send_signal(signal.SIGCONT)
            _, told = first.communicate()
        self.assertEqual(0, first.returncode, told)

    def stop_in_the_lock(self, child):
        """Stops `child` once it holds the lock; it does from before the scrypt of the root's key on."""
        deadline = time.monotonic() + 20
        while str(child.pid) not in (self.store / "lock").read_text():
            self.assertIsNone(child.poll(), "ended before it was seen to hold the lock")
            self.assertLess(time.monotonic(), deadline)
        child.send_signal(signal.SIGSTOP)

    def test_a_lock_that_a_killed_run_left_is_no_obstacle(self):
        self.apply_all("east")
        (self.store / "lock").write_text(HOLDER)
        self.write_mesh("east", "west")
        self.assertEqual(0, self.apply().code)


class Passphrase(MeshTest):
    def prepare(self):
        self.apply_all("east")
        self.write_mesh("east", "west")

    def test_a_wrong_one(self):
        self.assert_apply_refused("wrong_passphrase", 65, password="wrong")

    def test_none_although_one_is_needed(self):
        self.assert_apply_refused("no_passphrase", 64, password=None)

    def test_a_passphrase_file_that_is_not_there(self):
        self.assert_apply_refused("missing_passphrase_file", 65, "--password-file", "nowhere", password=None)


class PassphraseSources(MeshTest):
    def test_each_way_to_give_it(self):
        self.apply_all("east")
        self.write_mesh("east", "west")
        path = self.home / "passphrase"
        path.write_text(PASSPHRASE + "\nignored\n")
        path.chmod(0o600)
        self.assertEqual(0, self.apply("--password-file", path, password=None).code)
        self.write_mesh("east", "west", "central")
        with path.open() as file:
            done = self.apply("--password-fd", file.fileno(), password=None, pass_fds=(file.fileno(),))
        self.assertEqual(0, done.code, done.err)


class Damaged(MeshTest):
    """One thing is wrong with the store. It is told, and neither clusters nor store are touched."""

    def prepare(self):
        self.apply_all("east")
        self.write_mesh("east", "west")

    def setUp(self):
        super().setUp()
        self.database = self.store / "store.db"
        if self.scene:
            (self.key,) = self.store.glob("root-*.key.pem")

    def test_a_database_cut_short(self):
        os.truncate(self.database, self.database.stat().st_size // 2)
        self.assert_apply_refused("database_cut_short", 65)

    def test_a_database_with_flipped_bytes(self):
        content = bytearray(self.database.read_bytes())
        middle = content.index(b"intermediate")
        for place in range(middle, middle + 8):
            content[place] ^= 0xFF
        self.database.write_bytes(content)
        done = self.apply()
        self.assertEqual(65, done.code, done.err)
        self.assertEqual(1, done.err.count("error:"), done.err)
        self.assertIsNone(self.cacerts(self.west))

    def test_a_database_of_another_kind(self):
        self.database.write_bytes(b"nonsense" * 100)
        self.assert_apply_refused("database_nonsense", 65)

    def test_a_database_that_is_empty(self):
        os.truncate(self.database, 0)
        self.assert_apply_refused("database_empty", 65)

    def test_a_database_that_is_gone(self):
        self.database.unlink()
        self.assert_apply_refused("database_gone", 65)

    def test_a_key_that_is_gone(self):
        self.key.unlink()
        self.assert_apply_refused("key_gone", 65)

    def test_a_key_that_is_garbled(self):
        self.key.write_text(self.key.read_text().replace("A", "B"))
        self.key.chmod(0o600)
        done = self.apply()
        self.assertEqual(65, done.code, done.err)
        self.assertIsNone(self.cacerts(self.west))

    def test_a_key_that_others_may_read(self):
        self.key.chmod(0o644)
        self.assert_apply_refused("key_open_to_others", 77)

    def test_a_folder_that_others_may_enter(self):
        self.store.chmod(0o755)
        self.assert_apply_refused("store_open_to_others", 77)

    def test_a_symbolic_link_in_place_of_the_store(self):
        self.store.rename(self.home / "real.trust")
        self.store.symlink_to(self.home / "real.trust")
        self.assert_apply_refused("store_is_a_link", 4)

    def test_a_symbolic_link_in_place_of_the_key(self):
        self.key.rename(self.home / "real.key")
        self.key.symlink_to(self.home / "real.key")
        self.assert_apply_refused("key_is_a_link", 4)

    def test_pipes_in_place_of_its_files(self):
        for path in (self.key, self.database, self.store / "lock", self.store / "store.db-journal"):
            content = path.read_bytes() if path.exists() else None
            path.unlink(missing_ok=True)
            os.mkfifo(path, 0o600)
            done = self.apply()
            self.assertEqual(65, done.code, done.err)
            self.assertIn(f"{path.name}' is a pipe or a device, wanted a file\n", done.err)
            path.unlink()
            if content is not None:
                path.touch(0o600)
                path.write_bytes(content)
        self.assertEqual(0, self.apply().code)

    def test_a_store_that_git_tracks(self):
        git = ["git", "-C", self.folder]
        subprocess.run([*git, "init", "-q"], check=True, env=self.environment)
        subprocess.run([*git, "add", "--force", "."], check=True, env=self.environment)
        self.assert_apply_refused("store_tracked_by_git", 4)


class NoRoom(MeshTest):
    """A disk that is full or may not be written to. Whatever fails, the next run goes on from there."""

    def setUp(self):
        super().setUp()
        self.write_mesh()

    def test_a_full_disk_before_the_first_byte_of_the_store(self):
        with self.small_disk(pages=2):
            with self.nothing_written():
                done = self.apply()
            self.assertEqual(1, done.code, done.err)
            self.assertIn("no space left on", done.err.lower())
            self.assertEqual(1, done.err.count("error:"), done.err)

    def test_every_size_of_disk_is_refused_or_enough(self):
        with self.small_disk(pages=1):
            for pages in range(2, 40, 3):
                subprocess.run(["mount", "-o", f"remount,size={pages * 4096}", self.folder], check=True)
                marks = self.marks()
                done = self.apply()
                if done.code == 0:
                    break
                self.assertIn(done.code, (1, 5), done.err)
                self.assertNotIn("signal", done.err)
                if done.code == 1:
                    for cluster, mark in marks.items():
                        writes = cluster.writes_since(mark)
                        self.assertFalse([one for one in writes if "secrets" in one[1]], done.err)
            self.assertEqual(0, done.code, done.err)
            roots = [one for one in self.expect(0, "ca", "list").out.splitlines() if one.startswith("root")]
            self.assertEqual(1, len(roots))

    @contextlib.contextmanager
    def small_disk(self, pages):
        """Lets the test's folder, as it is, lie on a disk with this many free pages."""
        text = (self.folder / "mesh.yaml").read_text()
        size = (pages + 2) * 4096
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={size},mode=700", "meshtrust-test", self.folder],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if mounted.returncode != 0:
            self.skipTest(f"only root can make a small disk: {mounted.stderr.strip()}")
        try:
            (self.folder / "mesh.yaml").write_text(text)
            yield
        finally:
            subprocess.run(["umount", "-l", self.folder], check=True)

    def test_a_file_size_limit(self):
        def limit():
            resource.setrlimit(resource.RLIMIT_FSIZE, (1024, 1024))

        with self.nothing_written():
            done = self.apply(preexec_fn=limit)
        self.assertEqual(1, done.code, done.err)
        self.assertEqual(1, done.err.count("error:"), done.err)
        self.assertEqual(0, self.apply().code)

    def test_a_folder_that_may_not_be_written_to(self):
        with self.read_only():
            self.assert_apply_refused("read_only_folder", 77)
        self.assertEqual(0, self.apply().code)

    def test_a_store_that_may_not_be_written_to(self):
        self.assertEqual(0, self.apply().code)
        self.write_mesh("east", "west", "central")
        with self.read_only():
            self.assert_apply_refused("read_only_store", 77)
            self.expect(2, "plan", "--detailed-exitcode", password=None)

    @contextlib.contextmanager
    def read_only(self):
        """Makes the test's folder read-only, which permissions alone do not for root."""
        if os.geteuid() != 0:
            writable = [path for path in (self.folder, self.store) if path.exists()]
            for path in writable:
                path.chmod(0o500)
            yield
            for path in writable:
                path.chmod(0o700)
            return
        bind = ["mount", "--bind", self.folder, self.folder]
        done = subprocess.run(bind, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            self.skipTest(f"root, and mounts are forbidden here: {done.stderr.strip()}")
        try:
            subprocess.run(["mount", "-o", "remount,ro,bind", self.folder], check=True)
            yield
        finally:
            subprocess.run(["umount", "-l", self.folder], check=True)


class CleanUp(MeshTest):
    def test_temporary_files_of_a_killed_run_are_swept(self):
        self.apply_all("east")
        (self.store / ".meshtrust-abc123").write_text("half a file")
        self.write_mesh("east", "west")
        self.assertEqual(0, self.apply().code)
        self.assertEqual([], list(self.store.glob(".meshtrust-*")))

    def test_a_lost_store_is_not_replaced_by_a_new_one(self):
        self.apply_all("east")
        shutil.rmtree(self.store)
        self.write_mesh("east", "west")
        self.assert_apply_refused("lost_store", 4)


if __name__ == "__main__":
    unittest.main()
