"""heapspy inspect stops a process only while it copies its heap: what it says is of that moment, and
where it may not stop it for long, it says what it read afterwards."""
import json
import os
import signal
import subprocess

from harness import HEAPSPY, SystemTest, Terminal, build_target, need, state_of, wait_until
from test_inspect import Target, inspect, inspect_json

HEAP_MIB = 64
LARGE_MIB = 300  # from 256 MiB of resident memory on, a terminal is told how far it is


def peak_kib(*words):
    """The memory that an inspection takes at most."""
    child = subprocess.Popen([HEAPSPY, "inspect", "--json", *map(str, words)],
                             stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        raise AssertionError(f"exit status {child.returncode}")
    return usage.ru_maxrss


class Pause(SystemTest):
    def test_a_heap_that_changes_all_the_time_is_read_as_of_one_moment(self):
        with Target("8", program="churns") as target:
            for _ in range(10):
                report = inspect_json(target.pid)
                self.assertEqual(report["damages"], [])
                self.assertEqual(report["inconsistencies"], 0)
                self.assertGreater(report["heap_bytes_to_read"], 8 << 20)
                self.assertEqual(report["heap_bytes_in_pause"], report["heap_bytes_to_read"])
                self.assertGreaterEqual(report["heap"]["live_blocks"], target.facts["live number"])
                self.assertEqual(sum(row["bytes"] for row in report["resident_ledger"]),
                                 report["rss_bytes"])

    def test_malloc_is_found_while_threads_allocate_from_its_main_arena(self):
        one_arena = {**os.environ, "MALLOC_ARENA_MAX": "1"}
        for words in ((), ("--no-stop",)):
            with Target("1", program="churns", env=one_arena) as target:
                for _ in range(30):
                    self.assertIn("heap", inspect_json(*words, target.pid))

    def test_a_user_who_may_have_no_more_threads(self):
        """Copying goes on alone. As nobody, since root is not limited."""
        directory = self.open_directory()
        heapspy = self.copy_to(directory, HEAPSPY)
        churns = self.copy_to(directory, build_target("churns"))
        with subprocess.Popen([*self.as_nobody(), churns, str(HEAP_MIB)], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE) as target:
            while target.stdout.readline() != b"ready\n":
                pass
            # LeakSanitizer would want a thread for itself.
            done = self.run_plain("env", "ASAN_OPTIONS=detect_leaks=0", *self.as_nobody(),
                                  need("prlimit", "util-linux"), "--nproc=1",
                                  heapspy, "inspect", "--json", target.pid)
            target.stdin.close()
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        self.assertEqual(json.loads(done.stdout)["damages"], [])

    def test_a_terminal_cannot_stop_heapspy_while_it_holds_the_process(self):
        with Target(str(LARGE_MIB), program="churns") as target:
            heapspy = subprocess.Popen([HEAPSPY, "inspect", "--leaks", str(target.pid)],
                                       stdout=subprocess.DEVNULL)
            wait_until(lambda: state_of(target.pid)[0] == "t" or heapspy.poll() is not None,
                       "the process is stopped", target.process)
            heapspy.send_signal(signal.SIGTSTP)
            wait_until(lambda: state_of(heapspy.pid)[0] in "TZ", "heapspy is, too, or has ended")
            self.assertEqual(state_of(target.pid)[1], 0)
            heapspy.send_signal(signal.SIGCONT)
            self.assertEqual(heapspy.wait(), 0)

    def test_a_pause_that_is_too_short_for_the_heap(self):
        """No machine copies 64 MiB in a millisecond. The rest is read all the same."""
        with Target(str(HEAP_MIB), program="churns") as target:
            report = inspect_json("--max-pause", 1, target.pid)
            text = " ".join(inspect("--max-pause", 1, target.pid).stdout.split())
        self.assertEqual(report["max_pause_ns"], 1_000_000)
        self.assertLess(report["heap_bytes_in_pause"], report["heap_bytes_to_read"])
        self.assertGreaterEqual(report["heap_bytes_to_read"], HEAP_MIB << 20)
        self.assertGreaterEqual(report["heap"]["live_blocks"], target.facts["live number"])
        self.assertEqual(report["inconsistencies"], report["heap"]["damages"])
        self.assertRegex(text, r"of the heap's .* were copied, .* read as it ran on")

    def test_the_pause_has_no_bound_unless_asked_for(self):
        with Target("1", program="churns") as target:
            report = inspect_json(target.pid)
        self.assertIsNone(report["max_pause_ns"])
        self.assertGreater(report["pause_ns"], 0)

    def test_not_stopped_at_all(self):
        with Target("1", program="churns") as target:
            report = inspect_json("--no-stop", target.pid)
        self.assertEqual(report["pause_ns"], 0)
        self.assertEqual(report["heap_bytes_in_pause"], 0)
        self.assertEqual(report["inconsistencies"], report["heap"]["damages"])

    # ── Threads that were stopped in the middle of malloc ────────────────────────────────────────

    def check_no_damage(self, report):
        self.assertEqual(report["damages"], [])
        self.assertEqual(report["heap"]["damages"], 0)
        self.assertEqual(report["inconsistencies"], 0)
        kinds = {finding["kind"]: finding for finding in report["findings"]}
        self.assertNotIn("damage", kinds)
        self.assertNotIn("counter", kinds)
        self.assertEqual("in_motion" in kinds, report["places_in_motion"] != 0)

    def test_a_heap_that_grows_is_not_damaged(self):
        with Target("16", program="grows") as target:
            for words in ((),) * 20 + (("--leaks",),) * 2:
                self.check_no_damage(inspect_json(*words, target.pid))
            for _ in range(2):
                report = inspect_json("--max-pause", 500, target.pid)
                if report["heap_bytes_in_pause"] == report["heap_bytes_to_read"]:  # in time
                    self.check_no_damage(report)

    def test_nor_is_one_of_libminimalloc(self):
        if self.run_plain(HEAPSPY, "run", "true").returncode != 0:
            self.skipTest("a build under a sanitizer has no libminimalloc")
        with Target("16", program="grows", run_by=[HEAPSPY, "run"]) as target:
            for _ in range(20):
                self.check_no_damage(inspect_json(target.pid))

    def test_damage_of_a_heap_that_grows_is_found(self):
        sure = 0
        with Target("4", "damaged", program="grows") as target:
            for _ in range(10):
                report = inspect_json(target.pid)
                self.assertIn(target.facts["damaged number"],
                              [int(damage["address"], 16) for damage in report["damages"]])
                self.assertEqual(report["findings"][0]["kind"], "damage")
                sure += report["findings"][0]["statement"].startswith("The heap is damaged")
        self.assertGreater(sure, 0)

    def test_a_process_that_does_not_go_on_is_stopped_once(self):
        with Target("16", program="grows") as target:
            os.kill(target.pid, signal.SIGSTOP)
            try:
                wait_until(lambda: state_of(target.pid)[0] == "T", "it is stopped", target.process)
                report = inspect_json(target.pid)
            finally:
                os.kill(target.pid, signal.SIGCONT)
        self.assertEqual(report["heap_readings"], 1)
        self.assertNotIn("is damaged", " ".join(finding["statement"] for finding in report["findings"]))

    # ── Heaps that are not copied ────────────────────────────────────────────────────────────────

    def test_a_heap_that_is_copied(self):
        with Target("1", program="churns") as target:
            report = inspect_json(target.pid)
            running = inspect_json("--no-stop", target.pid)
        self.assertEqual(report["heap_reading"], "copied")
        self.assertLessEqual(report["max_copy_bytes"], 1 << 30)
        self.assertEqual(running["heap_reading"], "running")

    def test_a_heap_larger_than_what_is_copied_is_read_as_it_runs_on(self):
        with Target(str(HEAP_MIB), program="churns") as target:
            report = inspect_json("--max-copy", "16M", target.pid)
            text = " ".join(inspect("--max-copy", "16M", target.pid).stdout.split())
        self.assertEqual(report["heap_reading"], "running_too_large")
        self.assertEqual(report["max_copy_bytes"], 16 << 20)
        self.assertEqual(report["heap_bytes_in_pause"], 0)
        self.assertGreaterEqual(report["heap_bytes_to_read"], HEAP_MIB << 20)
        self.assertEqual(report["inconsistencies"], report["heap"]["damages"])
        advice = [finding["advice"] for finding in report["findings"] if finding["kind"] == "damage"]
        self.assertEqual(advice, ["Inspect with --max-copy to be sure."] * (report["inconsistencies"] != 0))
        self.assertGreaterEqual(report["heap"]["live_blocks"], target.facts["live number"])
        self.assertRegex(text, r"are more than the 16 MiB that are copied, and were read as it ran on; "
                               r"\d+ places? did not fit together. --max-copy 1G copies them")

    def test_what_is_not_copied_takes_no_memory(self):
        with Target(str(HEAP_MIB), program="churns") as target:
            copied = peak_kib("--max-copy", "1G", target.pid)
            in_place = peak_kib("--max-copy", "1M", target.pid)
        self.assertGreater(copied, HEAP_MIB << 10)
        self.assertLess(in_place, copied - (HEAP_MIB << 10) * 3 // 4)

    def test_a_terminal_is_told_how_far_it_is(self):
        with Target(str(LARGE_MIB), program="churns") as target:
            for options, words in (([], rb"the process waits: copying the heap"),
                                   (["--max-copy", "1M"], rb"reading the heap: \d+%"),
                                   (["--leaks"], rb"searching for addresses of blocks: \d+%")):
                with self.subTest(options):
                    terminal = Terminal([HEAPSPY, "inspect", *options, target.pid],
                                        stdout=subprocess.DEVNULL)
                    terminal.read_until(words)
                    self.assertEqual(terminal.read_to_end(), 0)
                    terminal.close()
                    self.assertTrue(terminal.text.endswith(b"\r\x1b[K"), "the line is erased")
            self.assertEqual(inspect("--max-copy", "1M", target.pid).stderr, "")
