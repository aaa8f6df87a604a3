"""heapspy record -p: a program is joined, recorded and left, and never comes to harm by it."""
import os
import pathlib
import random
import signal
import socket
import subprocess
import time

from harness import (HEAPSPY, PATIENCE_SECONDS, build_target, need, need_root, state_of,
                     wait_until)
from joined import JoinTest
import test_record

KILLS = 20  # at random
# Requests of one recording to ptrace and writes into the target: it has to seize, borrow, load, bind,
# leave.
LEAST_STEPS, MOST_STEPS = 30, 400


class RecordAttach(JoinTest):
    def recorded(self, function):
        sums = test_record.Record.by_function(self.report(), [function])[function]
        return sums[:2]

    def check_counts(self, target, seconds=0.5):
        heapspy = self.join(target)
        counted = target.count(seconds)
        self.leave(heapspy)
        self.check_free(target)
        report = self.report()
        self.assertEqual(report["totals"]["dropped_events"], 0)
        self.assertEqual(report["losses"]["lost_blocks"], 0)
        self.assertEqual(report["process"]["ending"], "detached")
        self.assertEqual(self.recorded("counted_block"), counted)
        return report

    def test_it_counts_what_the_program_counts(self):
        target = self.running("loop")
        report = self.check_counts(target)
        # The blocks that it had before are freed one by one.
        self.assertGreater(report["losses"]["frees_not_seen"], 0)

    def test_threads_are_recorded(self):
        target = self.running("threads")
        report = self.check_counts(target, 1)
        self.assertEqual(len(report["threads"]), 8)

    def test_threads_that_wait_for_each_other_are_recorded(self):
        target = self.running("turns")
        for _ in range(5):
            self.check_counts(target, 0.2)

    def test_programs_that_are_linked_in_other_ways_are_recorded(self):
        for program in ("joined_lazy", "joined_stripped"):
            with self.subTest(program):
                target = self.running("threads", program=program)
                heapspy = self.join(target)
                blocks, counted_bytes = target.count(0.3)
                self.leave(heapspy)
                self.check_free(target)
                totals = self.report()["totals"]
                self.assertGreaterEqual(totals["allocations"], blocks)
                self.assertGreaterEqual(totals["allocated_bytes"], counted_bytes)

    def test_a_program_that_the_loader_was_started_to_run_is_recorded(self):
        for program in ("joined", "joined_lazy"):
            with self.subTest(program):
                target = self.start(self.loader(), build_target(program), "threads")
                target.line(r"runs: \d+")
                self.check_counts(target, 0.3)

    def test_a_process_is_joined_again(self):
        target = self.running("threads")
        for _ in range(3):
            self.check_counts(target, 0.3)

    def test_threads_that_wait_in_the_allocator_are_left_all_at_once(self):
        # What one of them frees unrecorded goes to another one that is still being recorded.
        environment = dict(self.environment, GLIBC_TUNABLES="glibc.malloc.arena_max=1:"
                                                            "glibc.malloc.tcache_count=0")
        target = self.running("threads", env=environment)
        for _ in range(20):
            self.leave(self.join(target))
            self.check_free(target)
            losses = self.report()["losses"]
            if losses["dropped_events"] == 0:  # as on a machine that lets the recorder run
                self.assertEqual(losses["lost_blocks"], 0)

    def test_it_counts_over_other_allocators(self):
        for library in ("libjemalloc.so.2", "libtcmalloc_minimal.so.4", "libmimalloc.so.2.0",
                        str(pathlib.Path(HEAPSPY).parent / "../api/libminimalloc.so.0")):
            environment = dict(self.environment, LD_PRELOAD=library)
            if b"cannot be preloaded" in self.run_plain("true", env=environment).stderr:
                continue
            with self.subTest(library):
                self.check_counts(self.running("threads", env=environment))

    def test_calls_go_back_where_they_went(self):
        target = self.running("loop")
        self.leave(self.join(target))
        first = self.report()["totals"]["allocations"]
        target.count(0.2)
        self.assertEqual(self.report()["totals"]["allocations"], first)
        maps = pathlib.Path(f"/proc/{target.pid}/maps").read_text()
        self.assertNotRegex(maps, "rwxp", "the memory of the call is still there")

    def join_while_it_waits(self, call):
        """A program that waits, for how many seconds, and heapspy, which came in time: on a busy
        machine that takes the longer, the longer."""
        for seconds in (3, 12, 48, 192):
            target = self.running(call, str(seconds))
            heapspy, line = self.try_to_join(target)
            if "is being recorded" in line:
                return target, seconds, heapspy
            target.line(f"{call}: .*")
            self.assertEqual(target.process.wait(), 0, line)
        raise AssertionError(f"it never came in time: {line}")

    def test_waiting_system_calls_go_on(self):
        timed_out = dict.fromkeys(("futex", "cond", "semaphore"), "Connection timed out")
        timed_out |= dict.fromkeys(("recv", "semtimedop"), "Resource temporarily unavailable")
        for call in ("nanosleep", "poll", "epoll_wait", "connect", *timed_out):
            with self.subTest(call):
                target, asked, heapspy = self.join_while_it_waits(call)
                self.leave(heapspy)
                _, result, error, took = target.line(
                    r"(\w+): (-?\d+) (.+) ([\d.]+)").groups()
                ends = ("-1", timed_out[call]) if call in timed_out else ("0", "ok")
                self.assertEqual((result, error), ends)
                # epoll_wait and those on sockets and semaphores of System V begin anew.
                self.assertGreaterEqual(float(took), asked - 0.1)
                self.assertEqual(target.process.wait(), 0)

    def test_a_program_that_is_mostly_in_vfork_is_recorded(self):
        target = self.running("vforks")
        heapspy = self.join(target)
        for _ in range(3):
            target.line("child: ended")
        self.leave(heapspy)
        self.check_free(target)
        self.assertGreaterEqual(self.recorded("counted_block")[0], 100)
        os.kill(target.pid, signal.SIGUSR2)
        self.assertEqual(target.process.wait(), 0)

    # It would not do so at a moment like this.
    def test_that_a_program_is_recorded_already_is_said_before_it_is_borrowed(self):
        target = self.start(HEAPSPY, "record", "-q", "-o", str(self.directory / "first.heapspy"),
                            build_target("joined"), "vforks", "3600000", stderr=subprocess.DEVNULL)
        pid = int(target.line(r"runs: (\d+)")[1])
        children = pathlib.Path(f"/proc/{pid}/task/{pid}/children")
        [child] = map(int, wait_until(lambda: children.read_text().split(), "it has a child",
                                        target.process))
        try:
            self.assertIn("by another heapspy already", self.refused(pid))
        finally:
            os.kill(pid, signal.SIGUSR2)  # the next round is its last
            os.kill(child, signal.SIGKILL)
        self.assertEqual(target.process.wait(), 0)

    def test_a_program_that_stays_in_vfork_is_refused_and_goes_on(self):
        target = self.running("vforks", "3600000")
        children = pathlib.Path(f"/proc/{target.pid}/task/{target.pid}/children")
        [child] = map(int, wait_until(lambda: children.read_text().split(), "it has a child",
                                        target.process))
        try:
            message = self.refused(target.pid)
            self.assertIn("for 10 seconds", message)
            self.assertIn("vfork", message)
            self.assertFalse(self.file.exists())
            self.check_free(target)
            self.assertEqual(state_of(child)[1], 0)
            for name in ("maps", "environ"):
                self.assertNotIn("heapspy-agent",
                                 pathlib.Path(f"/proc/{target.pid}/{name}").read_text())
        finally:
            os.kill(target.pid, signal.SIGUSR2)  # the next round is its last
            os.kill(child, signal.SIGKILL)
        target.line("child: ended")
        self.assertEqual(target.process.wait(), 0)

    def test_a_read_goes_on(self):
        target = self.running("read")
        self.leave(self.join(target))
        target.process.stdin.write(b"hello")
        target.process.stdin.flush()
        self.assertEqual(target.line("text: (.*)")[1], "hello")
        self.assertEqual(target.line(r"read: (-?\d+) (.+) [\d.]+").groups(), ("5", "ok"))
        self.assertEqual(target.process.wait(), 0)

    def test_an_accept_goes_on(self):
        path = str(self.directory / "socket")
        target = self.start(build_target("joined"), "accept", path)
        target.line(r"listens: \d+")
        self.leave(self.join(target))
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(path)
            self.assertEqual(target.line(r"accept: (-?\d+) (.+) [\d.]+").groups(), ("0", "ok"))

    def test_the_program_may_end_while_it_is_recorded(self):
        target, _, heapspy = self.join_while_it_waits("nanosleep")
        messages = heapspy.communicate(timeout=PATIENCE_SECONDS)[1]
        self.assertEqual(heapspy.returncode, 0, messages)
        self.assertEqual(target.process.wait(), 0)
        self.assertGreater(self.report()["totals"]["allocations"], 0)

    def test_a_duration_ends_it(self):
        target = self.running("loop")
        heapspy = self.join(target, "--duration", "300ms")
        messages = heapspy.communicate(timeout=PATIENCE_SECONDS)[1]
        self.assertEqual(heapspy.returncode, 0, messages)
        self.check_free(target)
        self.assertEqual(self.report()["process"]["ending"], "detached")

    def test_a_library_that_comes_later_is_recorded(self):
        target = self.running("load", build_target("libjoined_library.so"))
        heapspy = self.join(target)
        os.kill(target.pid, signal.SIGUSR1)
        target.line(r"loaded: \d+")
        wait_until(lambda: self.file_is_begun() and self.recorded("library_block")[0] > 10,
                   "its blocks are in the file", heapspy)
        self.leave(heapspy)
        self.check_free(target)
        blocks, allocated = self.recorded("library_block")
        self.assertGreater(blocks, 10)
        self.assertEqual(allocated, 100 * blocks)

    def test_python_is_recorded(self):
        python = need("/usr/bin/python3", "python3")
        script = ("import sys, time\n"
                  "print('runs: 1', flush=True)\n"
                  "for line in sys.stdin:\n"
                  "    print('sum:', len([str(i) * 9 for i in range(int(line))]), flush=True)\n")
        target = self.start(python, "-c", script,
                            env=dict(self.environment, PYTHONMALLOC="malloc"))
        target.line("runs: 1")
        heapspy = self.join(target)
        target.process.stdin.write(b"20000\n")
        target.process.stdin.flush()
        self.assertEqual(target.line(r"sum: (\d+)")[1], "20000")
        self.leave(heapspy)
        target.process.stdin.write(b"300\n")
        target.process.stdin.flush()
        self.assertEqual(target.line(r"sum: (\d+)")[1], "300")
        self.assertGreater(self.report()["totals"]["allocations"], 20000)

    def test_redis_is_recorded(self):
        server = need("redis-server")
        path = self.directory / "redis.sock"
        target = self.start(server, "--port", "0", "--unixsocket", path, "--save", "",
                            "--dir", self.directory)
        with socket.socket(socket.AF_UNIX) as client:
            wait_until(lambda: client.connect_ex(str(path)) == 0, "redis listens",
                       target.process)

            def ask(command, answer):
                client.sendall(command + b"\r\n")
                self.assertEqual(client.recv(4096), answer)

            ask(b"set a 1", b"+OK\r\n")
            heapspy = self.join(target)
            for i in range(200):
                ask(b"append a %0100d" % i, b":%d\r\n" % (1 + 100 * (i + 1)))
            self.leave(heapspy)
            ask(b"strlen a", b":20001\r\n")
        self.check_free(target)
        self.assertGreater(self.report()["totals"]["allocations"], 0)

    def test_another_user_is_recorded(self):
        need_root()
        home = self.open_directory()
        target = self.start(*self.as_nobody(), self.copy_to(home, build_target("joined")), "loop")
        target.line(r"runs: \d+")
        agent = self.copy_to(home, pathlib.Path(HEAPSPY).parent / "../agent/libheapspy-agent.so")
        heapspy = self.join(target, "--agent", str(agent))
        counted = target.count(0.3)
        self.leave(heapspy)
        self.assertEqual(self.recorded("counted_block"), counted)

    def test_killed_at_each_step_it_leaves_the_program_well(self):
        environment = dict(self.environment, LD_PRELOAD=str(build_target("libdies_at.so")))
        for words in (["loop"], ["poll", "3600"]):
            target = self.running(*words)
            for step in range(1, MOST_STEPS):
                done = subprocess.run([HEAPSPY, "record", "-q", "-o", str(self.file), "--duration",
                                       "50ms", "-p", str(target.pid)], capture_output=True,
                                      env=dict(environment, DIES_AT=str(step)), check=False,
                                      timeout=PATIENCE_SECONDS)
                self.check_free(target)
                if done.returncode != -signal.SIGKILL:
                    break
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertGreater(step, LEAST_STEPS)
            if words == ["loop"]:
                self.check_counts(target)

    def test_killed_at_each_step_it_leaves_well_a_program_that_seldom_runs(self):
        """It is still in the code that it was sent through when the next heapspy comes."""
        processor = min(os.sched_getaffinity(0))

        def run_seldom():
            os.sched_setaffinity(0, {processor})
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))

        target = self.running("loop", preexec_fn=run_seldom)
        busy = self.start(need("python3"), "-c", "while True: pass",
                          preexec_fn=lambda: os.sched_setaffinity(0, {processor}))
        environment = dict(self.environment, LD_PRELOAD=str(build_target("libdies_at.so")))
        for step in range(1, MOST_STEPS):
            done = subprocess.run([HEAPSPY, "record", "-q", "-o", str(self.file), "--duration",
                                   "1ms", "-p", str(target.pid)], capture_output=True,
                                  env=dict(environment, DIES_AT=str(step)), check=False,
                                  timeout=PATIENCE_SECONDS)
            if done.returncode != -signal.SIGKILL:
                break
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertGreater(step, LEAST_STEPS)
        busy.end()
        self.check_free(target)
        self.assertGreater(target.count(0.2)[0], 0)

    def test_a_signal_at_any_step_ends_the_wait_that_it_came_in(self):
        environment = dict(self.environment, LD_PRELOAD=str(build_target("libdies_at.so")))
        for call in ("pause", "poll", "nanosleep", "epoll_wait"):
            target = self.running("pauses", call)
            environment["SIGNALED"] = str(target.pid)
            wakes = 0
            for step in range(1, MOST_STEPS, 6):
                wait_until(lambda target=target: state_of(target.pid)[0] == "S", "it waits",
                           target.process)
                done = subprocess.run([HEAPSPY, "record", "-q", "-o", str(self.file), "--duration",
                                       "1ms", "-p", str(target.pid)], capture_output=True,
                                      text=True, env=dict(environment, SIGNALS_AT=str(step)),
                                      check=False, timeout=PATIENCE_SECONDS)
                self.assertEqual(done.returncode, 0, done.stderr)
                self.check_free(target)
                if "signals" not in done.stderr:
                    break
                wakes += 1
                target.line(f"woken: {wakes}")
            self.assertGreater(step, LEAST_STEPS)

    def test_killed_at_any_moment_it_leaves_the_program_well(self):
        target = self.running("threads")
        longest = 0.6
        for _ in range(KILLS):
            heapspy = subprocess.Popen([HEAPSPY, "record", "-q", "-o", str(self.file), "-p",
                                        str(target.pid)], env=self.environment)
            time.sleep(random.uniform(0, longest))
            heapspy.kill()
            heapspy.wait()
            self.check_free(target)
        self.assertGreater(target.count(0.2)[0], 0)
        self.check_counts(target)

    def test_what_cannot_be_joined_is_said(self):
        self.assertIn("no process has the id", self.refused(2**22 - 1))
        static = self.start(build_target("joined_static"), "loop")
        static.line(r"runs: \d+")
        message = self.refused(static.pid)
        self.assertIn("statically linked", message)
        for other in ("trace -p", "inspect"):
            self.assertIn(f"'heapspy {other} {static.pid}'", message)
        self.check_free(static)
        stopped = self.running("loop")
        os.kill(stopped.pid, signal.SIGSTOP)
        wait_until(lambda: state_of(stopped.pid)[0] == "T", "it is stopped", stopped.process)
        self.assertIn("kill -CONT", self.refused(stopped.pid))
        # The kernel wakes it for a moment when it is let go.
        wait_until(lambda: state_of(stopped.pid) == ("T", 0), "it is stopped as before",
                   stopped.process)
        os.kill(stopped.pid, signal.SIGCONT)
        self.check_free(stopped)
        self.join(stopped)
        self.file = self.directory / "second.heapspy"
        self.assertIn("already", self.refused(stopped.pid))

    def test_a_sandbox_that_answers_by_a_signal_keeps_the_agent_out(self):
        target = self.running("waits", program="sandboxed")
        for _ in range(3):
            self.assertIn("cannot load heapspy's agent", self.refused(target.pid))
            self.check_free(target)

    def test_another_user_s_process_is_refused(self):
        target = self.running("loop")
        home = self.open_directory()
        done = subprocess.run([*self.as_nobody(), HEAPSPY, "record", "-o", home / "x", "-p",
                               str(target.pid)], capture_output=True, text=True, check=False)
        if "Permission denied" in done.stderr and "exec" in done.stderr:
            self.skipTest("the build is in a folder that only its owner may enter")
        self.assertEqual(done.returncode, 126)
        self.assertIn("belongs to user 0", done.stderr)
