"""heapspy report --at and --between: what was live at a moment is what the program had, and what its
allocator says that it gave out."""
import itertools
import json
import subprocess

from harness import HEAPSPY, PATIENCE_SECONDS, build_target
from recording import RecordTest

# Of glibc's malloc: a block's header, what it is rounded up by, and what is left over of a free chunk
# where that is too small to be one.
MOST_ROUNDING = 8 + 23 + 16


class Moments(RecordTest):
    def totals(self, *options):
        done = subprocess.run([HEAPSPY, "report", "--json", *options, str(self.file)],
                              capture_output=True, text=True, check=True, timeout=PATIENCE_SECONDS)
        return json.loads(done.stdout)["totals"]

    def setUp(self):
        super().setUp()
        # A thread's cache holds what malloc then counts as given out.
        environment = dict(self.environment, GLIBC_TUNABLES="glibc.malloc.tcache_count=0")
        done = self.record(build_target("moments"), env=environment)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.said = [tuple(map(int, line.split())) for line in done.stdout.splitlines()]
        self.times = [marker["time_ns"] for marker in self.report()["markers"]]
        self.assertEqual(len(self.times), len(self.said))

    def test_live_bytes_at_any_time_are_the_programs_and_the_allocators(self):
        # A marker has a time of its own, and what follows may share it.
        found = [self.totals("--at", f"{time - 1}ns") for time in self.times]
        _, _, _, held_before = self.said[0]
        for totals, (live, blocks, _, held) in zip(found, self.said):
            of_program = [totals[key] - found[0][key]
                          for key in ("live_at_exit_bytes", "live_at_exit_blocks")]
            self.assertEqual(of_program, [live, blocks])
            self.assertIn(held - held_before - live, range(MOST_ROUNDING * blocks + 1))
        self.assertGreater(len({live for live, *_ in self.said}), 5)

    def test_what_was_asked_for_between_two_moments_is_what_the_program_asked_for(self):
        asked = [self.totals("--between", f"{begin}ns", f"{end}ns")["allocated_bytes"]
                 for begin, end in itertools.pairwise(self.times)]
        self.assertEqual(asked, [asked for _, _, asked, _ in self.said[1:]])
