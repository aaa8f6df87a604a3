"""What every case needs: running a program on the library under test, and the rule that no process, no
file and no changed setting may be left behind."""
import ctypes
import functools
import os
import pathlib
import re
import resource
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

PATIENCE_SECONDS = 900  # after this a hang is called a hang; no outcome depends on it otherwise
SKIPPED = 77
PR_SET_CHILD_SUBREAPER = 36
MIB = 1 << 20

LIBRARY = ""  # what is preloaded; "": nothing, glibc's malloc
PROGRAMS = pathlib.Path()
# Whose malloc it is, as far as cases have to know: what a peer is known not to do is data of the cases.
ALLOCATOR = "glibc"
PEERS = ("jemalloc", "tcmalloc", "mimalloc")


def configure(library, programs):
    global LIBRARY, PROGRAMS, ALLOCATOR
    if library and not os.path.exists(library):
        raise SystemExit(f"run: there is no library {library}")
    if not (programs / "model").exists():
        raise SystemExit(f"run: no programs are built in {programs}")
    LIBRARY = os.path.abspath(library) if library else ""
    PROGRAMS = programs.resolve()
    name = os.path.basename(LIBRARY)
    peers = [peer for peer in PEERS if f"lib{peer}" in name]
    ALLOCATOR = peers[0] if peers else "minimalloc" if library else "glibc"


def alone(method):
    """For a case that changes a setting of the whole system."""
    method.alone = True
    return method


def fails_on(**reasons):
    """fails_on(jemalloc="no pvalloc"): a peer's known failure is shown as skipped."""

    def decorate(method):
        @functools.wraps(method)
        def test(self):
            reason = reasons.get(ALLOCATOR)
            if reason is None:
                method(self)
                return
            try:
                method(self)
            except AssertionError as failure:
                last = str(failure).strip().splitlines()[-1]
                self.skipTest(f"known failure of {ALLOCATOR} ({reason}): {last}")
            self.skipTest(f"{ALLOCATOR} passes where it was known to fail ({reason})")

        return test

    return decorate


def need(program, package=None):
    """The path of a program that the case is about; skips the case where it is not installed."""
    path = shutil.which(program)
    if path is None:
        raise unittest.SkipTest(f"{program} is not installed (Debian package {package or program})")
    return path


def need_root(why):
    if os.geteuid() != 0:
        raise unittest.SkipTest(f"only root can {why}")


def limit(name, byte_count):
    """A limit for run(): limit("AS", 128 * MIB)."""
    return getattr(resource, f"RLIMIT_{name}"), (byte_count, byte_count)


class PreloadTest(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        # Orphans of whatever we start become our children, so that none can hide.
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="minimalloc-test-"))
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)
        self.plain_environment = {
            name: value for name, value in os.environ.items()
            if not re.match(r"LD_|MALLOC_|MINIMALLOC_|GLIBC_TUNABLES$|PYTHON|RUBY|PERL|JAVA|NODE_", name)
        } | {"LC_ALL": "C.UTF-8", "TMPDIR": str(self.directory), "HOME": str(self.directory)}
        self.environment = dict(self.plain_environment)
        if LIBRARY:
            self.environment["LD_PRELOAD"] = LIBRARY
        self.addCleanup(self.check_no_process_is_left)

    def directory_for_libraries(self):
        """The loader takes no library whose path has a space or a colon."""
        if not re.search("[ :]", str(self.directory)):
            return self.directory
        other = pathlib.Path(tempfile.mkdtemp(prefix="minimalloc-test-", dir="/tmp"))
        self.addCleanup(shutil.rmtree, other)
        other.chmod(0o755)
        return other

    def living_children(self):
        """Reaps the dead: those were nobody's any more."""
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return []
        path = pathlib.Path(f"/proc/self/task/{os.getpid()}/children")
        return [int(child) for child in path.read_text().split()]

    def check_no_process_is_left(self):
        deadline = time.monotonic() + 60  # for those that are about to end
        while self.living_children() and time.monotonic() < deadline:
            time.sleep(0.01)
        left = self.living_children()
        while children := self.living_children():
            for child in children:
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
        self.assertEqual(left, [], "processes were left behind")

    def run_command(self, argv, env=None, limits=(), timeout=PATIENCE_SECONDS, **popen):
        """Runs a command to its end, in a session of its own that is killed as a whole if it hangs."""

        def arrange():
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            for which, values in limits:
                resource.setrlimit(which, values)

        popen.setdefault("cwd", self.directory)
        popen.setdefault("stdin", subprocess.DEVNULL)
        process = subprocess.Popen([str(word) for word in argv], env=env or self.environment,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   start_new_session=True, preexec_fn=arrange, **popen)
        try:
            output, errors = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            output, errors = process.communicate()
            self.fail(f"{argv[0]} hangs; it said {output!r} {errors!r}")
        return subprocess.CompletedProcess(argv, process.returncode, output.decode(errors="replace"),
                                           errors.decode(errors="replace"))

    def expect_ok(self, done, what):
        if done.returncode == SKIPPED:
            self.skipTest(done.stdout.strip())
        if (done.returncode, done.stdout.splitlines()[-1:], done.stderr) != (0, ["ok"], ""):
            self.fail(f"{what}: exit status {done.returncode}\n{done.stdout[-300:]}{done.stderr[-1500:]}")

    def check(self, name, *arguments, through=(), env=None, **options):
        """A program of ours must say nothing but "ok". `through` stands before it on the command line
        (setarch, taskset) and does not itself run on the library."""
        argv = [PROGRAMS / name, *arguments]
        if through:
            # The program alone gets the library: env is the last to start something.
            argv = [*through, "env", f"LD_PRELOAD={LIBRARY}", *argv]
            env = env or self.plain_environment
        done = self.run_command(argv, env=env, **options)
        self.expect_ok(done, " ".join(map(str, argv)))
        return done.stdout

    def required(self, name, *arguments):
        """Like check(), of what a peer may lack: the program skips itself then, but not for us."""
        try:
            self.check(name, *arguments)
        except unittest.SkipTest as reason:
            if ALLOCATOR == "minimalloc":
                self.fail(str(reason))
            raise
