#!/usr/bin/env python3
"""What the usual calls cost and what a start costs, in instructions and page faults: counts, not times.

    costs_test.py PAIRS_PROGRAM STARTS_PROGRAM LIBRARY
"""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "support"))
import callgrind

PAIRS, STARTS, LIBRARY = sys.argv[1:4]

# Instructions of a pair and of the loop around it, on x86-64: what GCC 12 or Clang 19, whichever has
# more, makes of it, and a few more. A change that raises one is to say why.
MOST_INSTRUCTIONS = {
    "malloc_64": 88,
    "malloc_1000": 88,
    "calloc_64": 126,
    "new_64": 106,
}
# Beyond what the same program has with glibc's malloc: a library is loaded, too. Measured: 10 to 13
# page faults, 228 to 356 KiB, most of it the library's file, of which the kernel maps more or less
# around each fault.
MOST_FAULTS = 18
MOST_PEAK_KIB = 420
RUNS = 9  # the least counts: what the kernel does on the side only adds


@unittest.skipIf(shutil.which("valgrind") is None, "valgrind is not installed")
class FastPath(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.mkdtemp(prefix="minimalloc-costs-")
        cls.addClassCleanup(shutil.rmtree, cls.directory)
        cls.pairs, cls.library = (callgrind.stripped(file, cls.directory) for file in (PAIRS, LIBRARY))

    def instructions(self, kind, count):
        # By a path that has no space, whatever the directory's has.
        return callgrind.collected(subprocess.run(
            callgrind.command(self.directory, self.pairs, kind, count), cwd=self.directory,
            env=os.environ | {"LD_PRELOAD": f"./{self.library.name}"},
            capture_output=True, text=True, check=False))

    def test_a_pair_has_no_more_instructions_than_it_had(self):
        count = 1000
        for kind, most in MOST_INSTRUCTIONS.items():
            with self.subTest(kind):
                more = self.instructions(kind, 2 * count) - self.instructions(kind, count)
                print(f"{kind}: {more / count} instructions", flush=True)
                self.assertLessEqual(more / count, most)
                self.assertGreater(more / count, 20)  # something was measured


class Start(unittest.TestCase):
    def cost(self, library):
        environment = {"LD_PRELOAD": library} if library else {}
        runs = []
        for _ in range(RUNS):
            done = subprocess.run([STARTS], env=environment, capture_output=True, text=True, check=True)
            runs.append([int(word) for word in done.stdout.split()])
        return [min(column) for column in zip(*runs)]

    def test_a_small_program_needs_little_more_than_with_glibc(self):
        faults, peak = self.cost(LIBRARY)
        least_faults, least_peak = self.cost("")
        print(f"{faults} page faults, {least_faults} with glibc; {peak} KiB, {least_peak}", flush=True)
        self.assertLessEqual(faults - least_faults, MOST_FAULTS)
        self.assertLessEqual(peak - least_peak, MOST_PEAK_KIB)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
