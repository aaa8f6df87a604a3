"""heapspy record of a program that runs as another user than its caller (set-user-ID): it is recorded
or refused in one line, and is what it is without heapspy."""
import os
import pathlib
import subprocess
import unittest

from harness import HEAPSPY, NOBODY, PATIENCE_SECONDS, build_target, need, need_root
from joined import JoinTest
from recording import RecordTest

CALLER = NOBODY - 1

# A daemon: begins as root, drops its rights, then copies itself and starts a program for each line.
DROPS = """
import os, subprocess, sys
os.setgroups([])
os.setresgid(USER, USER, USER)
os.setresuid(USER, USER, USER)
print('runs:', os.getpid(), flush=True)
def copy():
    child = os.fork()
    if child == 0:
        kept = [str(i) * 5 for i in range(3000)]
        os._exit(0)
    print('copied:', os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
for line in sys.stdin:
    if line == 'copy\\n': copy()
    elif line == 'counts\\n': print('counted:', len([str(i) * 9 for i in range(5000)]), flush=True)
    else: subprocess.run(line.split(), check=True)
"""


# A copy of the program in a namespace of processes of its own, where there is no /proc to say so.
WITHOUT_PROC = """
import ctypes, os
libc = ctypes.CDLL(None)
NEW_PROCESSES_AND_MOUNTS, PRIVATE_ALL, DETACHED = 0x20020000, 0x44000, 2
if libc.unshare(NEW_PROCESSES_AND_MOUNTS) != 0: print('refused'); os._exit(0)
libc.mount(b'none', b'/', None, PRIVATE_ALL, None)
libc.umount2(b'/proc', DETACHED)
child = os.fork()
if child == 0:
    kept = [str(i) * 99 for i in range(3000)]
    print(os.getpid(), flush=True)
    os._exit(0)
os.waitpid(child, 0)
"""


class RecordRights(JoinTest):
    def setUp(self):
        super().setUp()
        need_root()
        self.home = self.open_directory()
        if os.statvfs(self.home).f_flag & os.ST_NOSUID:
            raise unittest.SkipTest("programs of this folder's file system get no rights")
        self.file = self.home / "out.heapspy"
        self.heapspy = self.copy_to(self.home, HEAPSPY)
        agent = pathlib.Path(HEAPSPY).parent / "../agent/libheapspy-agent.so"
        self.agent = self.copy_to(self.home, agent)
        self.caller = [need("setpriv", "util-linux"), f"--reuid={CALLER}", f"--regid={CALLER}",
                       "--clear-groups"]

    def set_user_id(self, name):
        copy = self.copy_to(self.home, build_target(name))
        os.chown(copy, NOBODY, -1)
        copy.chmod(0o4755)
        return copy

    def record_as(self, caller, *arguments, **run):
        run.setdefault("env", self.environment)
        return subprocess.run([*caller, self.heapspy, "record", "--agent", self.agent, "-o",
                               self.file, *map(str, arguments)], capture_output=True, text=True,
                              timeout=PATIENCE_SECONDS, check=False, **run)

    def check_refused(self, done, *words):
        self.assertEqual((done.returncode, done.stdout), (126, ""))
        self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
        for word in words:
            self.assertIn(word, done.stderr)
        self.assertFalse(self.file.exists())

    def test_it_is_refused_before_it_runs(self):
        program = self.set_user_id("recorded")
        for caller in (self.caller, []):
            self.check_refused(self.record_as(caller, "--", program), str(program), "set-user-ID",
                               "'heapspy trace' works")

    def test_what_another_program_starts_is_as_without(self):
        program = self.set_user_id("recorded")
        line = ["sh", "-c", f"{program}; echo $?"]
        plain = self.run_plain(*self.caller, *line)
        done = self.record_as(self.caller, "--", *line)
        self.assertEqual((done.returncode, done.stdout), (plain.returncode, plain.stdout.decode()))
        self.assertIn("temporary: 1000 100000 0", done.stdout)
        report = self.report()
        self.check_whole(report)
        self.assertEqual(report["unrecorded_programs"],
                         [{"path": str(program), "reason": "more-rights", "count": 1}])
        self.assertIn(f"not recorded: {program}: it runs with more rights", done.stderr)

    def test_it_is_joined_by_those_who_may(self):
        target = self.start(*self.caller, self.set_user_id("joined"), "loop")
        target.line(r"runs: \d+")
        done = self.record_as(self.caller, "-p", target.pid)
        self.check_refused(done, f"belongs to user {NOBODY}", "sudo")
        self.check_free(target)
        heapspy = self.join(target, "--agent", str(self.agent))
        counted = target.count(0.3)
        self.leave(heapspy)
        self.check_free(target)
        found = RecordTest.by_function(self.report(), ["counted_block"])["counted_block"]
        self.assertEqual(found[:2], counted)

    def daemon(self):
        python = need("/usr/bin/python3", "python3")
        return [python, "-S", "-c", DROPS.replace("USER", str(NOBODY))]

    def commands(self):
        return [self.report(file)["process"]["command"] for file in self.home.glob("out*.heapspy")]

    def check_children(self):
        copies = [self.report(file) for file in self.home.glob("out.*.heapspy")]
        self.assertTrue(any(report["totals"]["allocations"] > 3000 for report in copies))
        self.assertIn(["/bin/echo", "by", "nobody"], self.commands())

    def test_what_drops_its_rights_is_followed(self):
        done = self.record_as([], "--", *self.daemon(), input="copy\n/bin/echo by nobody\ncopy\n",
                              env=dict(self.environment, PYTHONMALLOC="malloc"))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("copied: 0\nby nobody\ncopied: 0\n", done.stdout)
        self.check_children()
        self.assertEqual(self.report()["unrecorded_programs"], [])

    def test_what_dropped_its_rights_is_joined(self):
        target = self.start(*self.daemon(), env=dict(self.environment, PYTHONMALLOC="malloc"))
        target.line(r"runs: \d+")
        heapspy = self.join(target, "--agent", str(self.agent))
        for line, answer in ((b"counts\n", "counted: 5000"), (b"copy\n", "copied: 0"),
                             (b"/bin/echo by nobody\n", "by nobody")):
            target.process.stdin.write(line)
            target.process.stdin.flush()
            target.line(answer)
        self.leave(heapspy)
        self.check_free(target)
        self.assertGreater(self.report()["totals"]["allocations"], 5000)
        self.check_children()

    def test_what_has_fewer_capabilities_is_joined(self):
        setpriv = [need("setpriv", "util-linux"), "--bounding-set", "-sys_ptrace,-kill"]
        target = self.start(*setpriv, build_target("joined"), "loop")
        target.line(r"runs: \d+")
        heapspy = self.join(target)
        counted = target.count(0.3)
        self.leave(heapspy)
        self.check_free(target)
        self.assertEqual(self.by_function(self.report(), ["counted_block"])["counted_block"][:2],
                         counted)

    def test_what_becomes_another_user_s_is_recorded(self):
        setpriv = [need("setpriv", "util-linux"), f"--reuid={NOBODY}", f"--regid={NOBODY}",
                   "--clear-groups"]
        su = [need("su", "util-linux"), "-s", "/bin/sh", "-c", "/bin/echo by nobody; true", "nobody"]
        for command in ([*setpriv, "/bin/echo", "by", "nobody"], su):
            with self.subTest(command[0]):
                done = self.record_as([], "--", *command)
                self.assertEqual((done.returncode, done.stdout), (0, "by nobody\n"), done.stderr)
                self.assertIn(["/bin/echo", "by", "nobody"], self.commands())
                for file in self.home.glob("out*.heapspy"):
                    file.unlink()

    def test_what_protects_itself_is_not_joined_or_searched_and_that_is_said(self):
        os.chown(self.home, CALLER, -1)
        python = [need("/usr/bin/python3", "python3"), "-S", "-c"]
        hides = "import ctypes; ctypes.CDLL(None).prctl(4, 0); print('runs: 0', flush=True); "
        target = self.start(*self.caller, *python, hides + "input()")
        target.line(r"runs: \d+")
        done = self.record_as(self.caller, "-p", target.pid)
        self.check_refused(done, "cannot join", "PR_SET_DUMPABLE")
        done = self.record_as(self.caller, "--leaks", "--", *python, hides,
                              env=dict(self.environment, PYTHONMALLOC="malloc"))
        self.assertEqual(done.returncode, 0, done.stderr)
        report = self.report()
        self.assertEqual(report["leak_scan"]["state"], "refused")
        self.assertGreater(report["totals"]["allocations"], 1000)
        self.assertIn("may not be looked at", self.report_text())

    # User numbers mean something else there: nothing leads back to the recorder.
    def test_what_goes_into_a_namespace_of_users_is_said_to_be_unrecorded(self):
        unshare = need("unshare", "util-linux")
        os.chown(self.home, CALLER, -1)
        for caller, options in ((self.caller, ["--user"]), (self.caller, ["--user", "-r"]),
                                (self.caller, ["-c"]), ([], ["--user"]), ([], ["--user", "-r"])):
            command = [unshare, *options, "/bin/echo", "there"]
            if subprocess.run([*caller, *command], capture_output=True,
                              check=False).returncode != 0:
                raise unittest.SkipTest("no namespaces of users can be made here")
            with self.subTest(caller=caller, options=options):
                done = self.record_as(caller, "--", *command)
                self.assertEqual((done.returncode, done.stdout), (0, "there\n"), done.stderr)
                self.assertEqual(self.report()["unrecorded_programs"],
                                 [{"path": "/bin/echo", "reason": "out-of-reach", "count": 1}])
                self.file.unlink()

    # Its number is 1 there, which here is another process that does not end.
    def test_what_counts_processes_anew_is_recorded(self):
        unshare = [need("unshare", "util-linux"), "--pid", "--fork"]
        if subprocess.run([*unshare, "/bin/true"], capture_output=True, check=False).returncode != 0:
            raise unittest.SkipTest("no namespaces can be made here")
        done = self.record_as([], "--", *unshare, "/bin/sh", "-c", "/bin/echo $$; /bin/echo again")
        self.assertEqual((done.returncode, done.stdout), (0, "1\nagain\n"), done.stderr)
        processes = {report["process"]["command"][-1]: report["process"]
                     for report in map(self.report, self.home.glob("out*.heapspy"))}
        self.assertLessEqual({"1", "again", "/bin/echo $$; /bin/echo again"}, set(processes))
        self.assertNotIn(1, [process["pid"] for process in processes.values()])

    def test_what_counts_processes_anew_and_has_no_proc_is_recorded(self):
        python = need("/usr/bin/python3", "python3")
        for options in ([], ["--sample", "64K"]):  # the latter is behind by a tenth of a second
            done = self.record_as([], *options, "--", python, "-S", "-c", WITHOUT_PROC)
            if done.stdout == "refused\n":
                raise unittest.SkipTest("no namespaces can be made here")
            self.assertEqual((done.returncode, done.stdout), (0, "1\n"), done.stderr)
            if not options:
                [child] = self.home.glob("out.*.heapspy")
                report = self.report(child)
                self.assertNotEqual(report["process"]["pid"], 1)
                self.assertGreater(report["totals"]["peak_rss_bytes"], 1 << 20)

    def test_what_the_agent_is_out_of_reach_for_is_told(self):
        locked = self.home / "locked"
        locked.mkdir()
        locked.chmod(0o700)
        self.agent = self.copy_to(locked, self.agent)
        done = self.record_as([], "--", *self.daemon(), input="/bin/echo by nobody\n")
        self.assertIn("by nobody\n", done.stdout)
        self.assertNotIn("ld.so", done.stderr)
        self.assertIn("not recorded: /bin/echo: it runs as another user", done.stderr)
        self.assertEqual(self.report()["unrecorded_programs"],
                         [{"path": "/bin/echo", "reason": "out-of-reach", "count": 1}])


if __name__ == "__main__":
    unittest.main()
