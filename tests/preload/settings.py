"""Settings of the whole system, changed for a while and put back whatever happens."""
import ctypes
import os
import pathlib
import re
import subprocess
import sys
import unittest

PR_SET_CHILD_SUBREAPER = 36

# Waits until the other end of its standard input is closed, by our order or by our death; then puts the
# old values back, unless we said that we did. It is nobody's child, so that whoever ends us by force, with
# all that we started, does not end it. Its arguments: path, value, path, value, ….
GUARDIAN = """
import os, signal, sys
for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
    signal.signal(number, signal.SIG_IGN)
if os.fork():
    os._exit(0)
os.setsid()
sys.stdout.write("ready\\n")
sys.stdout.flush()
if sys.stdin.read() != "done":
    for path, value in zip(sys.argv[1::2], sys.argv[2::2]):
        with open(path, "w") as setting:
            setting.write(value)
"""


def read(path):
    """The value; of "always [madvise] never", the one that is chosen."""
    text = pathlib.Path(path).read_text().strip()
    chosen = re.search(r"\[(\w+)\]", text)
    return chosen[1] if chosen else text


class Settings:
    """with Settings((path, value), …): …   `back` says how to undo it, where that is not the old values
    in reverse order."""

    def __init__(self, *changes, back=None):
        self.changes = changes
        for path, _ in changes:
            if not os.access(path, os.W_OK):
                raise unittest.SkipTest(f"{path} may not be written here")
        self.back = back or [(path, read(path)) for path, _ in reversed(changes)]

    def __enter__(self):
        prctl = ctypes.CDLL(None).prctl
        prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
        words = [word for pair in self.back for word in pair]
        self.guardian = subprocess.Popen([sys.executable, "-c", GUARDIAN, *words],
                                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.guardian.stdout.readline()
        self.guardian.wait()  # the middle one; from now on the guardian is somebody else's
        prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        try:
            self.write(self.changes)
        except OSError as error:
            self.__exit__()
            raise unittest.SkipTest(f"{self.changes} may not be written here: {error}")
        return self

    def write(self, pairs):
        for path, value in pairs:
            pathlib.Path(path).write_text(value)

    def __exit__(self, *unused):
        self.write(self.back)
        self.guardian.stdin.write("done")
        self.guardian.stdin.close()
        self.guardian.stdout.read()  # until it has gone
        self.guardian.stdout.close()
