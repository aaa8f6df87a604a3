"""Signals, job control and death: of the target, of heapspy, on a terminal."""
import fcntl
import json
import os
import pathlib
import re
import select
import shlex
import signal
import subprocess
import time

from harness import (HEAPSPY, PATIENCE_SECONDS, TARGETS, SystemTest, Terminal, need, read_json,
                     state_of, wait_until)

TICKER = TARGETS / "ticker"


def ticker_pid(terminal):
    return int(terminal.read_until(rb"pid: (\d+)")[1])


def more_ticks(terminal):
    """The target is running: it ticks again after now."""
    terminal.read_until(rb"(tick\n){3}", start=len(terminal.text))


def catches(pid, number):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"SigCgt:\s+(\w+)", status)[1], 16) >> (number - 1) & 1


class OnATerminal(SystemTest):
    def heapspy(self):
        return [HEAPSPY, "trace", "-o", str(self.directory / "story")]

    def check_output(self):
        self.assertIn("Exit", (self.directory / "story").read_text())

    def command_line(self, program):
        return f"{shlex.join([*self.heapspy(), str(program)])}\n".encode()

    def start(self, argv, **popen):
        terminal = Terminal(argv, env=self.environment, **popen)
        self.addCleanup(terminal.close)
        return terminal

    def test_a_hangup_of_the_terminal_reaches_the_target(self):
        """The kernel tells the leader of the session alone, which heapspy is here."""
        terminal = self.start([*self.heapspy(), "--", need("bash"), "-c",
                               "echo pid: $$; exec sleep 100"])
        pid = ticker_pid(terminal)
        with open("/dev/null", "rb") as nothing:
            os.dup2(nothing.fileno(), terminal.master)
        self.assertEqual(terminal.process.wait(PATIENCE_SECONDS), 128 + signal.SIGHUP)
        self.assertFalse(os.path.exists(f"/proc/{pid}"))

    def test_interrupt_from_the_keyboard_reaches_the_target(self):
        terminal = self.start([*self.heapspy(), TICKER])
        ticker_pid(terminal)
        more_ticks(terminal)
        terminal.type(b"\x03")
        terminal.read_until(rb"interrupted\n")
        self.assertEqual(terminal.read_to_end(), 3)
        self.check_output()

    def test_interrupt_that_kills_the_target_is_passed_on_as_status(self):
        terminal = self.start([*self.heapspy(), "--", "sleep", "1000"])
        wait_until(lambda: any(self.runs(pid, "sleep") for pid in
                               self.children_of(terminal.process.pid)), "sleep's exec", terminal.process)
        terminal.type(b"\x03")
        self.assertEqual(terminal.read_to_end(), 128 + signal.SIGINT)

    def start_shell(self):
        shell = self.start([need("bash"), "--norc", "--noprofile", "--noediting", "-i"])
        shell.type(b"PS1='ready> '\n")
        shell.read_until(rb"ready> $")
        return shell

    def children_of(self, pid):
        try:
            return pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        except FileNotFoundError:
            return []

    def runs(self, pid, name):
        try:
            return pathlib.Path(f"/proc/{pid}/comm").read_text().strip() == name
        except FileNotFoundError:
            return False

    def test_stopped_job_stops_and_continues(self):
        shell = self.start_shell()
        shell.type(self.command_line(TICKER))
        pid = ticker_pid(shell)
        more_ticks(shell)
        for _ in range(2):
            at = len(shell.text)
            shell.type(b"\x1a")
            shell.read_until(rb"Stopped.*\n(.*\n)*ready> $", start=at)
            self.assertIn(state_of(pid)[0], "Tt")
            ticks = shell.text.count(b"tick")
            shell.type(b"echo still-stopped\n")
            shell.read_until(rb"still-stopped\n", start=len(shell.text))
            self.assertEqual(shell.text.count(b"tick"), ticks)
            shell.type(b"fg\n")
            more_ticks(shell)
        shell.type(b"\x03")
        shell.read_until(rb"interrupted\n(.*\n)*ready> $|interrupted\nready> $")
        shell.type(b"echo status=$?\n")
        shell.read_until(rb"status=3\n")
        shell.type(b"exit\n")
        shell.read_to_end()

    def test_stopped_job_continues_in_the_background(self):
        shell = self.start_shell()
        shell.type(self.command_line(TICKER))
        pid = ticker_pid(shell)
        at = len(shell.text)
        shell.type(b"\x1a")
        shell.read_until(rb"Stopped", start=at)
        shell.type(b"bg\n")
        more_ticks(shell)
        shell.type(b"kill -INT %1; wait %1; echo status=$?\n")
        shell.read_until(rb"interrupted\n")
        shell.read_until(rb"status=3\n")
        self.assertIsNone(state_of(pid))
        shell.type(b"exit\n")
        shell.read_to_end()

    def test_background_job_that_reads_from_the_terminal_stops(self):
        self.check_reading_job(self.heapspy())

    def check_reading_job(self, before):
        shell = self.start_shell()
        at = len(shell.text)
        shell.type(f"{shlex.join(before)} head -n1 &\n".encode())
        shell.read_until(rb"ready> $", start=at)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not re.search(rb"Stopped", shell.text[at:]):
            self.assertLess(time.monotonic(), deadline, shell.text[at:])
            at_line = len(shell.text)
            shell.type(b"\n")
            shell.read_until(rb"ready> $", start=at_line)
        at = len(shell.text)
        shell.type(b"fg\n")
        shell.read_until(rb"head -n1\n", start=at)
        shell.type(b"a word\n")
        shell.read_until(rb"a word\n(.*\n)*ready> $", start=at)
        shell.type(b"exit\n")
        shell.read_to_end()


class Death(SystemTest):
    def start_ticker(self, *before):
        """The ticker, under whatever command is given; its output is kept in a file."""
        self.ticks = self.directory / "ticks"
        with open(self.ticks, "wb") as output:
            process = subprocess.Popen([*map(str, before), str(TICKER)], stdout=output,
                                       env=self.environment)
        self.addCleanup(self.end, process)
        found = wait_until(lambda: re.search(r"pid: (\d+)", self.ticks.read_text()), "start", process)
        return process, int(found[1])

    def end(self, process):
        if process.poll() is None:
            process.kill()
            process.wait()

    def assert_runs_on(self, pid):
        before = self.ticks.stat().st_size
        wait_until(lambda: self.ticks.stat().st_size > before + 20, "more ticks")
        state, tracer = state_of(pid)
        self.assertIn(state, "RSD")
        self.assertEqual(tracer, 0)

    def attach(self, pid, *options):
        self.json = self.directory / "attach.json"
        process = subprocess.Popen([HEAPSPY, "trace", "--json", self.json, "-o",
                                    self.directory / "story", *options, "-p", str(pid)],
                                   env=self.environment, stderr=subprocess.PIPE)
        self.addCleanup(process.stderr.close)
        self.addCleanup(self.end, process)
        wait_until(lambda: state_of(pid)[1] == process.pid or process.poll() is not None,
                   "the target is traced")
        before = self.ticks.stat().st_size
        wait_until(lambda: self.ticks.stat().st_size > before + 100, "ticks under heapspy")
        return process

    def test_killed_heapspy_takes_a_target_it_started_with_it(self):
        heapspy, pid = self.start_ticker(HEAPSPY, "trace", "-o", self.directory / "story")
        heapspy.kill()
        heapspy.wait()
        # The orphan is ours now: it must have died by itself, not be stopped for ever.
        found, status = os.waitpid(pid, 0)
        self.assertEqual((found, os.WTERMSIG(status)), (pid, signal.SIGKILL))

    def test_killed_heapspy_leaves_an_attached_target_running(self):
        ticker, pid = self.start_ticker()
        heapspy = self.attach(pid)
        heapspy.kill()
        heapspy.wait()
        self.assert_runs_on(pid)
        ticker.send_signal(signal.SIGINT)
        self.assertEqual(ticker.wait(), 3)

    def test_interrupted_heapspy_detaches_cleanly(self):
        ticker, pid = self.start_ticker()
        heapspy = self.attach(pid)
        heapspy.send_signal(signal.SIGINT)
        self.assertEqual(heapspy.wait(), 0, heapspy.stderr.read())
        self.assert_runs_on(pid)
        objects = read_json(self.json)
        self.assertEqual(objects[-1]["type"], "ledger")
        self.assertEqual(objects[-1]["processes"][0]["end"], "detached")
        notices = [o["text"] for o in objects if o["type"] == "notice"]
        self.assertTrue(any("every system call" in text for text in notices), notices)
        maps = [o for o in objects if o.get("syscall") == "mmap"]
        self.assertTrue(maps)
        self.assertEqual(maps[-1]["cause"], "program")
        ticker.send_signal(signal.SIGINT)
        self.assertEqual(ticker.wait(), 3)

    def test_terminated_heapspy_detaches_cleanly(self):
        ticker, pid = self.start_ticker()
        heapspy = self.attach(pid)
        heapspy.terminate()
        heapspy.wait()
        self.assert_runs_on(pid)
        ticker.send_signal(signal.SIGINT)
        self.assertEqual(ticker.wait(), 3)

    def test_a_duration_ends_the_trace(self):
        ticker, pid = self.start_ticker()
        heapspy = self.attach(pid, "--duration", "2s")
        self.assertEqual(heapspy.wait(), 0, heapspy.stderr.read())
        self.assert_runs_on(pid)
        self.assertEqual(read_json(self.json)[-1]["processes"][0]["end"], "detached")
        ticker.send_signal(signal.SIGINT)
        self.assertEqual(ticker.wait(), 3)

    def test_a_duration_ends_the_trace_of_one_that_makes_no_call(self):
        waiting = subprocess.Popen(["sleep", "1000"], env=self.environment)
        self.addCleanup(self.end, waiting)
        done = subprocess.run([HEAPSPY, "trace", "-q", "--duration", "100ms", "-p",
                               str(waiting.pid)], env=self.environment, capture_output=True,
                              timeout=PATIENCE_SECONDS, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(state_of(waiting.pid)[1], 0)

    def attach_for_no_reader(self, pid, *options):
        """Returns when no more goes into heapspy's pipe, with the reader's end."""
        reader, writer = os.pipe()
        self.addCleanup(os.close, reader)
        # Two pages: with the first one's begin the kernel calls a pipe of one page full, and the
        # header comes before the program is attached to.
        fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 8192)
        heapspy = subprocess.Popen([HEAPSPY, "trace", "-q", "--json", "-", *options, "-p", str(pid)],
                                   env=self.environment, stdout=writer)
        self.addCleanup(self.end, heapspy)
        with os.fdopen(writer) as writer:
            wait_until(lambda: not select.select([], [writer], [], 0)[1], "the pipe is full", heapspy)
        return heapspy, reader

    def test_a_target_goes_on_though_nobody_reads_and_what_is_missing_is_said(self):
        ticker, pid = self.start_ticker()
        heapspy, reader = self.attach_for_no_reader(pid)
        ticks = self.ticks.stat().st_size
        enough = 2_000 * len("tick\n")  # for several MiB of events
        wait_until(lambda: self.ticks.stat().st_size > ticks + enough, "ticks while nobody reads",
                   heapspy)
        with open(reader, closefd=False, encoding="utf-8") as pipe:
            objects = [json.loads(pipe.readline())]
            while not any("left out here" in o.get("text", "") for o in objects):
                objects.append(json.loads(pipe.readline()))
            while objects[-1].get("syscall") != "munmap":
                objects.append(json.loads(pipe.readline()))
            ticker.send_signal(signal.SIGINT)
            objects += [json.loads(line) for line in pipe]
        self.assertEqual((ticker.wait(), heapspy.wait()), (3, 3))
        ledger = objects[-1]
        events = [o for o in objects if "sequence" in o]
        self.assertGreater(ledger["unread_events"], 1000)
        self.assertEqual(len(events) + ledger["unread_events"], ledger["events"])
        said = [int(re.match(r"\d+", o["text"])[0]) for o in objects
                if "left out here" in o.get("text", "")]
        self.assertEqual(sum(said), ledger["unread_events"])

    def check_let_go(self, heapspy, pid, reader):
        wait_until(lambda: state_of(pid)[1] == 0, "the target is let go")
        self.assert_runs_on(pid)
        self.assertIsNone(heapspy.poll())
        with open(reader, closefd=False, encoding="utf-8") as pipe:
            objects = [json.loads(line) for line in pipe]
        self.assertEqual(heapspy.wait(), 0)
        self.assertEqual(objects[-1]["type"], "ledger")
        self.assertEqual(objects[-1]["processes"][0]["end"], "detached")
        numbers = [o["sequence"] for o in objects if "sequence" in o]
        self.assertEqual(numbers, list(range(numbers[0], numbers[0] + len(numbers))))

    def test_an_attached_target_is_let_go_though_nobody_reads(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            ticker, pid = self.start_ticker()
            heapspy, reader = self.attach_for_no_reader(pid)
            heapspy.send_signal(number)
            self.check_let_go(heapspy, pid, reader)
            ticker.send_signal(signal.SIGINT)
            self.assertEqual(ticker.wait(), 3)

    def test_a_duration_ends_the_trace_though_nobody_reads(self):
        ticker, pid = self.start_ticker()
        heapspy, reader = self.attach_for_no_reader(pid, "--duration", "2s")
        self.check_let_go(heapspy, pid, reader)
        ticker.send_signal(signal.SIGINT)
        self.assertEqual(ticker.wait(), 3)

    def test_a_second_signal_ends_heapspy_where_nobody_reads(self):
        _, pid = self.start_ticker()
        heapspy, _ = self.attach_for_no_reader(pid)
        heapspy.send_signal(signal.SIGTERM)
        wait_until(lambda: state_of(pid)[1] == 0, "the target is let go")
        wait_until(lambda: not catches(heapspy.pid, signal.SIGTERM), "heapspy's handlers are gone")
        heapspy.send_signal(signal.SIGTERM)
        self.assertEqual(heapspy.wait(), -signal.SIGTERM)
        self.assert_runs_on(pid)

    def test_attached_target_that_ends_ends_the_trace(self):
        ticker, pid = self.start_ticker()
        heapspy = self.attach(pid)
        ticker.send_signal(signal.SIGINT)
        self.assertEqual(ticker.wait(), 3)
        heapspy.wait()
        self.assertEqual(read_json(self.json)[-1]["processes"][0]["exit_status"], 3)

    def test_attached_program_of_many_threads_is_left_running(self):
        """Every thread is attached to, and every thread is let go."""
        python = need("python3")
        code = ("import mmap, threading, time, sys\n"
                "def work():\n"
                "    while True:\n"
                "        mmap.mmap(-1, 1 << 20).close(); time.sleep(0.01)\n"
                "for _ in range(20): threading.Thread(target=work, daemon=True).start()\n"
                "print('pid: up', flush=True)\n"
                "sys.stdin.read()\n")
        target = subprocess.Popen([python, "-c", code], stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, env=self.environment)
        self.addCleanup(self.end, target)
        self.addCleanup(target.stdout.close)
        target.stdout.readline()
        story = self.directory / "attach.json"
        heapspy = subprocess.Popen([HEAPSPY, "trace", "--json", story, "-o", os.devnull, "-p",
                                    str(target.pid)], env=self.environment)
        self.addCleanup(self.end, heapspy)
        tasks = pathlib.Path(f"/proc/{target.pid}/task")

        def tracers():
            return {int(re.search(r"TracerPid:\s+(\d+)", (task / "status").read_text())[1])
                    for task in tasks.iterdir()}

        wait_until(lambda: tracers() == {heapspy.pid}, "all threads traced", heapspy)
        wait_until(lambda: story.stat().st_size > 10_000, "events", heapspy)
        heapspy.send_signal(signal.SIGINT)
        self.assertEqual(heapspy.wait(), 0)
        self.assertEqual(tracers(), {0})
        states = {re.search(r"State:\s+(\S)", (task / "status").read_text())[1]
                  for task in tasks.iterdir()}
        self.assertLessEqual(states, set("RSD"))
        target.stdin.close()
        self.assertEqual(target.wait(), 0)
