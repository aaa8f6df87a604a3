"""What the tests of heapspy record -p need: a running program, and heapspy that joins and leaves it."""
import os
import pathlib
import re
import select
import signal
import subprocess
import time

from harness import HEAPSPY, PATIENCE_SECONDS, build_target, state_of, wait_until
from recording import RecordTest


# A thread that a heapspy had borrowed when it was killed waits for so long with its signals blocked.
MOST_HELD_SECONDS = 0.6


class Target:
    """A running program, what it says read line by line."""

    def __init__(self, *argv, **popen):
        popen.setdefault("stdin", subprocess.PIPE)
        self.process = subprocess.Popen([str(word) for word in argv], stdout=subprocess.PIPE,
                                        **popen)
        self.pid = self.process.pid
        self.text = b""

    def line(self, pattern):
        """The next line that matches; the match."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            while b"\n" in self.text:
                line, _, self.text = self.text.partition(b"\n")
                if found := re.fullmatch(pattern, line.decode(errors="replace")):
                    return found
            ready = select.select([self.process.stdout], [], [], deadline - time.monotonic())[0]
            some = os.read(self.process.stdout.fileno(), 65536) if ready else b""
            if not some:
                raise AssertionError(f"{pattern!r} never came, the program {self.process.poll()}")
            self.text += some

    def text_until(self, pattern):
        """The lines up to one that matches."""
        lines = [""]
        while not re.fullmatch(pattern, lines[-1]):
            lines.append(self.line("(.*)")[1])
        return "\n".join(lines)

    def count(self, seconds):
        """Has it count its allocations for a while, and there are some: blocks, bytes."""
        for longer in (1, 4, 16, 64):  # a busy machine may leave it no time to run meanwhile
            os.kill(self.pid, signal.SIGUSR1)
            time.sleep(MOST_HELD_SECONDS + seconds * longer)
            os.kill(self.pid, signal.SIGUSR2)
            counted = [int(figure) for figure in self.line(r"counted: (\d+) (\d+)").groups()]
            if counted[0] > 0:
                return counted
        raise AssertionError(f"{self.pid} does not run")

    def threads(self):
        return [int(tid) for tid in os.listdir(f"/proc/{self.pid}/task")]

    def end(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        if self.process.stdin:
            self.process.stdin.close()


class JoinTest(RecordTest):
    def start(self, *argv, **popen):
        popen.setdefault("env", self.environment)
        target = Target(*argv, **popen)
        self.addCleanup(target.end)
        return target

    def running(self, *words, program="joined", **popen):
        target = self.start(build_target(program), *words, **popen)
        target.line(r"(?:runs|waits): \d+")
        return target

    def loader(self):
        """glibc's, as a program to be started."""
        maps = pathlib.Path("/proc/self/maps").read_text()
        found = re.search(r"/\S+/ld-linux-\S+", maps)
        if not found:
            self.skipTest("Python has another loader than glibc's")
        return found[0]

    def join(self, target, *options):
        """heapspy, once the program is being recorded."""
        heapspy, line = self.try_to_join(target, *options)
        self.assertIn("is being recorded", line)
        return heapspy

    def try_to_join(self, target, *options):
        """heapspy, and the first thing that it says."""
        heapspy = subprocess.Popen([HEAPSPY, "record", "-o", str(self.file), *options, "-p",
                                    str(target.pid)], stderr=subprocess.PIPE, text=True,
                                   env=self.environment)

        def end():
            heapspy.kill()
            heapspy.wait()
            heapspy.stderr.close()

        self.addCleanup(end)
        return heapspy, heapspy.stderr.readline()

    def leave(self, heapspy):
        heapspy.send_signal(signal.SIGINT)
        messages = heapspy.communicate(timeout=PATIENCE_SECONDS)[1]
        self.assertEqual(heapspy.returncode, 0, messages)
        return messages

    def refused(self, pid, *options):
        done = subprocess.run([HEAPSPY, "record", "-o", str(self.file), *options, "-p", str(pid)],
                              capture_output=True, text=True, timeout=PATIENCE_SECONDS,
                              env=self.environment, check=False)
        self.assertEqual(done.returncode, 126, done.stderr)
        self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
        return done.stderr

    def check_free(self, target):
        """It runs, and nobody traces any of its threads."""
        self.assertIsNone(target.process.poll())
        for tid in target.threads():
            def goes_on(tid=tid):
                state = state_of(tid)
                return state is None or (state[0] not in "tT" and state[1] == 0)
            wait_until(goes_on, f"thread {tid} goes on")
