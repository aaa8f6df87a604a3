"""redis-server on a socket in a folder of its own, and its clients."""
import pathlib
import shutil
import subprocess
import time

from running import Failed

NAME = "redis-server"
OPTIONS = ("--port 0 --unixsocket socket --appendonly no --daemonize no --enable-debug-command yes "
           "--jemalloc-bg-thread no").split() + ["--save", ""]
START_LIMIT_S = 20
STEP_LIMIT_S = 120


def program():
    """Debian's redis-tools has the server under another name; what it does depends on how it is called."""
    return shutil.which(NAME) or shutil.which("redis-check-rdb")


def command(folder):
    """To be started in the folder."""
    name = pathlib.Path(folder) / NAME
    name.symlink_to(program())
    return [str(name), *OPTIONS]


def client(words, folder, environment=None):
    """One command of a client; redis-cli < FILE is a file of commands."""
    words = list(words)
    commands = subprocess.DEVNULL
    if "<" in words:
        commands = open(words.pop(), "rb")
        words.remove("<")
    done = subprocess.run([words[0], "-s", "socket", *words[1:]], cwd=folder, env=environment,
                          stdin=commands, capture_output=True, timeout=STEP_LIMIT_S)
    if commands is not subprocess.DEVNULL:
        commands.close()
    return done


def step(words, folder, environment=None):
    """A client's command that has to succeed."""
    done = client(words, folder, environment)
    if done.returncode != 0 or b"rror" in done.stdout + done.stderr and b"errors: 0" not in done.stdout:
        raise Failed(f"{words[0]}: {(done.stderr or done.stdout)[-120:].decode(errors='replace').strip()}")


def wait_until_ready(server, folder, environment=None):
    end = time.monotonic() + START_LIMIT_S
    while client(("redis-cli", "PING"), folder, environment).stdout != b"PONG\n":
        if server.poll() is not None or time.monotonic() > end:
            raise Failed(f"{NAME} did not start")
        time.sleep(0.02)


def shut_down(server, folder, environment=None):
    client(("redis-cli", "SHUTDOWN", "NOSAVE"), folder, environment)
    server.wait(START_LIMIT_S)
