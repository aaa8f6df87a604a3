"""heapspy record -p: what a joined program starts, and what it becomes, is recorded too; and nothing
of that is left when heapspy has gone."""
import os
import pathlib
import shlex
import subprocess

from harness import HEAPSPY, PATIENCE_SECONDS, build_target, need, wait_until
from joined import JoinTest

# One word a line; each starts /bin/echo, which says that word.
STARTS = """
import os, subprocess, sys
print('runs: 1', flush=True)
def start(word):
    echo = ['/bin/echo', 'by', word]
    if word == 'subprocess': subprocess.run(echo, check=True)
    if word == 'cleared': subprocess.run(echo, env={}, check=True)
    if word == 'shell': subprocess.run("/bin/echo by shell", shell=True, check=True)
    if word == 'system': os.system('''a="it's "; /bin/echo by "system"; test "$a" = "it's "''')
    if word == 'posix_spawn': os.waitpid(os.posix_spawn(echo[0], echo, {'A': '1'}), 0)
    if word == 'fork':
        child = os.fork()
        if child == 0: os.execv(echo[0], echo)
        os.waitpid(child, 0)
    if word == 'copy':
        child = os.fork()
        if child == 0:
            kept = [str(i) * 5 for i in range(3000)]
            os._exit(0)
        os.waitpid(child, 0)
        print('by copy', flush=True)
for line in sys.stdin: start(line.strip())
"""
WAYS = ["subprocess", "cleared", "shell", "system", "posix_spawn", "fork"]

# Becomes itself anew for each line, with an environment of its own making if it is told so.
BECOMES = """
import os, sys
print('runs:', int(sys.argv[1]), sorted(os.environ), flush=True)
blocks = [str(i) * 20 for i in range(5000)]
line = os.read(0, 100).decode().strip()
words = [sys.executable, '-S', '-c', sys.argv[2], str(int(sys.argv[1]) + 1), sys.argv[2]]
if line == 'keep': os.execv(sys.executable, words)
if line == 'clear': os.execve(sys.executable, words, {'PYTHONMALLOC': 'malloc'})
if line: os.execv(line, [line, 'nanosleep', '0.1'])
"""


class RecordFollow(JoinTest):
    def python(self, script, *words, **popen):
        return self.start(need("/usr/bin/python3", "python3"), "-S", "-c", script, *words, **popen)

    def say(self, target, line):
        target.process.stdin.write(line.encode() + b"\n")
        target.process.stdin.flush()

    def commands(self):
        return [self.report(file)["process"]["command"]
                for file in self.directory.glob("out.*.heapspy")]

    def check_no_trace(self, text):
        self.assertNotIn("HEAPSPY_CHANNEL", text)
        self.assertNotIn("libheapspy-agent", text)

    def check_free_of_it(self, pid):
        for name in ("environ", "maps"):
            self.check_no_trace(pathlib.Path(f"/proc/{pid}/{name}").read_text())

    def test_what_a_program_starts_is_recorded_in_each_way_there_is(self):
        target = self.python(STARTS)
        target.line("runs: 1")
        heapspy = self.join(target)
        for way in WAYS:
            self.say(target, way)
            target.line(f"by {way}")
        self.leave(heapspy)
        commands = self.commands()
        for way in WAYS:
            self.assertIn(["/bin/echo", "by", way], commands)
        self.check_free(target)
        self.check_no_trace(pathlib.Path(f"/proc/{target.pid}/environ").read_text())

    def test_what_a_program_forks_is_recorded(self):
        target = self.python(STARTS, env=dict(self.environment, PYTHONMALLOC="malloc"))
        target.line("runs: 1")
        heapspy = self.join(target)
        self.say(target, "copy")
        target.line("by copy")
        self.leave(heapspy)
        [child] = self.directory.glob("out.*.heapspy")
        self.assertGreater(self.report(child)["totals"]["allocations"], 3000)

    def test_what_outlives_all_that_is_recorded_is_waited_for(self):
        # A copy of the shell, which tells of nothing itself, starts the second when all have ended.
        script = "(/bin/sleep 0.03; exec /bin/echo late) & exit 0"
        for _ in range(10):
            done = self.record("sh", "-c", script, options=["--sample", "1M"])
            self.assertEqual(done.returncode, 0, done.stderr)
            os.waitpid(-1, 0)  # the orphan became ours
            self.assertIn(["/bin/echo", "late"], self.commands())
            for file in self.directory.glob("out.*.heapspy"):
                file.unlink()

    def test_what_is_started_with_an_environment_of_its_own_is_recorded(self):
        target = self.running("wait", program="cleared")
        heapspy = self.join(target)
        self.say(target, "go")
        self.assertEqual(target.line(r"\d+")[0], "14")
        self.leave(heapspy)
        commands = self.commands()
        self.assertEqual(commands.count(["true"]), 14, commands)

    def test_what_a_shell_starts_is_recorded(self):
        for shell in ("dash", "bash"):
            with self.subTest(shell):
                target = self.start(need(shell), "-s")
                self.say(target, "echo runs: $$")
                target.line(r"runs: \d+")
                heapspy = self.join(target)
                self.say(target, "/bin/echo one | /bin/cat; echo is: $(/bin/echo two); "
                                 "env -i /bin/echo three; nohup sh -c '/bin/echo four' 2>&1")
                for line in ("one", "is: two", "three", "four"):
                    target.line(line)
                self.say(target, "echo $LD_PRELOAD $HEAPSPY_CHANNEL; echo end")
                target.line("")
                self.leave(heapspy)
                commands = self.commands()
                for words in (["/bin/echo", "one"], ["/bin/cat"], ["/bin/echo", "two"],
                              ["/bin/echo", "three"], ["/bin/echo", "four"]):
                    self.assertIn(words, commands)
                self.say(target, "cat /proc/self/maps /proc/self/environ; echo; echo ends: $$")
                target.line("end")
                self.check_no_trace(target.text_until(r"ends: \d+"))

    def test_a_server_that_becomes_itself_anew_goes_on_being_recorded(self):
        target = self.python(BECOMES, "1", BECOMES, stderr=subprocess.STDOUT,
                             env=dict(self.environment, PYTHONMALLOC="malloc"))
        target.line("runs: 1 .*")
        heapspy = self.join(target)
        for line, number in (("keep", 2), ("clear", 3)):
            self.say(target, line)
            target.line(f"runs: {number} .*")
        self.leave(heapspy)
        self.assertEqual(self.report()["process"]["ending"], "exec")
        endings = []
        for number in (2, 3):
            report = self.report(self.directory / f"out.{target.pid}.{number}.heapspy")
            endings.append(report["process"]["ending"])
            self.assertGreater(report["totals"]["allocations"], 5000)
            self.assertEqual(report["losses"]["lost_blocks"], 0)
        self.assertEqual(endings, ["exec", "detached"])
        # With nobody to tell, what it becomes from now on is free of it.
        self.say(target, "keep")
        target.line("runs: 4 .*")
        self.check_free_of_it(target.pid)

    def test_after_heapspy_was_killed_what_it_becomes_is_free_of_it(self):
        target = self.python(BECOMES, "1", BECOMES, stderr=subprocess.STDOUT)
        target.line("runs: 1 .*")
        heapspy = self.join(target)
        self.say(target, "keep")
        self.assertIn("HEAPSPY_CHANNEL", target.line("runs: 2 (.*)")[1])
        heapspy.kill()
        heapspy.wait()
        self.say(target, "keep")
        target.line("runs: 3 .*")
        self.check_free_of_it(target.pid)

    def test_it_ends_where_the_program_becomes_one_that_cannot_be_recorded(self):
        target = self.python(BECOMES, "1", BECOMES)
        target.line("runs: 1 .*")
        heapspy = self.join(target)
        self.say(target, str(build_target("joined_static")))
        self.assertEqual(target.process.wait(PATIENCE_SECONDS), 0)
        messages = heapspy.communicate(timeout=PATIENCE_SECONDS)[1]
        self.assertEqual(heapspy.returncode, 0, messages)

    def test_what_becomes_a_loader_and_its_program_goes_on_being_recorded(self):
        target = self.start(need("dash"), "-s")
        self.say(target, "echo runs: $$")
        target.line(r"runs: \d+")
        heapspy = self.join(target)
        self.say(target, shlex.join(["exec", self.loader(), str(build_target("joined")), "loop"]))
        target.line(r"runs: \d+")
        counted = target.count(0.3)
        self.leave(heapspy)
        report = self.report(self.directory / f"out.{target.pid}.2.heapspy")
        self.assertEqual(report["process"]["ending"], "detached")
        self.assertGreaterEqual(report["totals"]["allocations"], counted[0])

    def test_another_recorder_s_program_stays_its_own(self):
        target = self.start(need("dash"), "-s")
        self.say(target, "echo runs: $$")
        target.line(r"runs: \d+")
        heapspy = self.join(target)
        inner = self.directory / "inner.heapspy"
        self.say(target, shlex.join([HEAPSPY, "record", "-q", "-o", str(inner), "/bin/echo", "inner"]))
        target.line("inner")
        wait_until(inner.exists, "it is recorded", target.process)
        self.say(target, "echo end")
        target.line("end")
        self.leave(heapspy)
        self.assertNotIn(["/bin/echo", "inner"], self.commands())
        self.assertEqual(self.report(inner)["process"]["command"], ["/bin/echo", "inner"])
