"""heapspy record --sample: what a call costs that is not recorded, in instructions: counts, not times."""
import pathlib
import re
import subprocess

from harness import HEAPSPY, build_target, need
from recording import RecordTest

# Of a malloc and a free together, on x86-64: what GCC 12 (6 and 8) or Clang 19 (8 and 10) makes of
# it, and a few more. A change that raises it is to say why.
MOST_INSTRUCTIONS = 20


class Costs(RecordTest):
    def instructions(self, count, *options):
        """The least of a few: a sample, or what the recorder lets the program wait for, adds."""
        program = self.stripped(build_target("pairs"))
        command = [need("valgrind"), "--tool=callgrind",
                   f"--callgrind-out-file={self.directory}/out", program, str(count)]
        runs = []
        for _ in range(3):
            done = (self.record(*command, options=options) if options else
                    subprocess.run(command, capture_output=True, text=True, check=False))
            self.assertEqual(done.returncode, 0, done.stderr)
            runs.append(int(re.search(r"Collected : (\d+)", done.stderr)[1]))
        return min(runs)

    def stripped(self, file):
        """Without debug information: what Clang 19 writes is beyond the valgrind of Debian 12."""
        copy = self.directory / pathlib.Path(file).name
        subprocess.run([need("strip", "binutils"), "--strip-debug", "-o", copy, file], check=True)
        return copy

    def of_a_pair(self, *options):
        count = 5000
        return (self.instructions(2 * count, *options) - self.instructions(count, *options)) / count

    def test_a_pair_of_which_nothing_is_recorded_has_a_few_instructions_more(self):
        agent = self.stripped(pathlib.Path(HEAPSPY).parent.parent / "agent/libheapspy-agent.so")
        more = self.of_a_pair("--sample", "1G", "--agent", str(agent)) - self.of_a_pair()
        print(f"{more} instructions", flush=True)
        self.assertLessEqual(more, MOST_INSTRUCTIONS)
        self.assertGreater(more, 4)  # something was measured
