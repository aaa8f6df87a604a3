"""A traced program does what it does untraced: output, status, and all it sees of itself."""
import collections
import os
import re
import shlex
import signal
import subprocess

from harness import HEAPSPY, LAB, NOBODY, TARGETS, SystemTest, need, own_frame, read_json
from programs import ADDRESSES, OPTIONS, PROGRAMS, without_random_addresses


def without_serials(output):
    """Numbers that the kernel gives out one after the other are not the same in two runs."""
    return re.sub(r"shmid=0x[0-9a-f]+", "shmid=", output)


class SameBehaviour(SystemTest):
    def same(self, name):
        argv = PROGRAMS[name](self.directory)
        if name in ADDRESSES:
            argv = without_random_addresses(argv)
        plain = self.run_plain(*argv)
        trace = self.trace(*argv, options=OPTIONS.get(name, ()))
        self.assertEqual(without_serials(trace.output), without_serials(plain.stdout.decode()))
        self.assertEqual(trace.messages, plain.stderr.decode(errors="replace"))
        status = plain.returncode if plain.returncode >= 0 else 128 - plain.returncode
        self.assertEqual(trace.status, status)

    def self_view(self, **run):
        plain = self.run_plain(TARGETS / "self_view", "one", "two words", "", **run)
        trace = self.trace(TARGETS / "self_view", "one", "two words", "", **run)
        self.assertEqual(trace.output, plain.stdout.decode(errors="replace"))
        return trace

    def test_what_a_program_sees_of_itself(self):
        self.assertIn("argument 3: ", self.self_view().output)

    def test_inherited_descriptors_signals_and_limits(self):
        """Whatever heapspy does with signals and descriptors for itself is not the target's."""
        extra = os.open("/dev/null", os.O_RDWR)
        self.addCleanup(os.close, extra)

        def arrange():
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1, signal.SIGINT})
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
            os.umask(0o077)
            os.nice(3)

        trace = self.self_view(preexec_fn=arrange, pass_fds=[extra])
        self.assertIn(f"fd {extra}:", trace.output)
        self.assertIn(f"signal {int(signal.SIGUSR1)}: blocked 1", trace.output)
        self.assertIn(f"signal {int(signal.SIGHUP)}: blocked 0, ignored 1", trace.output)

    def test_standard_input_is_the_targets(self):
        done = subprocess.run([HEAPSPY, "trace", "-o", self.directory / "story", "--", "wc", "-c"],
                              input=b"x" * 100_000, capture_output=True, env=self.environment)
        self.assertEqual((done.stdout, done.returncode), (b"100000\n", 0))

    def test_closed_standard_streams_stay_closed(self):
        def close_all():
            for fd in (0, 1, 2):
                os.close(fd)

        view = self.directory / "view"
        argv = ["sh", "-c", f"{shlex.quote(str(TARGETS / 'self_view'))} > {shlex.quote(str(view))}"]
        plain = subprocess.run(argv, preexec_fn=close_all, env=self.environment)
        expected = view.read_text()
        view.unlink()
        done = subprocess.run([HEAPSPY, "trace", "-o", self.directory / "story", "--", *argv],
                              preexec_fn=close_all, env=self.environment)
        self.assertEqual(done.returncode, plain.returncode)
        self.assertEqual(view.read_text(), expected)

    def test_story_goes_to_stderr_and_nothing_of_it_to_stdout(self):
        plain = self.run_plain(LAB / "heap_spy")
        done = self.run_plain(HEAPSPY, "trace", LAB / "heap_spy")
        self.assertEqual(len(done.stdout.splitlines()), len(plain.stdout.splitlines()))
        self.assertIn(b"Library loading", done.stderr)

    def test_without_following_children_run_untraced(self):
        trace = self.trace(TARGETS / "children", "20", options=["--no-follow"])
        self.assertEqual(trace.status, 0)
        self.assertEqual({e["pid"] for e in trace.events}, {trace.events[0]["pid"]})
        self.assertIn("sum of statuses: 190 of 190", trace.output)

    def test_how_children_end_is_known_though_they_are_let_go(self):
        trace = self.trace(TARGETS / "waits_by_pidfd")
        ends = collections.Counter((event["exit_status"], event["signal"])
                                   for event in trace.events if event["type"] == "exit")
        self.assertEqual(ends, {(0, None): 1, (1, None): 60, (137, "SIGKILL"): 60, (3, None): 60,
                                (4, None): 60, (5, None): 60})

    def test_a_thread_that_is_born_as_its_process_ends_is_no_child(self):
        trace = self.trace(TARGETS / "ends_amid_births")
        kinds = collections.Counter(event["type"] for event in trace.events)
        self.assertEqual(kinds["process"], 16)
        self.assertEqual(kinds["exit"], 17)

    def test_what_an_execve_has_ended_that_fails_late(self):
        trace = self.trace(TARGETS / "exec_fails_late")
        ends = [(event["exit_status"], event["signal"]) for event in trace.events
                if event["type"] == "exit"]
        self.assertEqual(ends, [(139, "SIGSEGV")] * 3)

    def test_unprivileged_user_can_trace(self):
        home = self.open_directory()
        heapspy = self.copy_to(home, HEAPSPY)
        done = self.run_plain(*self.as_nobody(), heapspy, "trace", "--json", home / "t.json", "-o",
                              home / "story", "--", self.copy_to(home, LAB / "heap_spy"))
        self.assertEqual(done.returncode, 0, done.stderr)
        events = read_json(home / "t.json")
        self.assertTrue(any(e.get("cause_detail") == "stdio buffer" for e in events))

    def test_setuid_program_loses_its_privilege_and_the_user_is_told(self):
        home = self.open_directory()
        heapspy = self.copy_to(home, HEAPSPY)
        program = self.copy_to(home, need("id"))
        program.chmod(0o4755)
        plain = self.run_plain(*self.as_nobody(), program, "-u")
        if plain.stdout != b"0\n":
            self.skipTest("setuid has no effect on this file system (nosuid)")
        for command in ([program, "-u"], ["sh", "-c", f"{program} -u; :"]):
            done = self.run_plain(*self.as_nobody(), heapspy, "trace", "-o", home / "story",
                                  "--json", home / "t.json", "--", *command)
            self.assertEqual((done.stdout, done.returncode), (b"%d\n" % NOBODY, 0), done.stderr)
            notices = [o["text"] for o in read_json(home / "t.json") if o["type"] == "notice"]
            self.assertEqual(len(notices), 1, notices)
            self.assertRegex(notices[0], f"{program} is setuid")

    def test_program_that_hides_itself(self):
        """What cannot be read is unknown, and nothing that was known is thrown away for it."""
        home = self.open_directory()
        heapspy = self.copy_to(home, HEAPSPY)
        program = self.copy_to(home, TARGETS / "undumpable")
        done = self.run_plain(*self.as_nobody(), heapspy, "trace", "-o", home / "story",
                              "--json", home / "t.json", "--", program)
        self.assertEqual((done.stdout, done.returncode), (b"child: 7\n", 7), done.stderr)
        *events, ledger = read_json(home / "t.json")
        hidden = [e for e in events if e.get("cause_detail") == "stack cut short"]
        self.assertTrue(hidden)
        for event in hidden:
            self.assertGreater(event["mapped_bytes"], 1 << 20)
        self.assertEqual([p["exit_status"] for p in ledger["processes"]], [None, 7, 7])
        self.assertEqual([e["args"]["argv"] for e in events if e["type"] == "exec"],
                         [f'["{program}"]', "[?]"])
        self.assertNotIn("stack cut short · stack cut short", (home / "story").read_text())

    def test_program_whose_file_is_malformed(self):
        """The kernel and the loader do without sections; heapspy counts what it cannot look up."""
        program = self.copy_to(self.directory, LAB / "heap_spy")
        with open(program, "r+b") as file:
            file.seek(40)  # e_shoff of an ELF header
            file.write(b"\xff" * 7)
        trace = self.trace(program)
        self.assertEqual(trace.status, 0)
        self.assertIn("break after", trace.output)
        self.assertEqual(trace.ledger["unreadable_modules"], 1)
        self.assertIn("could not be looked up", trace.story)
        self.assertEqual(self.trace(LAB / "heap_spy").ledger["unreadable_modules"], 0)

    def test_program_whose_path_has_every_kind_of_byte(self):
        directory = self.directory / os.fsdecode(b"a\nb \xff\x1b[31m\xe2\x82\xac")
        directory.mkdir()
        trace = self.trace(self.copy_to(directory, LAB / "heap_spy"))
        growth, = (e for e in trace.calls("brk") if e["cause"] == "malloc")
        self.assertEqual(own_frame(growth)["function"], "main")
        self.assertTrue(own_frame(growth)["file"].endswith("heap_spy.c"), growth)
        self.assertNotIn("\x1b", trace.story)


for program in PROGRAMS:
    def case(self, name=program):
        self.same(name)
    setattr(SameBehaviour, f"test_{program}", case)
