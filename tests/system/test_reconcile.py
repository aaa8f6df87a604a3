"""The model of each process equals /proc/PID/maps: at stops in between, and at the end."""
import re
import unittest

from harness import TARGETS, SystemTest, number
from programs import OPTIONS, PROGRAMS, VERIFY_EVERY

MARKER = 0x1d1d1001


class Reconcile(SystemTest):
    def reconcile(self, name):
        argv = PROGRAMS[name](self.directory)
        plain = self.run_plain(*argv)
        trace = self.trace(*argv, options=[f"--verify={VERIFY_EVERY.get(name, 1)}",
                                          *OPTIONS.get(name, ())])
        ledger = trace.ledger
        self.assertEqual(ledger["differences"], [], trace.messages)
        self.assertEqual(ledger["difference_count"], 0)
        self.assertEqual(ledger["lost_events"], 0)
        # Every process at its end, the first one at least, and more for those with many events.
        self.assertGreaterEqual(ledger["verified"], 1)
        status = plain.returncode if plain.returncode >= 0 else 128 - plain.returncode
        self.assertEqual(trace.status, status, trace.messages)

    def test_child_that_is_not_followed_in_memory_that_is(self):
        trace = self.trace(TARGETS / "vfork_shared", options=["--verify", "--no-follow"])
        self.assertEqual(trace.ledger["differences"], [])
        self.assertEqual(len(trace.ledger["processes"]), 1)
        self.assertEqual({e["type"] for e in trace.events}, {"exec", "syscall", "exit"})
        # What the child mapped and unmapped, for the parent without a call of its own.
        self.assertEqual(trace.ledger["total"]["without_call"]["gained_bytes"], 2 * 4096)

    def test_the_peak_is_that_between_calls_too(self):
        trace = self.trace(TARGETS / "short_lived")
        sums = trace.ledger["total"]
        peak = int(re.search(r"peak: (\d+)", trace.output)[1]) << 10
        self.assertGreater(peak, 64 << 20)
        self.assertTrue(sums["peak_rss_is_whole"])
        self.assertEqual(sums["peak_rss_bytes"], trace.events[-1]["peak_rss_bytes"])
        self.assertGreaterEqual(sums["peak_rss_bytes"], peak)
        self.assertLess(sums["peak_rss_bytes"], peak + (1 << 20))
        self.assertLess(max(e["rss_bytes"] or 0 for e in trace.events), 8 << 20)
        self.assertNotIn("(at calls)", trace.story)

    def test_the_peak_of_a_program_that_became_another_is_that_at_calls(self):
        trace = self.trace("sh", "-c", f"exec {TARGETS / 'short_lived'}")
        first, second = (process["ledger"] for process in trace.ledger["processes"])
        self.assertEqual((first["peak_rss_is_whole"], second["peak_rss_is_whole"]), (False, True))
        self.assertGreater(second["peak_rss_bytes"], 64 << 20)
        self.assertFalse(trace.ledger["total"]["peak_rss_is_whole"])
        self.assertIn("(at calls)", trace.story)

    def test_own_maps_lists_what_heapspy_says_is_mapped(self):
        """The target prints its own /proc/self/maps: a witness beside heapspy's own check."""
        trace = self.trace(TARGETS / "own_maps")
        marker = next(e for e in trace.calls("munmap") if number(e["args"]["addr"]) == MARKER)
        mapped = 0
        heap = 0
        stack = 0
        for line in trace.output.splitlines():
            fields = line.split(maxsplit=5)
            begin, end = (int(part, 16) for part in fields[0].split("-"))
            path = fields[5] if len(fields) == 6 else ""
            if path == "[heap]":
                heap += end - begin
            if path == "[stack]":
                stack += end - begin
            if path != "[vsyscall]":  # the kernel's, the same in every process
                mapped += end - begin
        self.assertEqual(marker["mapped_bytes"], mapped)
        # The break need not be at a page's end; the kernel lists whole pages.
        self.assertEqual((marker["heap_bytes"] + 4095) // 4096 * 4096, heap)
        self.assertGreater(stack, 1 << 20)
        sums = trace.ledger["total"]
        self.assertEqual(sums["mapped_by_role"]["main stack"], stack)
        grown = sum(e["stack_growth_bytes"] for e in trace.events)
        self.assertEqual(sums["without_call"], {"gained_bytes": grown, "returned_bytes": 0})
        self.assertIn("the kernel extends it", trace.story)


for program in PROGRAMS:
    def case(self, name=program):
        self.reconcile(name)
    setattr(Reconcile, f"test_{program}", case)

if __name__ == "__main__":
    unittest.main()
