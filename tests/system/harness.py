"""What every system test needs: running heapspy on a target, reading its JSON, terminals, and the
rule that no process and no file may be left behind."""
import collections
import ctypes
import errno
import fcntl
import functools
import json
import os
import pathlib
import re
import resource
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import termios
import time
import unittest

HEAPSPY = os.environ.get("HEAPSPY", "heapspy")
LAB = pathlib.Path(os.environ.get("HEAPSPY_LAB", "."))
TARGETS = pathlib.Path(os.environ.get("HEAPSPY_TARGETS", "."))
READERS = pathlib.Path(os.environ.get("HEAPSPY_READERS", "."))  # programs from npm

# After this a hang is called a hang; no outcome depends on it otherwise.
PATIENCE_SECONDS = 1200
PAGE = os.sysconf("SC_PAGE_SIZE")
NOBODY = 65534
PR_SET_CHILD_SUBREAPER = 36


def need(program, package=None):
    """The path of a program that the test is about; skips the test where it is not installed."""
    path = shutil.which(program)
    if path is None:
        raise unittest.SkipTest(f"{program} is not installed (Debian package {package or program})")
    return path


def need_root():
    if os.geteuid() != 0:
        raise unittest.SkipTest("only root can become another user")


def build_target(name):
    """A program of targets/; skips where this machine could not build it."""
    path = TARGETS / name
    if not path.exists():
        package = {"allocates_musl": "musl-tools"}.get(name, "libc6-dev")
        raise unittest.SkipTest(f"{name} was not built (Debian package {package})")
    return path


def number(value):
    """A JSON number or "0x…" string, as an unsigned 64-bit number."""
    return (int(value, 0) if isinstance(value, str) else value) % 2**64


def said(output):
    """The "key: value" lines that a target printed; "0x…" and decimal values as numbers."""
    facts = {}
    for line in output.splitlines():
        key, found, value = line.partition(": ")
        if not found:
            continue
        facts[key] = value
        first = re.match(r"0x[0-9a-f]+\b|\d+\b", value)
        if first:
            facts[key + " number"] = int(first[0], 0)
        of_line = re.search(r"\(line (\d+)\)", value)
        if of_line:
            facts[key + " line"] = int(of_line[1])
    return facts


def read_json(path):
    with open(path) as lines:
        return [json.loads(line) for line in lines]


class Trace:
    """What one run of `heapspy trace` gave: the target's own output and status, and the JSON, which
    is parsed when it is asked for: a long trace has hundreds of megabytes of it."""

    def __init__(self, status, output, messages, story_file, json_file):
        self.status = status
        self.output = output.decode(errors="replace")
        self.messages = messages
        self.story_file = story_file
        self.json_file = json_file

    @functools.cached_property
    def story(self):
        return self.story_file.read_text()

    @functools.cached_property
    def objects(self):
        return read_json(self.json_file)

    @functools.cached_property
    def events(self):
        return [o for o in self.objects if "sequence" in o]

    @functools.cached_property
    def ledger(self):
        with open(self.json_file, "rb") as lines:
            return json.loads(collections.deque(lines, maxlen=1).pop())

    def calls(self, syscall=None, **wanted):
        """Events by system call and by any key of theirs: calls("brk", cause="malloc")."""
        return [e for e in self.events
                if (syscall is None or e["syscall"] == syscall)
                and all(e[key] == value for key, value in wanted.items())]

    def notices(self):
        return [o["text"] for o in self.objects if o["type"] == "notice"]


def own_frame(event):
    """The first frame of the program's own code, as heapspy sees it."""
    index = event["origin_frame"]
    return None if index is None else event["frames"][index]


def functions(event):
    return [frame["function"] or "" for frame in event["frames"] or []]


def break_moved(event):
    """By how many bytes a brk moved the break."""
    return number(event["break_after"]) - number(event["break_before"])


def state_of(pid):
    """The one-letter state of /proc/PID/status, and its tracer's pid; None where it is gone."""
    try:
        text = pathlib.Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return (re.search(r"^State:\s+(\S)", text, re.M)[1],
            int(re.search(r"^TracerPid:\s+(\d+)", text, re.M)[1]))


def has_ended(process):
    """Whether a child has; it is left for who waits for it, and has its place in /proc until then."""
    return (process.returncode is not None or
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None)


def last_words(process):
    """How it ended, and what it wrote to standard error, where that is a pipe that nobody reads."""
    words = f"its process ended with status {process.wait()}"
    if process.stderr:
        os.set_blocking(process.stderr.fileno(), False)  # another process may have the other end
        try:
            words += ": " + os.read(process.stderr.fileno(), 65536).decode(errors="replace")
        except BlockingIOError:
            pass
    return words


def wait_until(condition, what, process=None):
    """Waits for something that must come; how long it takes does not matter. With the process that
    it is to come from, it is not waited for longer than that runs."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        is_last = process is not None and has_ended(process)
        value = condition()
        if value:
            return value
        if is_last:
            raise AssertionError(f"never happened: {what}; {last_words(process)}")
        time.sleep(0.01)
    raise AssertionError(f"never happened: {what}")


def listens(path):
    """Whether a server takes connections at a socket."""
    with socket.socket(socket.AF_UNIX) as client:
        return client.connect_ex(str(path)) == 0


def unread_bytes(reader):
    """What has been written to a pipe and not been read yet."""
    return int.from_bytes(fcntl.ioctl(reader, termios.FIONREAD, bytes(4)), sys.byteorder)


def run_on_pipes(command, files, **options):
    """Runs a command on files that it gets as pipes, the way a shell's <(cat FILE) gives them."""
    cats = [subprocess.Popen(["cat", str(file)], stdout=subprocess.PIPE) for file in files]
    ends = [cat.stdout.fileno() for cat in cats]
    try:
        return subprocess.run([*map(str, command), *(f"/dev/fd/{end}" for end in ends)],
                              pass_fds=ends, capture_output=True, timeout=PATIENCE_SECONDS, **options)
    finally:
        for cat in cats:
            cat.stdout.close()
            cat.wait()


def read_terminal(master):
    """What has come; nothing once nobody has the other side open any more. That reads as EIO, also
    where what was written last is still on its way: only the second EIO is the end."""
    for _ in range(2):
        try:
            return os.read(master, 65536)
        except OSError as error:
            if error.errno != errno.EIO:
                raise
    return b""


class Terminal:
    """A program in a session of its own, on a pseudo-terminal that the test reads and types on."""

    def __init__(self, argv, **popen):
        self.master, slave = os.openpty()
        # No echo and no newline translation: what is read is what was written.
        modes = termios.tcgetattr(slave)
        modes[1] &= ~termios.OPOST
        modes[3] &= ~termios.ECHO
        termios.tcsetattr(slave, termios.TCSANOW, modes)

        def take_terminal():
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        for stream in ("stdin", "stdout", "stderr"):
            popen.setdefault(stream, slave)
        self.process = subprocess.Popen([str(word) for word in argv], start_new_session=True,
                                        preexec_fn=take_terminal, **popen)
        os.close(slave)
        self.text = b""

    def type(self, keys):
        os.write(self.master, keys)

    def _read_some(self):
        some = read_terminal(self.master)
        self.text += some
        return some

    def read_until(self, pattern, start=0):
        """Reads until `pattern` matches what was written after position `start`."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            match = re.compile(pattern).search(self.text, start)
            if match:
                return match
            ready = select.select([self.master], [], [], max(0, deadline - time.monotonic()))[0]
            if not ready or not self._read_some():
                raise AssertionError(f"{pattern!r} never came; seen: {self.text[-2000:]!r}")

    def read_to_end(self):
        while self._read_some():
            pass
        return self.process.wait(PATIENCE_SECONDS)

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.master)


class SystemTest(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        # Orphans of whatever we start become our children, so that none can hide.
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="heapspy-test-"))
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)
        self.traces_count = 0
        self.temporary = self.directory / "tmp"
        self.temporary.mkdir(mode=0o777)
        self.environment = dict(os.environ, TMPDIR=str(self.temporary), LC_ALL="C")
        self.addCleanup(self.check_nothing_is_left)

    def reap_witnesses(self):
        """What tells a heapspy what its process group gets, and ends with it as our child if that is
        killed. It may not have named itself yet (heapspy-witness)."""
        children = pathlib.Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
        for child in map(int, children):
            if pathlib.Path(f"/proc/{child}/comm").read_text().startswith("heapspy"):
                wait_until(lambda child=child: os.waitpid(child, os.WNOHANG)[0], "a witness ends")

    def wait_for_orphan(self):
        """The program of a heapspy that was killed became our child."""
        self.reap_witnesses()
        return os.waitpid(-1, 0)

    def check_nothing_is_left(self):
        self.reap_witnesses()
        left = []
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if pid:
                left.append(f"zombie {pid} with status {status:#x}")
                continue
            children = pathlib.Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
            for child in map(int, children):
                left.append(f"process {child} in state {state_of(child)}")
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
        self.assertEqual(left, [], "processes were left behind")
        self.assertEqual(list(self.temporary.iterdir()), [], "temporary files were left behind")

    def run_plain(self, *command, **options):
        """The same as trace(), without heapspy: what the target does by itself."""
        options.setdefault("env", self.environment)
        options.setdefault("stdin", subprocess.DEVNULL)
        return subprocess.run([str(word) for word in command], capture_output=True,
                              timeout=PATIENCE_SECONDS, **options)

    def trace(self, *command, options=(), terminal=False, **run):
        """Runs `heapspy trace` on a command; with `terminal`, on a pseudo-terminal of its own."""
        run.setdefault("env", self.environment)
        self.traces_count += 1
        json_file = self.directory / f"trace-{self.traces_count}.json"
        story_file = self.directory / f"story-{self.traces_count}.txt"
        argv = [HEAPSPY, "trace", "--json", json_file, "-o", story_file, *options, "--", *command]
        if terminal:
            session = Terminal(argv, stderr=subprocess.PIPE, **run)
            session.read_to_end()
            messages = session.process.stderr.read()
            session.process.stderr.close()
            status, output = session.process.returncode, session.text
            session.close()
        else:
            run.setdefault("stdin", subprocess.DEVNULL)
            done = subprocess.run([str(word) for word in argv], capture_output=True,
                                  timeout=PATIENCE_SECONDS, **run)
            status, output, messages = done.returncode, done.stdout, done.stderr
        return Trace(status, output, messages.decode(errors="replace"), story_file, json_file)

    def open_directory(self):
        """A directory that everybody may use, the loader too: it takes no library whose path has a
        space or a colon."""
        self.directory.chmod(0o755)
        is_for_loader = not re.search("[ :]", str(self.directory))
        home = pathlib.Path(tempfile.mkdtemp(dir=self.directory if is_for_loader else "/tmp"))
        self.addCleanup(shutil.rmtree, home, ignore_errors=True)
        home.chmod(0o777)
        return home

    def copy_to(self, directory, program):
        copy = directory / os.path.basename(program)
        shutil.copy(program, copy)
        copy.chmod(0o755)
        return copy

    def gcore(self, pid):
        """A core of a process that goes on."""
        subprocess.run([need("gcore", "gdb"), "-o", self.directory / "core", str(pid)], check=True,
                       capture_output=True)
        return self.directory / f"core.{pid}"

    def core_of_the_dead(self, start, contents="0x33"):
        """The program that start() gives, which ends by a signal, and its core by the kernel.
        `contents` is for its coredump_filter."""
        if pathlib.Path("/proc/sys/kernel/core_pattern").read_text().startswith("|"):
            self.skipTest("the kernel hands cores to a program here")

        def unlimited():
            resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY,) * 2)
            pathlib.Path("/proc/self/coredump_filter").write_text(contents)

        with start(cwd=self.directory, preexec_fn=unlimited) as target:
            target.process.wait(PATIENCE_SECONDS)
        cores = list(self.directory.glob("core*"))
        if not cores:
            self.skipTest("the kernel wrote no core here")
        return target, cores[0]

    def as_nobody(self):
        """What to put before a command to run it as an unprivileged user."""
        need_root()
        return [need("setpriv", "util-linux"), f"--reuid={NOBODY}", f"--regid={NOBODY}",
                "--clear-groups"]
