"""redis-server under load: the server is the workload, the clients only time it.

Debian's server brings jemalloc along as a library that it is linked with. A preloaded allocator comes
before that one; so glibc's has to be preloaded too.
"""
import dataclasses
import json
import pathlib
import shutil
import subprocess
import time

from running import Failed, process

NAME = "redis-server"
OPTIONS = ("--port 0 --unixsocket socket --appendonly no --daemonize no --enable-debug-command yes "
           "--jemalloc-bg-thread no").split() + ["--save", ""]
START_LIMIT_S = 20
STEP_LIMIT_S = 120


def program():
    """Debian's redis-tools has the server under another name; what it does depends on how it is called."""
    return shutil.which(NAME) or shutil.which("redis-check-rdb")


def server_command(folder):
    (folder / NAME).symlink_to(program())
    return [str(folder / NAME), *OPTIONS]


def libc_path():
    for line in pathlib.Path("/proc/self/maps").read_text().splitlines():
        if "/libc.so" in line or "/libc-" in line:
            return line.split(maxsplit=5)[5]
    return None


def client(sampler, step, folder):
    """One command of a client; redis-cli < FILE is a file of commands."""
    words = sampler.words(step, folder)
    commands = subprocess.DEVNULL
    if "<" in words:
        commands = open(words.pop(), "rb")
        words.remove("<")
    done = subprocess.run([words[0], "-s", "socket", *words[1:]], cwd=folder, env=sampler.environment,
                          stdin=commands, capture_output=True, timeout=STEP_LIMIT_S)
    if commands is not subprocess.DEVNULL:
        commands.close()
    return done


def wait_until_ready(sampler, child, folder):
    end = time.monotonic() + START_LIMIT_S
    while client(sampler, ("redis-cli", "PING"), folder).stdout != b"PONG\n":
        if child.poll() is not None or time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def load(sampler, row, folder):
    """Runs all steps; returns their time without the last one's, and what the last one, a question, found."""
    began = time.monotonic()
    for step in row.server[:-1]:
        done = client(sampler, step, folder)
        if done.returncode != 0 or b"rror" in done.stdout + done.stderr and b"errors: 0" not in done.stdout:
            raise Failed(f"{step[0]}: {(done.stderr or done.stdout)[-120:].decode(errors='replace').strip()}")
    wall_s = time.monotonic() - began
    answer = client(sampler, row.server[-1], folder).stdout
    if not answer or answer.startswith(b"ERR"):
        raise Failed(f"{row.server[-1][1]}: {answer[:80].decode(errors='replace').strip()}")
    return wall_s, answer


def run(sampler, row, allocator):
    if allocator.library is None:
        allocator = dataclasses.replace(allocator, library=libc_path())
    with sampler.folder() as folder:
        words = sampler.measured(server_command(folder), allocator, (), folder)
        with (open(folder / "log", "wb") as log,
              process(words, cwd=folder, env=sampler.environment, stdin=subprocess.DEVNULL, stdout=log,
                      stderr=log) as child):
            try:
                if not wait_until_ready(sampler, child, folder):
                    raise Failed("redis-server did not start")
                wall_s, answer = load(sampler, row, folder)
                client(sampler, ("redis-cli", "SHUTDOWN", "NOSAVE"), folder)
                child.wait(START_LIMIT_S)
            except subprocess.TimeoutExpired:
                raise Failed("no answer in time") from None
        figures = json.loads((folder / "figures.json").read_text())
        if figures["status"] != 0:
            raise Failed(f"exit status {figures['status']}")
        figures["wall_s"] = round(wall_s, 6)
        return figures, answer
