"""Misuse of the heap is noticed: the program stops by SIGABRT, with a message that names the address.

The peers are shown for comparison; what they notice is in NOTICED.
"""
import signal

import harness
from harness import PreloadTest

CASES = ("double_free_at_once", "double_free_after_others", "double_free_medium", "double_free_large",
         "double_free_mapped", "double_free_first", "double_free_across_threads", "interior_small",
         "interior_medium", "interior_large", "interior_grown", "misaligned", "odd", "on_stack",
         "global", "code", "mapping", "mapping_start", "low_address", "kernel_address", "no_address",
         "realloc_interior", "realloc_stack", "realloc_freed", "sized_delete", "free_sized",
         "free_sized_large")

# Whose address is in no heap, and so is no block.
ELSEWHERE = {"on_stack", "global", "code", "mapping", "mapping_start", "low_address", "kernel_address",
             "no_address", "realloc_stack"}

# What each peer aborts at, of all those.
NOTICED = {
    "glibc": {"double_free_at_once", "double_free_after_others", "double_free_medium",
              "double_free_first", "double_free_across_threads", "interior_small",
              "interior_medium", "interior_large", "interior_grown", "misaligned", "odd",
              "on_stack", "global", "code", "mapping", "realloc_interior", "realloc_stack",
              "realloc_freed"},
    "jemalloc": set(),
    "tcmalloc": {"interior_large", "interior_grown", "on_stack", "global", "code", "mapping", "mapping_start",
                 "low_address", "kernel_address", "no_address", "realloc_stack"},
    "mimalloc": set(),
}


class Misuse(PreloadTest):
    def misuse(self, what):
        done = self.run_command([harness.PROGRAMS / "misuse", what])
        if done.returncode == harness.SKIPPED and harness.ALLOCATOR != "minimalloc":
            self.skipTest(done.stdout.strip())
        return done

    def notice(self, what):
        done = self.misuse(what)
        outcome = f"status {done.returncode}, {done.stdout!r}, {done.stderr!r}"
        if harness.ALLOCATOR in NOTICED and what not in NOTICED[harness.ALLOCATOR]:
            noticed = done.returncode == -signal.SIGABRT
            self.skipTest(f"known failure of {harness.ALLOCATOR}: {outcome}" if not noticed else
                          f"{harness.ALLOCATOR} notices what it was known not to")
        self.assertEqual(done.returncode, -signal.SIGABRT, outcome)
        self.assertNotEqual(done.stderr, "", outcome)
        if harness.ALLOCATOR == "minimalloc":
            address = done.stdout.splitlines()[0]
            self.assertRegex(done.stderr, rf"{address}\b", outcome)
            is_foreign = "not an address of this allocator" in done.stderr
            self.assertEqual(is_foreign, what in ELSEWHERE, outcome)

    def test_wrong_sizes_may_go_on(self):
        if harness.ALLOCATOR != "minimalloc":
            self.skipTest("it has no such option")
        for what in ("sized_delete", "free_sized", "free_sized_large"):
            self.assertIn("with MINIMALLOC_WRONG_SIZES=warn it goes on", self.misuse(what).stderr)
            self.environment["MINIMALLOC_WRONG_SIZES"] = "warn"
            done = self.misuse(what)
            del self.environment["MINIMALLOC_WRONG_SIZES"]
            self.assertEqual(done.returncode, 3, done)
            self.assertRegex(done.stderr, r"^minimalloc: free with a wrong size of .*goes on.*\n$")

    def test_free_list_that_was_written_over(self):
        """To go on is as good as to stop; to crash, or to hand out what was written, is not."""
        done = self.misuse("free_list_overwritten")
        outcome = f"status {done.returncode}, {done.stdout!r}, {done.stderr!r}"
        if done.returncode not in (3, -signal.SIGABRT) and harness.ALLOCATOR in ("tcmalloc", "mimalloc"):
            self.skipTest(f"known failure of {harness.ALLOCATOR}: {outcome}")
        self.assertIn(done.returncode, (3, -signal.SIGABRT), outcome)


for case in CASES:
    setattr(Misuse, f"test_{case}", lambda self, what=case: self.notice(what))
