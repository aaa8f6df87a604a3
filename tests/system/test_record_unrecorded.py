"""heapspy record: a program that can have no agent runs on as without heapspy, and it is said that it
is in no recording: at the end, and in the recordings of all that it came from."""
import os
import re
import shlex
import shutil
import signal

from harness import build_target, need, state_of, wait_until
from joined import JoinTest

# Starts a program in each way that it is told; its words follow.
STARTS = """
import os, subprocess, sys
ways, program = sys.argv[1].split(','), sys.argv[2]
words = [program]
folder, name = os.path.split(program)
def child(become):
    pid = os.fork()
    if pid == 0:
        try: become()
        finally: os._exit(99)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    print(way, status, flush=True)
for way in ways:
    if way == 'subprocess': print(way, subprocess.run(words).returncode, flush=True)
    if way == 'cleared': print(way, subprocess.run(words, env={}).returncode, flush=True)
    if way == 'spawn':
        pid = os.posix_spawn(program, words, {})
        print(way, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
    if way == 'spawnp':
        os.environ['PATH'] = '/none::' + folder
        pid = os.posix_spawnp(name, words, os.environ)
        print(way, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
    if way == 'execv': child(lambda: os.execv(program, words))
    if way == 'fexecve': child(lambda: os.execve(os.open(program, os.O_RDONLY), words, {}))
    if way == 'fails': child(lambda: os.execv(program, words + ['x' * 200000]))
"""
WAYS = ["subprocess", "cleared", "spawn", "spawnp", "execv", "fexecve"]


class RecordUnrecorded(JoinTest):
    def setUp(self):
        super().setUp()
        self.program = build_target("annotated_static").resolve()
        self.word = shlex.quote(str(self.program))
        self.status = self.run_plain(self.program).returncode

    def start_in(self, ways, program=None):
        return [need("/usr/bin/python3", "python3"), "-S", "-c", STARTS, ",".join(ways),
                program or self.program]

    def unrecorded(self, file=None):
        return [(one["path"], one["reason"], one["count"])
                for one in self.report(file)["unrecorded_programs"]]

    def check_said(self, messages, text):
        lines = [line for line in messages.splitlines() if "not recorded" in line]
        self.assertEqual(lines, [f"heapspy: not recorded: {text}"], messages)

    def test_it_is_said_in_whatever_way_it_was_started(self):
        done = self.record(*self.start_in(WAYS))
        self.assertEqual(done.returncode, 0, done.stderr)
        for way in WAYS:
            self.assertIn(f"{way} {self.status}\n", done.stdout)
        self.assertEqual(self.unrecorded(), [(str(self.program), "static", len(WAYS))])
        self.check_said(done.stderr, f"{self.program}, {len(WAYS)} times: it is statically linked")
        text = "".join(self.report_text().split())  # however its lines are broken
        self.assertIn(f"notrecorded{self.program},{len(WAYS)}times:itisstaticallylinked", text)

    def test_one_of_another_c_library_is_not_ended_by_its_loader(self):
        program = build_target("allocates_musl").resolve()
        status = self.run_plain(program).returncode
        done = self.record(*self.start_in(WAYS, program))
        self.assertEqual([f"{way} {status}" for way in WAYS],
                         [line for line in done.stdout.splitlines() if line.split()[0] in WAYS])
        self.assertEqual(self.unrecorded(), [(str(program), "other-libc", len(WAYS))])
        self.check_said(done.stderr, f"{program}, {len(WAYS)} times: it uses another C library (musl)")
        self.assertNotIn("Error", done.stderr)

    def test_one_that_did_not_start_is_not_spoken_of(self):
        done = self.record(*self.start_in(["fails", "execv"]))
        self.assertIn("fails 99\n", done.stdout)
        self.assertEqual(self.unrecorded(), [(str(self.program), "static", 1)])
        done = self.record(*self.start_in(["fails", "subprocess"], "/bin/true"))
        self.assertEqual(self.unrecorded(), [])
        self.assertNotIn("not recorded", done.stderr)

    def test_all_that_it_came_from_say_it(self):
        inner = f"{self.word}; {self.word}; true"
        done = self.record("sh", "-c", f"sh -c {shlex.quote(inner)}; true")
        self.check_said(done.stderr, f"{self.program}, 2 times: it is statically linked")
        saying = [file for file in [self.file, *self.others()] if self.unrecorded(file)]
        self.assertIn(self.file, saying)
        for file in saying:
            [(path, reason, count)] = self.unrecorded(file)
            self.assertEqual((path, reason), (str(self.program), "static"))
            self.assertIn(count, (1, 2))
        self.assertEqual(self.unrecorded(), [(str(self.program), "static", 2)])

    def test_what_a_program_becomes_is_said_in_its_own(self):
        done = self.record("sh", "-c", f"exec {self.word}")
        self.assertEqual(done.returncode, self.status)
        self.check_said(done.stderr, f"{self.program}: it is statically linked")
        self.assertEqual(self.unrecorded(), [(str(self.program), "static", 1)])

    def test_what_became_such_a_program_is_not_waited_for(self):
        static, said = build_target("joined_static").resolve(), self.directory / "said"
        self.record(need("bash"), "-c", '(x=$(echo a); y="$x$x"; exec "$0" loop >"$1" 2>&1) & exit 0',
                    static, said)
        pid = int(wait_until(lambda: re.search(r"runs: (\d+)\n", said.read_text()), "it runs")[1])
        self.addCleanup(self.end_orphan, pid)
        self.assertNotEqual(state_of(pid)[0], "Z")
        [copy] = [file for file in self.others() if file.name == f"out.{pid}.heapspy"]
        report = self.report(copy)
        self.assertEqual(report["process"]["ending"], "exec")
        self.assertEqual(self.unrecorded(copy), [(str(static), "static", 1)])

    @staticmethod
    def end_orphan(pid):
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)

    def test_a_script_is_what_its_interpreter_is(self):
        script = self.directory / "script"
        script.write_text(f"#!{self.program}\n")
        script.chmod(0o755)
        done = self.record("sh", "-c", f"{shlex.quote(str(script))}; true")
        self.check_said(done.stderr, f"{script}: it is statically linked")

    def test_quiet_says_it_too(self):
        done = self.record("sh", "-c", f"{self.word}; true", options=["-q"])
        self.assertEqual(done.stderr,
                         f"heapspy: not recorded: {self.program}: it is statically linked\n")

    def test_of_many_the_most_frequent_are_named(self):
        folder = self.directory / "many"
        folder.mkdir()
        # A link to another user's file, or to one of another file system, may not be made.
        first = shutil.copy(self.program, folder / "p0")
        for i in range(1, 300):
            os.link(first, folder / f"p{i}")
        done = self.record("sh", "-c", 'for p in "$0"/*; do "$p"; done; "$0/p1"', folder)
        lines = [line for line in done.stderr.splitlines() if "not recorded" in line]
        self.assertEqual(len(lines), 13)
        self.assertIn(f"{folder}/p1, 2 times", "\n".join(lines))
        programs = self.unrecorded()
        self.assertEqual(sum(count for _, _, count in programs), 301)
        self.assertEqual(len(programs), 257)
        self.assertEqual([one[:2] for one in programs if one[0] is None], [(None, "unknown")])

    def test_a_joined_program_s_are_told(self):
        target = self.start(need("dash"), "-s")
        target.process.stdin.write(b"echo runs: $$\n")
        target.process.stdin.flush()
        target.line(r"runs: \d+")
        heapspy = self.join(target)
        target.process.stdin.write(f"{self.program}; echo then: $?\n".encode())
        target.process.stdin.flush()
        target.line(f"then: {self.status}")
        self.check_said(self.leave(heapspy), f"{self.program}: it is statically linked")
        self.assertEqual(self.unrecorded(), [(str(self.program), "static", 1)])
        self.check_free(target)

    def test_a_malloc_in_the_program_s_own_file_is_said(self):
        program = build_target("own_malloc").resolve()
        done = self.record(program)
        self.assertEqual(done.stdout, "3 blocks of its own\n")
        self.check_said(done.stderr,
                        f"{program}: it has a malloc of its own, whose blocks heapspy does not see")
        self.assertEqual(self.unrecorded(), [(str(program), "own-malloc", 1)])
        self.assertEqual(self.report()["totals"]["allocations"], 0)
