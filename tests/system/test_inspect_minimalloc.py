"""heapspy inspect on libminimalloc: block by block what the library's own walk says, and its own
counters."""
import functools
import re

from harness import HEAPSPY, SystemTest
from test_inspect import inspect, inspect_json
from test_inspect import Target as KnownHeap

STATES = {0: "live", 1: "cached", 2: "depot", 3: "slab"}


class Target(KnownHeap):
    """walked_heap under `heapspy run`, and what it said."""

    def __init__(self, *arguments, **run):
        super().__init__(*arguments, program="walked_heap", run_by=[HEAPSPY, "run"], **run)
        self.stats = {name: int(value) for name, value in
                      re.findall(r"^stats (\w+): (\d+)$", self.text, re.MULTILINE)}
        self.blocks = {int(address, 16): (int(size), int(state), int(heap)) for address, size, state, heap in
                       re.findall(r"^block (0x[0-9a-f]+) (\d+) (\d) (\d+)$", self.text, re.MULTILINE)}


class Minimalloc(SystemTest):
    def setUp(self):
        super().setUp()
        if self.run_plain(HEAPSPY, "run", "true").returncode != 0:
            self.skipTest("a build under a sanitizer has no libminimalloc")

    def check_blocks(self, target, report):
        self.assertGreater(len(target.blocks), 3000)
        found = {}
        for chunk in report["chunks"]:
            if chunk["use"] in STATES.values():
                header = int(chunk["block"], 16) - int(chunk["chunk"], 16)
                found[int(chunk["block"], 16)] = (chunk["bytes"] - header, chunk["use"], chunk["arena"])
        heaps = {0: "malloc's heap", 1: "second"}
        expected = {address: (size, STATES[state], heaps[heap])
                    for address, (size, state, heap) in target.blocks.items()}
        # What was freed in the library's memory for first blocks is never used again.
        gone = [address for address, (_, state, _) in target.blocks.items()
                if STATES[state] == "slab" and address not in found]
        self.assertLessEqual(len(gone), 1000)
        for address in gone:
            del expected[address]
        self.assertEqual(found, expected)

    def check_counters(self, target, report):
        stats = target.stats
        heap = report["heap"]

        def of(use, key):
            return sum(arena["uses"].get(use, {key: 0})[key] for arena in report["arenas"])

        self.assertEqual(heap["live_bytes"], stats["live_bytes"])
        self.assertEqual(heap["live_blocks"], stats["live_count"])
        self.assertEqual(of("cached", "bytes"), stats["cached_bytes"])
        self.assertEqual(of("cached", "chunks"), stats["cached_count"])
        self.assertEqual(of("depot", "bytes"), stats["depot_bytes"])
        self.assertEqual(of("slab", "chunks"), stats["slab_free_count"])
        self.assertEqual(of("slab", "bytes"), stats["slab_free_bytes"])
        self.assertEqual(of("slab_rest", "bytes"), stats["slab_rest_bytes"])
        self.assertEqual(of("free_pages", "bytes"), stats["free_pages_bytes"])
        self.assertEqual(len(report["arenas"]), stats["heap_count"])
        self.assertEqual(len({bin["thread"] for bin in report["bins"] if bin["kind"] == "cached"}),
                         stats["thread_count"])
        counted = {counter["name"]: counter for counter in heap["counters"]}
        self.assertEqual(counted["slabs"]["found"], stats["slab_count"])
        self.assertEqual(counted["large blocks"]["found"], stats["large_count"])
        for counter in heap["counters"]:
            self.assertEqual(counter["counted"], counter["found"], counter["name"])
        for arena in report["arenas"]:
            self.assertEqual(sum(use["bytes"] for use in arena["uses"].values()), arena["system_bytes"])
        self.assertEqual(
            sum(arena["system_bytes"] for arena in report["arenas"]),
            sum(int(region["end"], 16) - int(region["begin"], 16)
                for arena in report["arenas"] for region in arena["regions"]))

    def check_ledger(self, report):
        if report["rss_bytes"] is not None:
            self.assertEqual(sum(row["bytes"] for row in report["resident_ledger"]), report["rss_bytes"])
        self.assertEqual(sum(row["bytes"] for row in report["virtual_ledger"]), report["virtual_bytes"])

    def check_all(self, target, report):
        self.assertEqual(report["heap"]["allocator"], "libminimalloc")
        self.assertEqual(report["heap"]["found_by"], "note")
        self.assertEqual(report["damages"], [])
        self.check_blocks(target, report)
        self.check_counters(target, report)
        self.check_ledger(report)

    def test_agrees_with_the_library(self):
        with Target() as target:
            report = inspect_json("--chunks", "--top", "all", target.pid)
        self.check_all(target, report)
        threads = {bin["thread"] for bin in report["bins"] if bin["kind"] == "cached"}
        self.assertIn(target.pid, threads)

    def test_core_of_gcore(self):
        with Target() as target:
            core = self.gcore(target.pid)
        self.check_all(target, inspect_json("--chunks", "--top", "all", core))

    def test_core_of_the_kernel(self):
        target, core = self.core_of_the_dead(functools.partial(Target, "abort"))
        self.check_all(target, inspect_json("--chunks", "--top", "all", core))

    def test_no_stop(self):
        with Target() as target:
            report = inspect_json("--no-stop", "--chunks", "--top", "all", target.pid)
        self.check_blocks(target, report)

    def test_a_heap_that_changes_all_the_time_is_read_as_of_one_moment(self):
        with KnownHeap("8", program="churns", run_by=[HEAPSPY, "run"]) as target:
            for _ in range(5):
                report = inspect_json(target.pid)
                self.assertEqual(report["heap"]["allocator"], "libminimalloc")
                self.assertEqual(report["heap_reading"], "copied")
                self.assertEqual(report["damages"], [])
                self.assertEqual(report["inconsistencies"], 0)
                self.assertGreater(report["heap_bytes_in_pause"], 0)
                self.assertEqual(report["heap_bytes_in_pause"], report["heap_bytes_to_read"])
                self.assertGreaterEqual(report["heap"]["live_blocks"], target.facts["live number"])
                self.check_ledger(report)

    def test_around_and_text(self):
        with Target() as target:
            address = next(a for a, (size, state, _) in target.blocks.items()
                           if STATES[state] == "live" and size > 100)
            text = inspect("--around", hex(address + 60), target.pid).stdout
            tables = inspect("--width", 80, target.pid).stdout
        self.assertIn("60 B into what malloc returned", " ".join(text.split()))
        self.assertIn("malloc's heap", tables)
        self.assertIn("libminimalloc", tables)
        for line in tables.splitlines():
            self.assertLessEqual(len(line), 80, line)

    def check_damage(self, how, field):
        with Target(how) as target:
            report = inspect_json("--chunks", "--live", "--top", "all", target.pid)
            # The allocator would trip over it.
            target.process.kill()
        where = target.facts["damaged number"]
        if how == "cached":
            where = 0x4141414141414141
        found = {int(damage["address"], 16): damage for damage in report["damages"]}
        self.assertIn(where, found, report["damages"])
        self.assertIn(field, found[where]["field"])
        self.check_ledger(report)
        live = {int(chunk["block"], 16) for chunk in report["chunks"]}
        missing = [address for address, (_, state, _) in target.blocks.items()
                   if STATES[state] == "live" and address not in live]
        self.assertLessEqual(len(missing), 256, "all but the slab that is damaged is read")

    def test_damaged_page_map(self):
        self.check_damage("entry", "entry of page 0")

    def test_damaged_stack_of_a_cache(self):
        self.check_damage("stack", "in a thread's cache")

    def test_damaged_address_in_a_cache(self):
        self.check_damage("cached", "block in a thread's cache")
