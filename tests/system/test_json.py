"""The machine form: every line parses, has the documented keys, and the ledger is their sum."""
import collections
import json
import re
import subprocess

from harness import HEAPSPY, LAB, TARGETS, SystemTest, break_moved, need, number
from programs import PROGRAMS

CAUSES = {"loader", "libc-startup", "malloc", "program", "runtime", "unknown"}
PHASES = {"program-start", "library-loading", "libc-startup", "program", "exit"}
KEYS = {"type", "pid", "tid", "time_ns", "phase", "syscall", "args", "result", "errno", "cause",
        "cause_detail", "frames", "mapping", "heap_bytes", "mapped_bytes", "explanation"}
FRAME_KEYS = {"function", "module", "offset", "file", "line"}


def failed(event):
    """The kernel has no error for a break that it leaves where it is."""
    if event["syscall"] == "brk" and event["break_after"]:
        return number(event["args"]["addr"]) not in (0, number(event["break_after"]))
    return event["errno"] is not None


class Json(SystemTest):
    def check_event(self, event):
        self.assertLessEqual(KEYS, set(event), event)
        self.assertIn(event["cause"], CAUSES)
        self.assertIn(event["phase"], PHASES)
        self.assertIsInstance(event["pid"], int)
        for name, value in event["args"].items():
            if "addr" in name:
                self.assertRegex(value, r"^0x[0-9a-f]+$", event)
        if event["errno"] is not None:
            self.assertRegex(event["errno"], "^E[A-Z0-9]+$")
            self.assertEqual(event["result"], -1)
        for frame in event["frames"] or []:
            self.assertLessEqual(FRAME_KEYS, set(frame))
            self.assertRegex(frame["offset"], r"^0x[0-9a-f]+$")
        self.assertGreaterEqual(event["mapped_bytes"], event["heap_bytes"] // 4096 * 4096)

    def check_ledger(self, trace):
        calls = [e for e in trace.events if e["type"] != "process"]
        total = trace.ledger["total"]
        self.assertEqual(trace.ledger["events"], len(trace.events))
        self.assertEqual(trace.ledger["hidden_events"], 0)

        seen = collections.Counter(e["syscall"] for e in trace.events if e["type"] == "syscall")
        counted = {name: n for name, n in total["calls_by_syscall"].items() if name in seen}
        self.assertEqual(counted, dict(seen))
        by_cause = collections.Counter(e["cause"] for e in calls if e["type"] == "syscall")
        for cause, row in total["by_cause"].items():
            of_cause = [e for e in trace.events if e["cause"] == cause and e["type"] == "syscall"]
            changes = [e["mapped_bytes"] - e["mapped_before_bytes"] for e in of_cause]
            self.assertEqual(row["gained_bytes"] - row["returned_bytes"], sum(changes), cause)
            self.assertEqual(row["failed"], sum(map(failed, of_cause)), cause)
            moves = [break_moved(e) for e in of_cause if e["syscall"] == "brk"
                     and e["break_before"] and e["break_after"] and break_moved(e) != 0]
            self.assertEqual((row["break_moves"], row["break_moved_bytes"]),
                             (len(moves), sum(moves)), cause)
            self.assertGreaterEqual(row["calls"], by_cause[cause])
        for column in ("gained_bytes", "returned_bytes"):
            without_call = total["without_call"][column]
            self.assertEqual(sum(row[column] for row in total["by_cause"].values()) + without_call,
                             sum(row[column] for row in total["by_phase"].values()))

        for process in trace.ledger["processes"]:
            ledger = process["ledger"]
            gained = sum(row["gained_bytes"] - row["returned_bytes"]
                         for row in [*ledger["by_cause"].values(), ledger["without_call"]])
            self.assertEqual(gained, ledger["mapped_now_bytes"] - ledger["mapped_at_exec_bytes"])
            self.assertEqual(sum(ledger["mapped_by_role"].values()), ledger["mapped_now_bytes"])
            self.assertLessEqual(ledger["mapped_now_bytes"], ledger["peak_mapped_bytes"])
            self.assertLessEqual(ledger["heap_now_bytes"], ledger["peak_heap_bytes"])

    def whole_schema(self, argv):
        trace = self.trace(*argv)
        self.assertEqual(trace.objects[0]["type"], "header")
        self.assertEqual(trace.objects[0]["command"], [str(word) for word in argv])
        self.assertEqual(trace.objects[-1]["type"], "ledger")
        for event in trace.events:
            self.check_event(event)
        times = [e["time_ns"] for e in trace.events]
        self.assertEqual(times, sorted(times))
        sequence = [e["sequence"] for e in trace.events]
        self.assertEqual(sequence, list(range(1, len(sequence) + 1)))
        self.check_ledger(trace)
        return trace

    def test_one_process(self):
        self.whole_schema([LAB / "hidden_sbrk"])

    def test_every_kind_of_call(self):
        self.whole_schema([TARGETS / "memory_calls"])

    def test_threads(self):
        trace = self.whole_schema([TARGETS / "threads", "8"])
        self.assertEqual(len({e["tid"] for e in trace.events}), 9)
        self.assertEqual(len({e["pid"] for e in trace.events}), 1)
        stacks = [e for e in trace.calls("mmap") if e["mapping"]["role"] == "thread stack"]
        self.assertEqual(len(stacks), 8)
        arenas = [e for e in trace.events if (e["mapping"] or {}).get("role") == "malloc arena"]
        self.assertTrue(arenas)
        # The access that an arena starts with is malloc's arithmetic, which needs its parameters.
        starts = [e for e in arenas
                  if e["syscall"] == "mprotect" and number(e["mapping"]["begin"]) % (64 << 20) == 0]
        self.assertTrue(starts)
        for event in starts:
            self.assertEqual(event["malloc"]["top_pad_bytes"], 131072)
            self.assertIn("its own tables + 131072 (top pad)", event["explanation"])

    def test_children_and_exec(self):
        trace = self.whole_schema(PROGRAMS["shell_pipeline"](self.directory))
        self.assertGreaterEqual(len({e["pid"] for e in trace.events}), 4)
        self.assertEqual(trace.status, 5)

    def test_killed_process_says_by_what(self):
        trace = self.whole_schema([TARGETS / "killed", "15"])
        self.assertEqual(trace.status, 128 + 15)
        self.assertEqual(trace.events[-1]["signal"], "SIGTERM")
        self.assertIsNone(trace.events[-1]["syscall"], "a signal is no call")
        self.assertNotIn("exit", trace.ledger["total"]["calls_by_syscall"])

    def test_argument_bytes_that_are_no_utf8(self):
        name = b"caf\xe9 \"quoted\" \\ \x01\n"
        trace = self.trace("sh", "-c", "exec true", name.decode("utf-8", "surrogateescape"))
        self.assertEqual(trace.status, 0)
        self.assertEqual(trace.objects[-1]["type"], "ledger")

    def test_filters_change_what_is_shown_and_no_total(self):
        whole = self.trace(LAB / "mmap_threshold").ledger["total"]
        for options, keep in ((["--filter", "brk"], lambda e: e["syscall"] == "brk"),
                              (["--cause", "malloc"], lambda e: e["cause"] == "malloc"),
                              (["--min", "200K"], None)):
            with self.subTest(options=options):
                trace = self.trace(LAB / "mmap_threshold", options=options)
                shown = [e for e in trace.events if e["type"] == "syscall"]
                self.assertTrue(shown)
                if keep:
                    self.assertTrue(all(map(keep, shown)))
                else:
                    self.assertTrue(any(e["args"].get("length") == 0x41000 for e in shown))
                    self.assertFalse(any(e["args"].get("length") == 4096 for e in shown))
                self.assertGreater(trace.ledger["hidden_events"], 0)
                self.assertEqual(trace.ledger["total"]["calls_by_syscall"],
                                 whole["calls_by_syscall"])

    def test_layout_covers_heap_program_stack_and_libraries(self):
        trace = self.trace(LAB / "hidden_sbrk")
        process = trace.ledger["processes"][-1]
        roles = {band["role"] for band in process["layout"]}
        self.assertTrue(any(re.search("heap", role) for role in roles), roles)
        self.assertTrue(any(re.search("stack", role) for role in roles), roles)
        self.assertEqual(sum(band["mapped_bytes"] for band in process["layout"]),
                         process["ledger"]["mapped_now_bytes"])
        self.assertEqual(number(process["program_break"]),
                         number(trace.calls("brk")[-1]["break_after"]))

    def test_a_name_with_a_newline_is_itself(self):
        program = self.copy_to(self.directory, need("cat")).rename(self.directory / "a\nb\\c")
        path, story = str(program), self.directory / "out.jsonl"
        done = self.run_plain(HEAPSPY, "trace", "-q", "--verify", "--json", story, "--", program)
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        records = list(map(json.loads, story.read_text().splitlines()))
        self.assertIn(path, {record.get("executable") for record in records})
        self.assertNotIn("\\\\012", story.read_text())
        with subprocess.Popen([program], stdin=subprocess.PIPE) as running:
            looked_at = json.loads(self.run_plain(HEAPSPY, "inspect", "--json", running.pid).stdout)
            running.stdin.close()
        self.assertEqual(looked_at["executable"], path)
        self.assertIn(path, {row["owner"] for row in looked_at["virtual_ledger"]})
