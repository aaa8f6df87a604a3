"""Runs a checker of tools/ over a small tree made for one test."""
import pathlib
import subprocess
import sys
import tempfile
import unittest

TOOLS = pathlib.Path(__file__).resolve().parents[2] / "tools"


class TreeCheck(unittest.TestCase):
    """A test of the checker named by `tool`; a tree is given as {path: text}."""

    tool = ""
    environment = None  # of the checker; this process's

    def check(self, files):
        """Returns (exit status, the lines that the checker printed)."""
        with tempfile.TemporaryDirectory() as root:
            for name, text in files.items():
                path = pathlib.Path(root, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(text.encode())
            done = subprocess.run(
                [sys.executable, TOOLS / self.tool, "--root", root],
                capture_output=True, text=True, check=False, env=self.environment,
            )
        return done.returncode, done.stderr.splitlines()

    def assert_clean(self, files):
        self.assertEqual(self.check(files), (0, []))

    def assert_error(self, files, error):
        self.assertEqual(self.check(files), (1, [error]))
