"""A program that handles its memory itself beside malloc, and the kernel's huge pages."""
import os

import harness
from harness import MIB, PreloadTest, fails_on, need_root
from settings import Settings

HUGE_PAGES = "/sys/kernel/mm/transparent_hugepage/enabled"


class ProgramMemory(PreloadTest):
    def test_own_break(self):
        self.check("own_break")

    @fails_on(mimalloc="not always aligned")
    def test_own_mappings(self):
        self.check("own_mappings")

    def test_untouched_memory_is_not_resident(self):
        self.check("untouched")

    @fails_on(jemalloc="free does not keep errno", mimalloc="free does not keep errno")
    def test_locked(self):
        self.check("locked")


class HugePages(PreloadTest):
    def resident(self, *arguments):
        """What sparse.c measured: bytes by moment."""
        lines = self.check("sparse", *arguments).splitlines()[:-1]
        return {when: int(value) for when, value in map(str.split, lines)}

    def test_disabled_by_prctl(self):
        self.resident("--disable-thp")

    def test_a_large_sparse_table_costs_what_is_touched(self):
        self.check("sparse_table")

    @harness.alone
    @fails_on(jemalloc="a third more when thinned out")
    def test_always_costs_no_more_than_a_quarter(self):
        need_root("choose how the kernel gives huge pages")
        if not os.path.exists(HUGE_PAGES):
            self.skipTest("a kernel without transparent huge pages")
        found = {}
        for choice in "never", "madvise", "always":
            with Settings((HUGE_PAGES, choice)):
                found[choice] = self.resident()
        for when, never in found["never"].items():
            for choice in "madvise", "always":
                self.assertLessEqual(found[choice][when], 1.25 * never + MIB, f"{when}: {found}")
