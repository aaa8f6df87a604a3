"""redis-server under load: the server is the workload, the clients only time it.

Debian's server brings jemalloc along as a library that it is linked with. A preloaded allocator comes
before that one; so glibc's has to be preloaded too.
"""
import dataclasses
import json
import pathlib
import subprocess
import time

import redis_server
from running import Failed, process


def libc_path():
    for line in pathlib.Path("/proc/self/maps").read_text().splitlines():
        if "/libc.so" in line or "/libc-" in line:
            return line.split(maxsplit=5)[5]
    return None


def load(sampler, row, folder):
    """Runs all steps; returns their time without the last one's, and what the last one, a question, found."""
    began = time.monotonic()
    for step in row.server[:-1]:
        redis_server.step(sampler.words(step, folder), folder, sampler.environment)
    wall_s = time.monotonic() - began
    answer = redis_server.client(sampler.words(row.server[-1], folder), folder,
                                 sampler.environment).stdout
    if not answer or answer.startswith(b"ERR"):
        raise Failed(f"{row.server[-1][1]}: {answer[:80].decode(errors='replace').strip()}")
    return wall_s, answer


def run(sampler, row, allocator):
    if allocator.library is None:
        allocator = dataclasses.replace(allocator, library=libc_path())
    with sampler.folder() as folder:
        words = sampler.measured(redis_server.command(folder), allocator, (), folder)
        with (open(folder / "log", "wb") as log,
              process(words, cwd=folder, env=sampler.environment, stdin=subprocess.DEVNULL, stdout=log,
                      stderr=log) as child):
            try:
                redis_server.wait_until_ready(child, folder, sampler.environment)
                wall_s, answer = load(sampler, row, folder)
                redis_server.shut_down(child, folder, sampler.environment)
            except subprocess.TimeoutExpired:
                raise Failed("no answer in time") from None
        figures = json.loads((folder / "figures.json").read_text())
        if figures["status"] != 0:
            raise Failed(f"exit status {figures['status']}")
        figures["wall_s"] = round(wall_s, 6)
        return figures, answer
