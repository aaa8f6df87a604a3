"""heapspy inspect stops a process only while it copies its heap: what it says is of that moment, and
where it may not stop it for long, it says what it read afterwards."""
from harness import SystemTest
from test_inspect import Target, inspect, inspect_json

HEAP_MIB = 64


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
