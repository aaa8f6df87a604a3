"""heapspy record --sample: what a call costs that is not recorded, in instructions: counts, not times."""
import pathlib
import subprocess
import sys

from harness import HEAPSPY, build_target, need
from recording import RecordTest

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "support"))
import callgrind

# Of a malloc and a free together, on x86-64: what GCC 12 (6 and 8) or Clang 19 (8 and 10) makes of
# it, and a few more. A change that raises it is to say why.
MOST_INSTRUCTIONS = 20


class Costs(RecordTest):
    def instructions(self, count, *options):
        """The least of a few: a sample, or what the recorder lets the program wait for, adds."""
        program = callgrind.stripped(build_target("pairs"), self.directory)
        command = callgrind.command(self.directory, program, count)
        return min(callgrind.collected(
            self.record(*command, options=options) if options else
            subprocess.run(command, capture_output=True, text=True, check=False)) for _ in range(3))

    def of_a_pair(self, *options):
        count = 5000
        return (self.instructions(2 * count, *options) - self.instructions(count, *options)) / count

    def test_a_pair_of_which_nothing_is_recorded_has_a_few_instructions_more(self):
        need("valgrind")
        need("strip", "binutils")
        agent = callgrind.stripped(pathlib.Path(HEAPSPY).parent.parent / "agent/libheapspy-agent.so",
                                   self.open_directory())
        more = self.of_a_pair("--sample", "1G", "--agent", str(agent)) - self.of_a_pair()
        print(f"{more} instructions", flush=True)
        self.assertLessEqual(more, MOST_INSTRUCTIONS)
        self.assertGreater(more, 4)  # something was measured
