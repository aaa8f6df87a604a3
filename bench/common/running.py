"""Processes that are gone when they should be."""
import contextlib
import os
import signal
import subprocess


class Failed(Exception):
    """What went wrong with a sample, in a few words."""


@contextlib.contextmanager
def process(command, **how):
    """A process with all its children, which are gone when the block is left, however that happens."""
    child = subprocess.Popen(command, start_new_session=True, **how)
    try:
        yield child
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
