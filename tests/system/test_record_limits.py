"""heapspy record where something is missing: descriptors, rights, room, time; and the program is as it
is without it."""
import fcntl
import os
import pathlib
import platform
import resource
import shlex
import signal
import subprocess

from harness import (HEAPSPY, PATIENCE_SECONDS, build_target, need, need_root, unread_bytes,
                     wait_until)
from recording import RecordTest

# A daemon as they are made, without any descriptor; it says on a file what it has done.
DAEMON = """
import os, sys
def leave():
    if os.fork(): os._exit(0)
os.closerange(0, 4096)
leave()
os.setsid()
leave()
os.closerange(0, 4096)
blocks = [str(i) * 9 for i in range(20000)]
with open(sys.argv[1], 'w') as out: out.write(str(len(blocks)))
"""

JAILED = """
import os, sys
os.chroot(sys.argv[1])
os.chdir('/')
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
print(len([str(i) * 9 for i in range(20000)]))
"""

# What may be called from here on: as little as a thread needs that computes.
SANDBOXED = """
import ctypes, struct
kLoad, kEqual, kReturn, kAllow, kKill = 0x20, 0x15, 0x06, 0x7fff0000, 0x80000000
allowed = [0, 1, 3, 5, 9, 10, 11, 12, 13, 14, 15, 16, 25, 28, 60, 72, 202, 228, 231, 262]
program = [(kLoad, 0, 0, 0)]
program += [(kEqual, len(allowed) - i, 0, number) for i, number in enumerate(allowed)]
program += [(kReturn, 0, 0, kKill), (kReturn, 0, 0, kAllow)]
code = b''.join(struct.pack('HBBI', *one) for one in program)
held = ctypes.create_string_buffer(code, len(code))
head = ctypes.create_string_buffer(struct.pack('HxxxxxxQ', len(program), ctypes.addressof(held)), 16)
libc = ctypes.CDLL(None)
print(libc.prctl(38, 1, 0, 0, 0), libc.prctl(22, 2, head), flush=True)
print(len([str(i) * 9 for i in range(200000)]), flush=True)
"""

# madvise(MADV_WIPEONFORK) fails from here on, also in the thread that begins then.
SANDBOXED_THREAD = """
import ctypes, struct, threading
kLoad, kEqual, kReturn, kAllow, kFail = 0x20, 0x15, 0x06, 0x7fff0000, 0x50001
kNumber, kThird, kMadvise, kWipeOnFork = 0, 32, 28, 18
program = [(kLoad, 0, 0, kNumber), (kEqual, 0, 3, kMadvise), (kLoad, 0, 0, kThird),
           (kEqual, 0, 1, kWipeOnFork), (kReturn, 0, 0, kFail), (kReturn, 0, 0, kAllow)]
code = b''.join(struct.pack('HBBI', *one) for one in program)
held = ctypes.create_string_buffer(code, len(code))
head = ctypes.create_string_buffer(struct.pack('HxxxxxxQ', len(program), ctypes.addressof(held)), 16)
libc = ctypes.CDLL(None)
libc.prctl(38, 1, 0, 0, 0)
libc.prctl(22, 2, head)
thread = threading.Thread(target=lambda: [str(i) * 999 for i in range(1000)])
thread.start()
thread.join()
print('done')
"""

# A copy of the program goes into the sandbox, which allows its number and its thread's too.
SANDBOXED_COPY = SANDBOXED.replace("allowed = [", "allowed = [39, 186, ").split("print(libc")[0] + """
import os
child = os.fork()
if child == 0:
    libc.prctl(38, 1, 0, 0, 0)
    libc.prctl(22, 2, head)
    kept = [str(i) * 9 for i in range(200000)]
    os._exit(7)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""

MANY = "print(len([str(i) * 20 for i in range(200000)]))"


def quoted(target):
    return shlex.quote(str(build_target(target)))


class RecordLimits(RecordTest):
    def setUp(self):
        super().setUp()
        self.environment["PYTHONMALLOC"] = "malloc"
        self.python = need("/usr/bin/python3", "python3")

    def test_a_daemon_that_closes_all_descriptors_is_recorded(self):
        told = self.directory / "told"
        done = self.record(self.python, "-S", "-c", DAEMON, told)
        self.assertEqual(done.returncode, 0, done.stderr)
        # heapspy waits for all that it records.
        self.assertEqual(told.read_text(), "20000")
        reports = [self.report(file) for file in self.others()]
        self.assertEqual(len(reports), 2)
        self.assertGreater(max(one["totals"]["allocations"] for one in reports), 20000)
        for report in reports:
            self.check_whole(report)
        os.waitpid(-1, 0)
        os.waitpid(-1, 0)

    def test_a_pipe_that_nobody_reads_does_not_keep_heapspy_from_ending(self):
        pipe = self.directory / "pipe"
        os.mkfifo(pipe)
        endless = "import os\nprint('ready', flush=True)\nwhile True: [os.urandom(i) for i in range(99)]"
        for has_reader in (False, True):
            reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK) if has_reader else None
            if has_reader:
                fcntl.fcntl(reader, fcntl.F_SETPIPE_SZ, 4096)  # less than any recording has
            heapspy = subprocess.Popen(
                [HEAPSPY, "record", "-o", pipe, "--", self.python, "-S", "-c", endless],
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=self.environment)
            self.assertEqual(heapspy.stdout.readline(), b"ready\n")
            if has_reader:
                wait_until(lambda: unread_bytes(reader) != 0, "the recording has begun",
                           heapspy)
            heapspy.terminate()
            _, errors = heapspy.communicate(timeout=PATIENCE_SECONDS)
            self.assertEqual(heapspy.returncode, 128 + signal.SIGTERM, errors)
            self.assertIn(b"takes nothing" if has_reader else b"nobody reads it", errors)
            if has_reader:
                os.close(reader)

    def test_without_processes_to_see(self):
        need_root()
        unshare = [need("unshare"), "-m", "sh", "-c"]
        done = self.run_plain(*unshare, 'umount -l /proc && exec "$@"', "sh", HEAPSPY, "record",
                              "-o", self.file, "true")
        self.assertEqual(done.returncode, 126, done)
        self.assertIn(b"/proc is not mounted", done.stderr)
        copy = self.copy_to(self.open_directory(), HEAPSPY)
        done = self.run_plain(*unshare, 'mount -t proc -o hidepid=2 proc /proc && exec "$@"', "sh",
                              *self.as_nobody(), copy, "inspect", os.getpid())
        if b"mount" in done.stderr.split(b"heapspy")[0]:
            self.skipTest("a container that mounts no /proc")
        self.assertIn(b"is hidden from you", done.stderr)

    def test_heapspys_own_memory_runs_out_and_the_program_goes_on(self):
        many = ("import os, resource; resource.setrlimit(resource.RLIMIT_AS, (-1, -1)); "
                "kept = [bytes(i % 99 + 99) for i in range(1500000)]; "
                "print('all', flush=True); os._exit(9)")
        done = self.run_plain(need("bash"), "-c", 'ulimit -S -v 190000; exec "$@"', "bash", HEAPSPY,
                              "record", "--leaks", "-o", self.file, "--", self.python, "-c", many)
        self.assertEqual((done.returncode, done.stdout), (9, b"all\n"), done)
        self.assertIn(b"memory is exhausted", done.stderr)

    def test_a_program_that_gives_up_its_rights_is_recorded(self):
        need_root()
        report = self.check_same(self.python, "-S", "-c", JAILED, self.directory)
        self.assertGreater(report["totals"]["allocations"], 20000)

    def test_a_program_in_a_sandbox_of_its_own_goes_on(self):
        report = self.check_same(self.python, "-c", SANDBOXED)
        self.assertGreater(report["totals"]["allocations"], 200000)

    def test_a_program_whose_first_sample_is_in_a_sandbox_goes_on(self):
        report = self.check_same(build_target("sandboxed"), "killed", options=["--sample", "1M"])
        self.assertGreater(report["totals"]["recorded_allocations"], 0)

    def test_a_copy_in_a_sandbox_goes_on(self):
        for options in ([], ["--sample", "1M"]):  # with the latter it tells of itself later
            self.check_same(self.python, "-c", SANDBOXED_COPY, options=options)

    def test_of_a_crowd_of_recordings_the_rest_is_counted(self):
        for children, rest in ((12, "1 recording"), (13, "2 recordings")):
            program = "i=0; while [ $i -lt %d ]; do /bin/true; i=$((i+1)); done" % children
            done = self.record("sh", "-c", program)
            self.assertIn(f"heapspy: and {rest} of other processes beside them\n", done.stderr)

    def test_there_may_be_more_processes_than_at_once(self):
        done = self.record("sh", "-c", "i=0; while [ $i -lt 4200 ]; do /bin/true; i=$((i+1)); done",
                           options=["-q"])
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertGreaterEqual(len(self.others()), 4200)

    def test_a_child_of_a_fork_in_a_signal_handler_goes_on_where_the_signal_came(self):
        ways = ("fork", "_Fork", "SYS_fork", "SYS_clone", "SYS_clone3")
        for options, some in (([], ways), (["--sample", "4K"], ways[:2])):
            for way in some:
                with self.subTest(options=options, way=way):
                    self.check_same(build_target("fork_in_handler"), "300", way, options=options)
                    children = self.others()
                    if not options:
                        self.assertGreaterEqual(len(children), 300)
                        for file in children[:20]:
                            found = self.by_function(self.report(file), ["in_child"])
                            self.assertEqual(found["in_child"], [100, 77700, 0])
                    for file in children:
                        file.unlink()

    def test_a_signal_handler_may_leave_the_agent_for_good(self):
        if platform.machine() != "x86_64":
            self.skipTest("instructions are gone through by the trap flag of x86-64")
        for way in ("leaves", "returns"):
            with self.subTest(way):
                done = self.record(build_target("leaves_handler"), way)
                expected = self.told(done.stdout)
                report = self.report()
                self.assertGreater(expected["after"][0], 20)
                self.assertEqual(self.by_function(report, expected)["after"], expected["after"])
                self.assertEqual(report["losses"]["lost_blocks"], 0)
                self.assertGreater(report["totals"]["dropped_events"], 20)
                self.assertIn("or a signal came while it told of one", done.stderr)

    def test_threads_may_end_without_a_word(self):
        for way in ("freed late", "raw"):
            with self.subTest(way):
                report = self.check_same(build_target("ends_threads"), "4000", way)
                found = self.by_function(report, ["in_thread"])["in_thread"]
                self.assertGreaterEqual(found[0], 4000)
                self.assertEqual(found[2], 0)  # what the C library frees is seen

    def test_a_thread_that_may_not_read_the_clock_goes_on(self):
        if platform.machine() != "x86_64":
            self.skipTest("only x86-64 has such a counter")
        program = build_target("forbids")
        for way, status, again in (("strict", 4, 0), ("for good", 5, 0), ("back", 6, 10)):
            for options in ([], ["--sample", "4K"]):
                with self.subTest(way, options=options):
                    done = self.record(program, way, options=options)
                    self.assertEqual((done.returncode, done.stdout), (status, ""), done.stderr)
                    self.assertIn("1 of its threads went on unrecorded", done.stderr)
                    report = self.report()
                    self.assertEqual(report["totals"]["dropped_events"], 1)
                    if not options:
                        found = self.by_function(report, ["before", "after", "again"])
                        self.assertEqual([found[name][0] for name in ("before", "after", "again")],
                                         [10, 0, again])

    def test_too_many_threads_are_said(self):
        done = self.record(build_target("threads"), "1500")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertGreater(self.report()["totals"]["dropped_events"], 0)
        self.assertIn("events were dropped: more than 1,024 threads", done.stderr)

    def test_a_thread_that_may_not_have_a_ring_is_said(self):
        done = self.record(self.python, "-S", "-c", SANDBOXED_THREAD)
        self.assertEqual((done.returncode, done.stdout), (0, "done\n"), done.stderr)
        dropped = self.report()["totals"]["dropped_events"]
        self.assertGreater(dropped, 0)
        said = "1 event was" if dropped == 1 else f"{dropped:,} events were"
        self.assertIn(f"{said} dropped: more than 1,024 threads", done.stderr)
        self.assertIn("could get no memory to tell of them by", done.stderr)

    def test_a_faster_program_need_not_wait(self):
        done = self.record(self.python, "-S", "-c", MANY, options=["--on-overflow=drop"])
        self.assertEqual((done.returncode, done.stdout), (0, "200000\n"))
        totals = self.report()["totals"]
        self.assertEqual("were dropped" in done.stderr, totals["dropped_events"] != 0, done.stderr)
        self.assertGreater(totals["allocations"] + totals["dropped_events"], 200000)

    def write_to_a_small_disk(self):
        """From now on the recording is on a disk that a large one fills."""
        need_root()
        disk = self.directory / "disk"
        disk.mkdir()
        if self.run_plain("mount", "-t", "tmpfs", "-o", "size=96k", "tmpfs", disk).returncode != 0:
            self.skipTest("nothing can be mounted here")
        self.addCleanup(subprocess.run, ["umount", disk], check=True)
        self.file = disk / "out.heapspy"

    def test_a_full_disk_is_said_and_what_is_written_can_be_reported(self):
        self.write_to_a_small_disk()
        done = self.record(self.python, "-S", "-c", MANY)
        self.assertEqual((done.returncode, done.stdout), (1, "200000\n"), done.stderr)
        self.assertIn("No space left on device", done.stderr)
        self.assertGreater(self.report()["totals"]["allocations"], 1000)

    def test_on_a_full_disk_no_empty_recordings_are_left(self):
        self.write_to_a_small_disk()
        script = f"{MANY}; import os; [os.system('/bin/true; /bin/true') for _ in range(3)]"
        done = self.record(self.python, "-S", "-c", script)
        self.assertEqual((done.returncode, done.stdout), (1, "200000\n"), done.stderr)
        self.assertRegex(done.stderr, r"and \d+ others: the recording cannot be written")
        self.assertEqual([path for path in self.file.parent.iterdir() if path.stat().st_size == 0],
                         [])

    def test_a_full_disk_is_said_when_it_is_full(self):
        self.write_to_a_small_disk()
        script = MANY + "; import sys; sys.stdout.flush(); sys.stdin.read(); " + MANY
        heapspy = subprocess.Popen([HEAPSPY, "record", "-o", self.file, "--", self.python, "-S",
                                    "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True, env=self.environment)
        said = heapspy.stderr.readline()
        self.assertRegex(said, "out.heapspy: .* No space left on device.*goes on unrecorded")
        self.assertIsNone(heapspy.poll())
        output, rest = heapspy.communicate(timeout=PATIENCE_SECONDS)
        self.assertEqual((heapspy.returncode, output), (1, "200000\n200000\n"), rest)
        self.assertNotIn("No space", rest)
        self.assertIn(f"heapspy report {shlex.quote(str(self.file))}", rest)
        totals = self.report()["totals"]
        self.assertGreater(totals["allocations"], 1000)
        events = totals["allocations"] + totals["frees"]
        self.assertRegex(rest, rf"out\.heapspy: process \d+ python3, {events:,} events, \d+")

    def test_errors_are_said_once_and_name_files(self):
        self.file = self.directory / ("n" * 254)  # a child's has some letters more
        done = self.record("sh", "-c", "for i in 1 2 3; do /bin/true; done")
        self.assertEqual(done.returncode, 1)
        said = [line for line in done.stderr.splitlines() if "File name too long" in line]
        self.assertEqual(len(said), 1, done.stderr)
        self.assertRegex(said[0], r"/n+\.\d+.* and [1-9]\d* others: the recording cannot be begun")
        self.assertNotIn("can be reported", said[0])
        two = self.record("sh", "-c", "/bin/true; /bin/true; true")
        self.assertRegex(two.stderr, r"/n+\.\d+.* and 1 other: the recording cannot be begun")
        self.assertIn(f"heapspy report {shlex.quote(str(self.file))}", done.stderr)

    def limited(self, what, limit):
        return self.record("true", preexec_fn=lambda: resource.setrlimit(what, (limit, limit)))

    def test_limits_that_are_too_low_are_said(self):
        done = self.limited(resource.RLIMIT_FSIZE, 1 << 20)
        self.assertEqual(done.returncode, 126)
        self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
        self.assertIn("ulimit -f unlimited", done.stderr)
        done = self.limited(resource.RLIMIT_AS, 100 << 20)
        self.assertEqual(done.returncode, 0)
        self.assertIn("ulimit -v", done.stderr)

    def test_programs_without_room_for_the_agent_are_counted(self):
        becomes = "env /none 2>/dev/null; (exec env env true); :"
        for script in ("for i in 1 2 3; do (ulimit -v 100000; exec /bin/true); done; /bin/true",
                       f"(ulimit -v 100000; exec sh -c '{becomes}'); :"):
            for options in ([], ["--sample", "512K"]):
                done = self.record("sh", "-c", script, options=["-q", *options])
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertRegex(done.stderr,
                                 r"^heapspy: not recorded: 3 processes, .*\(ulimit -v\)\n$")
                self.check_whole(self.report())

    def test_a_program_that_has_few_descriptors_is_recorded(self):
        report = self.check_same("sh", "-c", f"ulimit -n 4; exec {quoted('recorded')}")
        self.assertEqual(report["process"]["ending"], "exec")
        self.assertGreater(max(self.report(file)["totals"]["allocations"]
                               for file in self.others()), 5000)

    def test_a_thread_with_a_small_stack_starts_programs_with_large_environments(self):
        self.check_same(build_target("small_stack"))
        self.assertEqual(len(self.others()), 3)

    def test_what_else_is_preloaded_stays_so(self):
        own = str(build_target("libdies_at.so"))
        done = self.record("sh", "-c", "echo $LD_PRELOAD; env -i sh -c 'echo $LD_PRELOAD'",
                           env=dict(self.environment, LD_PRELOAD=own))
        first, second = done.stdout.splitlines()
        self.assertTrue(first.endswith(f"libheapspy-agent.so:{own}"), first)
        self.assertTrue(second.endswith("libheapspy-agent.so"), second)

    def test_heapspy_is_recorded_by_heapspy(self):
        inner = self.directory / "inner.heapspy"
        done = self.record(HEAPSPY, "record", "-q", "-o", inner, build_target("recorded"))
        self.assertEqual(done.returncode, 42, done.stderr)
        report = self.report()
        self.check_whole(report)
        self.assertEqual(pathlib.Path(report["process"]["executable"]).name, "heapspy")
        sums = self.by_function(self.report(inner), ["temporary"])
        self.assertEqual(sums["temporary"], [1000, 100000, 0])

    def test_more_processes_at_once_than_descriptors_are_recorded(self):
        script = "ulimit -n; for i in $(seq 40); do sleep 0.5 & done; wait"
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        if hard != resource.RLIM_INFINITY and hard < 512:
            self.skipTest(f"heapspy needs some 300 descriptors for it, and may have {hard}")
        done = self.record("sh", "-c", script, preexec_fn=lambda: resource.setrlimit(
            resource.RLIMIT_NOFILE, (64, hard)))
        self.assertEqual((done.returncode, done.stdout), (0, "64\n"))
        self.assertNotIn("Too many open files", done.stderr)
        self.assertGreaterEqual(len(self.others()), 40)
        for file in self.others():
            self.check_whole(self.report(file))

    def test_a_small_stack_is_the_programs_alone(self):
        for hard in (resource.getrlimit(resource.RLIMIT_STACK)[1], 128 << 10):
            limits = (128 << 10, hard)
            done = self.record("sh", "-c", f"ulimit -s; exec {quoted('recorded')}",
                               preexec_fn=lambda limits=limits: resource.setrlimit(
                                   resource.RLIMIT_STACK, limits))
            self.assertEqual((done.returncode, done.stdout.split("\n")[0]), (42, "128"),
                             done.stderr)
            for file in self.others():
                self.check_whole(self.report(file))

    def test_a_small_stack_of_heapspys_own_keeps_no_signal_from_it(self):
        limits = (128 << 10, 128 << 10)
        with subprocess.Popen([HEAPSPY, "record", "-q", "-o", self.file, "sh", "-c",
                               "trap 'exit 7' USR1; echo ready; while :; do sleep 0.01; done"],
                              stdout=subprocess.PIPE, env=self.environment,
                              preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_STACK,
                                                                    limits)) as heapspy:
            self.assertEqual(heapspy.stdout.readline(), b"ready\n")
            heapspy.send_signal(signal.SIGUSR1)
            self.assertEqual(heapspy.wait(), 7)

    def test_a_sandbox_that_answers_by_a_signal_is_asked(self):
        done = self.record(build_target("sandboxed"), "thread")
        self.assertEqual((done.returncode, done.stdout), (0, "done\n"), done.stderr)
        self.assertGreater(self.report()["totals"]["dropped_events"], 0)
