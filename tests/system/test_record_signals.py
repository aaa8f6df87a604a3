"""Signals to heapspy record and to the jobs that it is; and what goes on after its command."""
import os
import pathlib
import re
import signal
import subprocess

import test_signals
from harness import HEAPSPY, TARGETS, need, state_of, wait_until
from recording import RecordTest

# The command ends, and what it has started goes on in a session of its own.
DAEMON = f"setsid {TARGETS / 'ticker'} & exit 5"


class OnATerminal(test_signals.OnATerminal, RecordTest):
    def heapspy(self):
        return [HEAPSPY, "record", "-o", str(self.file)]

    def check_output(self):
        self.assertEqual(self.report()["process"]["ending"], "exited")

    def test_heapspy_is_a_job_of_heapspy(self):
        for verb in ("record", "trace"):
            self.check_reading_job([*self.heapspy(), HEAPSPY, verb, "-q", "-o", "/dev/null"])


class Outlived(RecordTest):
    def start_daemon(self, *before):
        output = self.directory / "ticks"
        with open(output, "wb") as ticks:
            heapspy = subprocess.Popen([*map(str, before), "--", need("bash"), "-c", DAEMON],
                                       stdout=ticks, stderr=subprocess.PIPE, env=self.environment)
        self.addCleanup(heapspy.stderr.close)
        pid = int(wait_until(lambda: re.search(r"pid: (\d+)", output.read_text()), "start")[1])
        wait_until(lambda: os.getpgid(pid) == pid and self.parent(pid) == os.getpid(),
                   "the command's end")
        return heapspy, pid

    def parent(self, pid):
        return int(pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])

    def ask_until_it_ends(self, heapspy, number):
        """The command may have ended a moment before heapspy knows."""
        def ends():
            heapspy.send_signal(number)
            return heapspy.poll() is not None
        wait_until(ends, "heapspy's end")
        self.assertEqual(heapspy.returncode, 5)

    def end_daemon(self, pid):
        os.kill(pid, signal.SIGINT)
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 3)

    def test_a_recording_ends_when_it_is_asked_for(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
            heapspy, pid = self.start_daemon(HEAPSPY, "record", "-o", self.file)
            self.ask_until_it_ends(heapspy, number)
            self.assertEqual(state_of(pid)[1], 0)
            self.end_daemon(pid)
            endings = [self.report(file)["process"]["ending"]
                       for file in self.directory.glob(f"out.{pid}.*")]
            self.assertEqual(endings.count("detached"), 1, endings)
            self.assertEqual(endings.count("exec"), len(endings) - 1)

    def test_a_trace_lets_go_when_it_is_asked_for(self):
        heapspy, pid = self.start_daemon(HEAPSPY, "trace", "-q", "--no-seccomp")
        self.ask_until_it_ends(heapspy, signal.SIGTERM)
        self.assertEqual(state_of(pid)[1], 0)
        self.end_daemon(pid)

    def test_a_trace_with_a_filter_kills_when_it_is_asked_for_again(self):
        heapspy, pid = self.start_daemon(HEAPSPY, "trace")
        self.ask_until_it_ends(heapspy, signal.SIGTERM)
        self.assertIn(b"cannot do so without heapspy", heapspy.stderr.read())
        self.assertEqual(os.WTERMSIG(os.waitpid(pid, 0)[1]), signal.SIGKILL)


class Passed(RecordTest):
    def test_what_a_process_sends_is_passed_on(self):
        script = "trap 'echo got; exit 7' {}; echo ready; while :; do sleep 0.01; done"
        for verb in ("record", "trace"):
            for name in ("INT", "QUIT", "TERM", "HUP", "USR1", "USR2"):
                heapspy = subprocess.Popen(
                    [HEAPSPY, verb, "-q", "-o", self.file, "--", need("bash"), "-c",
                     script.format(name)],
                    stdout=subprocess.PIPE, env=self.environment)
                self.assertEqual(heapspy.stdout.readline(), b"ready\n")
                heapspy.send_signal(getattr(signal, "SIG" + name))
                self.assertEqual(heapspy.stdout.read(), b"got\n", (verb, name))
                heapspy.stdout.close()
                self.assertEqual(heapspy.wait(), 7)
