"""Signals to heapspy record and to the jobs that it is; and what goes on after its command."""
import os
import pathlib
import re
import shlex
import signal
import subprocess

import test_signals
from harness import (HEAPSPY, PATIENCE_SECONDS, TARGETS, Terminal, build_target, need, state_of,
                     wait_until)
from recording import RecordTest

PASSED = [getattr(signal, "SIG" + name) for name in ("INT", "QUIT", "TERM", "HUP", "USR1", "USR2")]
VERBS = ("record", "trace")

# The command ends, and what it has started goes on in a session of its own.
DAEMON = f"echo command: $$; setsid {shlex.quote(str(TARGETS / 'ticker'))} & exit 5"


class OnATerminal(test_signals.OnATerminal, RecordTest):
    def heapspy(self):
        return [HEAPSPY, "record", "-o", str(self.file)]

    def check_output(self):
        self.assertEqual(self.report()["process"]["ending"], "exited")

    def test_heapspy_is_a_job_of_heapspy(self):
        for verb in VERBS:
            self.check_reading_job([*self.heapspy(), HEAPSPY, verb, "-q", "-o", "/dev/null"])


class Outlived(RecordTest):
    def start_daemon(self, *before):
        output = self.directory / "ticks"
        with open(output, "wb") as ticks, open(self.directory / "said", "wb") as said:
            heapspy = subprocess.Popen([*map(str, before), "--", need("bash"), "-c", DAEMON],
                                       stdout=ticks, stderr=said, env=self.environment)
        pid = int(wait_until(lambda: re.search(r"pid: (\d+)", output.read_text()), "start",
                             heapspy)[1])
        command = int(re.search(r"command: (\d+)", output.read_text())[1])
        wait_until(lambda: os.getpgid(pid) == pid and self.parent(pid) == os.getpid(),
                   "the command's end", heapspy)
        # Asked before, it would have asked the command.
        wait_until(lambda: state_of(command) is None, "heapspy knows of it", heapspy)
        wait_until(lambda: state_of(heapspy.pid)[0] == "S", "it has gone on", heapspy)
        return heapspy, pid

    def parent(self, pid):
        return int(pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])

    def ask_to_end(self, heapspy, number):
        heapspy.send_signal(number)
        self.assertEqual(heapspy.wait(PATIENCE_SECONDS), 5)

    def end_daemon(self, pid):
        os.kill(pid, signal.SIGINT)
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 3)

    def test_a_recording_ends_when_it_is_asked_for(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
            heapspy, pid = self.start_daemon(HEAPSPY, "record", "-o", self.file)
            self.ask_to_end(heapspy, number)
            self.assertEqual(state_of(pid)[1], 0)
            self.end_daemon(pid)
            endings = [self.report(file)["process"]["ending"]
                       for file in self.directory.glob(f"out.{pid}.*")]
            self.assertEqual(endings.count("detached"), 1, endings)
            self.assertEqual(endings.count("exec"), len(endings) - 1)

    def test_a_trace_lets_go_when_it_is_asked_for(self):
        heapspy, pid = self.start_daemon(HEAPSPY, "trace", "-q", "--no-seccomp")
        self.ask_to_end(heapspy, signal.SIGTERM)
        self.assertEqual(state_of(pid)[1], 0)
        self.end_daemon(pid)

    def test_a_trace_with_a_filter_kills_when_it_is_asked_for_again(self):
        heapspy, pid = self.start_daemon(HEAPSPY, "trace")
        heapspy.terminate()
        wait_until(lambda: "cannot do so without heapspy" in (self.directory / "said").read_text(),
                   "it says why it does not end", heapspy)
        self.ask_to_end(heapspy, signal.SIGTERM)
        self.assertEqual(os.WTERMSIG(os.waitpid(pid, 0)[1]), signal.SIGKILL)


class Passed(RecordTest):
    TIMES = 3  # two signals that wait to be taken are one

    def start(self, verb, *words, before=()):
        heapspy = subprocess.Popen(
            [*before, HEAPSPY, verb, "-q", "-o", self.file, "--", *words],
            stdout=subprocess.PIPE, text=True, env=self.environment, start_new_session=True)
        self.addCleanup(heapspy.stdout.close)
        return heapspy

    def start_counting(self, verb, *words):
        heapspy = self.start(verb, build_target("counts_signals"), *words)
        return heapspy, int(heapspy.stdout.readline().removeprefix("pid: "))

    def has_handled(self, pid, number):
        status = pathlib.Path(f"/proc/{pid}/status").read_text()
        masks = re.findall(r"^(?:SigPnd|ShdPnd|SigBlk):\s+(\w+)", status, re.M)
        return not any(int(mask, 16) >> (number - 1) & 1 for mask in masks)

    def check_each_comes_once(self, heapspy, pid, send, numbers):
        """heapspy has passed on what it ever will when it has handled the signal."""
        for number in numbers:
            for _ in range(self.TIMES):
                send(number)
                self.assertEqual(heapspy.stdout.readline(), f"got: {int(number)}\n")
                wait_until(lambda number=number: self.has_handled(heapspy.pid, number), "handled",
                           heapspy)
        os.kill(pid, signal.SIGWINCH)
        counts = heapspy.stdout.read().split()[-len(PASSED):]
        expected = [str(self.TIMES if number in numbers else 0) for number in PASSED]
        self.assertEqual(counts, expected)
        self.assertEqual(heapspy.wait(), 0)

    def test_what_a_process_sends_to_heapspy_is_passed_on(self):
        for verb in VERBS:
            heapspy, pid = self.start_counting(verb)
            self.check_each_comes_once(heapspy, pid, heapspy.send_signal, PASSED)

    def test_what_a_process_sends_to_the_group_comes_once(self):
        for verb in VERBS:
            heapspy, pid = self.start_counting(verb)
            self.check_each_comes_once(heapspy, pid, lambda number, group=heapspy.pid:
                                       os.killpg(group, number), PASSED)

    def test_a_program_that_left_the_group_gets_what_is_sent_to_it(self):
        for verb in VERBS:
            heapspy, pid = self.start_counting(verb, "leaves")
            self.check_each_comes_once(heapspy, pid, lambda number, group=heapspy.pid:
                                       os.killpg(group, number), PASSED)

    def test_what_the_group_got_and_heapspy_then_are_two(self):
        heapspy, pid = self.start_counting("record")

        def got(number):
            self.assertEqual(heapspy.stdout.readline(), f"got: {int(number)}\n")

        os.killpg(heapspy.pid, signal.SIGTERM)
        got(signal.SIGTERM)
        wait_until(lambda: self.has_handled(heapspy.pid, signal.SIGTERM), "handled", heapspy)
        for number in (signal.SIGUSR1, signal.SIGTERM):  # the first waits for the group's handler
            heapspy.send_signal(number)
            got(number)
        os.kill(pid, signal.SIGWINCH)
        self.assertEqual(heapspy.stdout.read(), "counts: 0 0 2 0 1 0\n")
        self.assertEqual(heapspy.wait(), 0)

    def test_keys_come_once(self):
        for verb in VERBS:
            terminal = Terminal([HEAPSPY, verb, "-q", "-o", self.file, "--",
                                 build_target("counts_signals")], env=self.environment)
            self.addCleanup(terminal.close)
            pid = int(terminal.read_until(rb"pid: (\d+)\n")[1])
            for key, number in ((b"\x03", signal.SIGINT), (b"\x1c", signal.SIGQUIT)):
                for _ in range(self.TIMES):
                    terminal.type(key)
                    terminal.read_until(rb"got: %d\n" % number, start=len(terminal.text))
                    wait_until(lambda number=number, heapspy=terminal.process.pid:
                               self.has_handled(heapspy, number), "handled", terminal.process)
            terminal.process.terminate()
            terminal.read_until(rb"got: %d\n" % signal.SIGTERM)
            os.kill(pid, signal.SIGWINCH)
            terminal.read_until(b"counts: %d %d 1 0 0 0\n" % (self.TIMES, self.TIMES))
            self.assertEqual(terminal.read_to_end(), 0)

    def test_timeout_ends_both(self):
        for verb in VERBS:
            for options in ([], ["--foreground"]):
                timeout = self.start(verb, "sleep", "1000",
                                     before=[need("timeout"), *options, "0.5"])
                self.assertEqual(timeout.stdout.read(), "")
                self.assertEqual(timeout.wait(), 124)
