"""The findings of heapspy report, of real programs: what is said is what the program said of itself,
and nothing is said where there is nothing."""
import unittest

from harness import build_target, said
from recording import RecordTest

MIB = 1 << 20


class ReportFindings(RecordTest):
    def findings(self, kind):
        return [one for one in self.report()["findings"] if one["kind"] == kind]

    def recorded(self, *words, options=(), **run):
        done = self.record(build_target("wastes"), *words, options=options, **run)
        self.assertEqual(done.returncode, 0, done.stderr)
        return said(done.stdout)

    def check_rounding(self, size, count, **run):
        """The finding, if there is one, has the program's own figures."""
        facts = self.recorded("blocks", size, count, **run)
        requested, usable = facts["requested number"], facts["usable number"]
        self.assertEqual(requested, size * count)
        stacks = [one for one in self.report()["usable"]["stacks"]
                  if one["frames"][one["place_frame"]]["function"] == "one_block"]
        if not stacks:  # nothing was given that was not asked for
            self.assertLess(usable - requested, 16 * 64 + usable // 50)
            self.assertEqual(self.findings("rounding"), [])
            return 0
        [stack] = stacks
        self.assertEqual((stack["block_bytes"], stack["peak_blocks"], stack["peak_requested_bytes"]),
                         (size, count, requested))
        # glibc leaves 16 bytes too many in a block now and then, which the first one had not.
        self.assertLess(abs(stack["peak_usable_bytes"] - usable), 16 * 64 + usable // 50)
        given = stack["peak_usable_bytes"]
        table = self.report_text().partition("By overallocated bytes, at the peak")[2]
        self.assertRegex(table, r"^.*\n.*\n(?:.*\n)*? +\S+ \w+ +\S+ +\S+ \w+ +\S+ \w+  one_block at ")
        findings = self.findings("rounding")
        for finding in findings:
            share = round(100 * (given - requested) / given)
            self.assertTrue(finding["statement"].startswith(
                f"{share}% of what the allocator holds for one_block at "), finding)
            self.assertTrue(finding["statement"].endswith(
                f" is rounding: {size:,} bytes are asked for, and {given // count:,} bytes given."),
                finding)
            self.assertIn(f"At the peak {count:,} blocks had ", finding["evidence"])
            self.assertIn(finding["statement"].split(" is rounding")[0],
                          " ".join(self.report_text().split()))
        return len(findings)

    def test_rounding_is_said_with_its_sizes(self):
        self.assertEqual(self.check_rounding(25, 40000), 1)

    def test_what_fits_is_not_rounded(self):
        self.assertEqual(self.check_rounding(24, 40000), 0)

    def test_a_few_blocks_are_not_worth_a_word(self):
        self.assertEqual(self.check_rounding(25, 1000), 0)

    def test_other_allocators_round_in_their_own_ways(self):
        environment = dict(self.environment, LD_PRELOAD="libjemalloc.so.2")
        if b"cannot be preloaded" in self.run_plain("true", env=environment).stderr:
            self.skipTest("libjemalloc.so.2 is not installed (Debian package libjemalloc2)")
        self.assertEqual(self.check_rounding(1040, 5000, env=environment), 1)
        self.assertEqual(self.check_rounding(1280, 5000, env=environment), 0)

    def never_touched(self, mib, how):
        facts = self.recorded("pool", mib, how, options=["--first-touch"])
        refusal = self.report()["first_touch"]["refusal"]
        if refusal is not None:
            raise unittest.SkipTest(refusal)
        self.assertEqual(facts["pool number"], mib * MIB)
        return self.findings("never-touched")

    def test_what_was_never_touched_is_said(self):
        [finding] = self.never_touched(64, "few")
        self.assertRegex(finding["statement"], r"^make_pool at wastes\.c:\d+ had 64 MiB at the peak, "
                                               r"and about 3% of it ever became resident\.$")
        self.assertRegex(finding["evidence"], r"^62 MiB of the 64 MiB in 1 block were never touched; ")
        self.assertRegex(self.report_text(), r"By never-touched bytes, at the peak .*\n.*\n"
                                             r" +62 MiB +96\.9% +1  make_pool at wastes\.c")

    def test_what_was_touched_is_not(self):
        self.assertEqual(self.never_touched(64, "all"), [])

    def test_what_the_kernel_wrote_was_touched_too(self):
        self.assertEqual(self.never_touched(64, "read"), [])

    def test_a_small_pool_is_not_worth_a_word(self):
        self.assertEqual(self.never_touched(2, "few"), [])


if __name__ == "__main__":
    unittest.main()
