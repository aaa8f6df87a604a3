"""A server for the length of one case, its clients on this machine alone."""
import ctypes
import os
import pathlib
import signal
import subprocess
import time

from harness import PATIENCE_SECONDS

PR_SET_PDEATHSIG = 1


class Server:
    """Runs until stop(), or until the case or its process ends, whichever comes first."""

    def __init__(self, case, argv, **popen):
        self.case = case
        self.log = case.directory / "server.log"
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [str(word) for word in argv], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True, cwd=case.directory,
                preexec_fn=lambda: ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0),
                **popen)
        case.addCleanup(self.kill)

    def wait_until(self, ready):
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not ready():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.case.fail(f"the server is not there:\n{self.log.read_text()[-2000:]}")
            time.sleep(0.05)

    def uses(self, library):
        """Does it run on the library? That a variable was set proves nothing."""
        return str(library) in pathlib.Path(f"/proc/{self.process.pid}/maps").read_text()

    def stop(self, signal_number):
        """Orderly, as its manual says; returns the exit status."""
        os.kill(self.process.pid, signal_number)
        try:
            return self.process.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            self.case.fail(f"the server does not end:\n{self.log.read_text()[-2000:]}")

    def kill(self):
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()
