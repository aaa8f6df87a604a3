"""heapspy record: pages that the program has of the kernel itself, and who touched which first."""
import collections
import os

from harness import PAGE, build_target, said
from recording import RecordTest


class Pages(RecordTest):
    def test_pages_are_mapped_as_the_kernel_has_them(self):
        done = self.record(build_target("odd_pages"))
        self.assertEqual(done.returncode, 0, done.stderr)
        facts = said(done.stdout)
        functions = ("refused", "kept", "left", "right", "takes", "moves")
        rows = {name: collections.Counter() for name in functions}
        for mapping in self.report()["mappings"]:
            names = [frame.get("function") for frame in mapping["frames"]]
            for name in rows.keys() & set(names):
                rows[name].update({key: value for key, value in mapping.items()
                                   if isinstance(value, int)})
        self.assertEqual({name: row["mapped_at_exit_bytes"] for name, row in rows.items()},
                         {name: facts[f"{name} number"] for name in functions})
        self.assertEqual(rows["refused"]["calls"], 1)
        self.assertEqual((rows["left"]["discarded_bytes"], rows["right"]["discarded_bytes"]),
                         (2 * PAGE, 10 * PAGE))

    def first_touch(self, *command):
        done = self.record(*command, options=["--first-touch"])
        self.assertEqual(done.returncode, 0, done.stderr)
        touch = self.report()["first_touch"]
        if touch["refusal"] is not None:
            self.skipTest(touch["refusal"])
        return touch, said(done.stdout)

    def test_code_that_the_agent_does_not_tell_of_has_a_module(self):
        touch, _ = self.first_touch(build_target("touches"))
        pages = collections.Counter()
        for toucher in touch["touchers"]:
            [module] = {frame.get("module") for frame in toucher["frames"]} or [None]
            pages[os.path.basename(module or "").partition(".")[0]] += toucher["pages"]
        self.assertGreater(pages["ld-linux-x86-64"], 0)
        self.assertGreater(pages["libheapspy-agent"], 0)
        self.assertGreater(pages["libc"], 0)
        self.assertEqual(pages[""], 0)

    def test_pages_of_small_blocks_are_their_blocks(self):
        touch, facts = self.first_touch(build_target("touches"))
        pages = sum(owner["pages"] for owner in touch["owners"]
                    if "fill_small" in [frame.get("function") for frame in owner["frames"]])
        # Of some the header of a block that was not asked for yet was touched by another call.
        self.assertAlmostEqual(pages, facts["fill_small number"], delta=20)
