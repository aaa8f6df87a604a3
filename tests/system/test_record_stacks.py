"""heapspy record: what threads tell of their stacks, one after the other in the same ring."""
from harness import build_target
from recording import RecordTest


class Stacks(RecordTest):
    def test_threads_that_take_over_from_others_have_stacks_of_their_own(self):
        done = self.record(build_target("relays"))
        self.assertEqual(done.returncode, 0, done.stderr)
        odd, even = map(int, done.stdout.split())
        report = self.report()
        self.assertEqual(report["totals"]["dropped_events"], 0)
        found = {"odd_way": 0, "even_way": 0}
        for stack in report["stacks"]:
            names = [frame.get("function") for frame in stack["frames"]]
            way = next((name for name in names if name in found), None)
            if way:
                self.assertIn(way.removesuffix("_way"), names)
                found[way] += stack["allocations"]
        self.assertEqual(found, {"odd_way": odd, "even_way": even})
