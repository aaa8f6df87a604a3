"""heapspy record --leaks: which of the blocks that were never freed are lost, whatever keeps the
others, and however the program ends; and heapspy report's checks of that."""
import collections
import os
import signal
import subprocess

from harness import HEAPSPY, PATIENCE_SECONDS, build_target, need
from recording import RecordTest

NODE = 96
REACHABLE = {"in_global": 1000, "in_tls": 1100, "by_inner_pointer": 1200, "through_block": 1300,
             "in_thread_stack": 1400, "in_thread_register": 1500, "in_thread_tls": 1600,
             "in_thread_result": 1700, "large_kept": 3 << 20}
LOST = {"lost_head": (10 * NODE, 0), "lost_behind": (20 * NODE, 20 * NODE),
        "lost_ring": (2 * NODE, NODE), "large_lost": (2 << 20, 0), "lost_in_freed": (700, 0),
        "lost_in_ended_thread": (710, 0)}


class Leaks(RecordTest):
    def record(self, *command, options=("--leaks",), **run):
        return super().record(*command, options=options, **run)

    def run_report(self, *options):
        return subprocess.run([HEAPSPY, "report", *options, str(self.file)], capture_output=True,
                              text=True, check=False, timeout=PATIENCE_SECONDS)

    @staticmethod
    def by_function(report, names):
        sums = collections.defaultdict(lambda: [0, 0, 0])
        for leak in report["leaks"]:
            functions = [frame["function"] for frame in leak["frames"]]
            name = next((function for function in functions if function in names), None)
            for i, key in enumerate(("reachable_bytes", "unreachable_bytes",
                                     "unreachable_indirectly_bytes")):
                sums[name][i] += leak[key]
        return sums

    def check_leaks(self, how):
        done = self.record(build_target("leaks"), how)
        self.assertEqual(done.returncode, 4, done.stderr)
        report = self.report()
        self.assertEqual(report["leak_scan"]["state"], "done")
        self.assertEqual(report["leak_scan"]["unreadable_bytes"], 0)
        self.assertEqual(report["losses"]["dropped_events"], 0)
        found = self.by_function(report, [*REACHABLE, *LOST])
        for name, bytes_ in REACHABLE.items():
            self.assertEqual(found[name], [bytes_, 0, 0], name)
        for name, (lost, indirectly) in LOST.items():
            self.assertEqual(found[name], [0, lost, indirectly], name)
        totals = report["totals"]
        self.assertEqual(totals["reachable_bytes"] + totals["unreachable_bytes"],
                         totals["live_at_exit_bytes"])
        return report

    def test_what_is_lost_is_told_from_what_is_kept(self):
        report = self.check_leaks("return")
        # The largest comes first; what is kept, last, however large.
        self.assertEqual(report["leaks"][0]["unreachable_bytes"], 2 << 20)
        self.assertEqual(report["leaks"][-1]["unreachable_bytes"], 0)
        self.assertEqual(report["findings"][0]["kind"], "lost")
        text = self.run_report("--width", "80").stdout
        self.assertIn("of that, lost", text)
        self.assertIn("of that, kept", text)

    def test_it_is_known_however_the_program_ends(self):
        for how in ("_exit", "quick", "thread", "main ends"):
            with self.subTest(how):
                report = self.check_leaks(how)
                self.assertGreater(report["totals"]["peak_rss_bytes"], 2 << 20)

    def test_terabytes_that_were_never_written_are_not_read(self):
        done = self.record(build_target("leaks"), "reserved")
        if done.returncode == 5:
            self.skipTest("so much cannot be reserved here")
        self.assertEqual(done.returncode, 4, done.stderr)
        report = self.report()
        if report["leak_scan"]["unreadable_bytes"] != 0:
            self.skipTest("this kernel does not say where memory is")  # before Linux 6.7
        self.assertEqual(self.by_function(report, ["in_reserved"])["in_reserved"], [900, 0, 0])
        self.assertLess(report["leak_scan"]["scanned_bytes"], 1 << 30)

    def test_only_what_is_lost_fails_a_check(self):
        self.record(build_target("leaks"), "return")
        lost = sum(total for total, _ in LOST.values())
        self.assertEqual(self.run_report(f"--fail-on-leak={lost}").returncode, 0)
        self.assertEqual(self.run_report(f"--fail-on-leak={lost - 1}").returncode, 3)
        self.assertEqual(self.run_report("--fail-on-leak", "--focus", "in_global").returncode, 0)
        known = self.directory / "known.supp"
        known.write_text("# all of them\nleak:^lost_\nleak:large_lost\nleak:nowhere\n")
        done = self.run_report("--fail-on-leak", "--suppressions", str(known))
        self.assertEqual(done.returncode, 0)
        self.assertIn("'nowhere' (line 4)", done.stdout)

    def test_a_killed_program_is_not_searched_and_that_is_said(self):
        done = self.record(build_target("leaks"), "kill")
        self.assertEqual(done.returncode, 128 + signal.SIGKILL)
        report = self.report()
        self.assertEqual(report["leak_scan"]["state"], "missing")
        self.assertIsNone(report["totals"]["unreachable_bytes"])
        self.assertIn("ended before it could be searched", self.run_report("--width", "80").stdout)

    def test_who_says_that_it_is_another_process_is_not_believed(self):
        victim = subprocess.Popen(["sleep", str(PATIENCE_SECONDS)])
        self.addCleanup(victim.wait)
        self.addCleanup(victim.kill)
        for number in (str(victim.pid), "parent"):
            done = self.record(build_target("impostor"), number)
            self.assertEqual((done.returncode, done.stdout), (0, "let go\n"), done.stderr)
            [told] = self.directory.glob("out.*.heapspy")
            self.assertEqual(self.report(told)["leak_scan"]["state"], "missing")
            told.unlink()
        self.assertIsNone(victim.poll())

    def test_a_child_that_is_killed_while_it_is_searched_is_given_to_its_parent(self):
        done = self.record(build_target("killed_in_search"))
        self.assertEqual((done.returncode, done.stdout), (0, "ended by 9\n"), done.stderr)
        (self.file,) = self.directory.glob("out.*.heapspy")
        report = self.report()
        if report["leak_scan"]["state"] == "done":
            self.skipTest("it was searched before it was killed")
        self.assertEqual(report["leak_scan"]["state"], "missing")

    def test_without_the_option_nothing_is_searched(self):
        self.record(build_target("leaks"), "return", options=())
        report = self.report()
        self.assertEqual(report["leak_scan"]["state"], "not-asked")
        self.assertIsNone(report["totals"]["reachable_bytes"])

    def test_programs_are_the_same_with_it(self):
        python = need("/usr/bin/python3", "python3")
        script = ("import os, threading\n"
                  "for _ in range(3): threading.Thread(target=lambda: None).start()\n"
                  "child = os.fork()\n"
                  "if child == 0: os._exit(7)\n"
                  "print(os.waitpid(child, 0)[1] >> 8, flush=True)\n"
                  "raise SystemExit(5)\n")
        done = self.record(python, "-c", script,
                           env=dict(self.environment, PYTHONMALLOC="malloc"))
        self.assertEqual((done.returncode, done.stdout), (5, "7\n"), done.stderr)
        self.assertEqual(self.report()["leak_scan"]["state"], "done")
        done = self.record("sh", "-c", "(exit 3); echo $?; ls / >/dev/null; exec sh -c 'exit 6'")
        self.assertEqual((done.returncode, done.stdout), (6, "3\n"), done.stderr)
        self.assertFalse(os.path.exists(self.directory / "core"))
