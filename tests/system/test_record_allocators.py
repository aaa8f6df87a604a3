"""heapspy record of programs that are linked with an allocator: every way to ask for a block counts
once, for whoever called it, from the program's beginning on and from where it is joined."""
import json
import pathlib
import re
import subprocess
import unittest

from harness import HEAPSPY, PATIENCE_SECONDS, TARGETS, build_target
from joined import JoinTest

PACKAGES = {"jemalloc": "libjemalloc2", "tcmalloc": "libtcmalloc-minimal4",
            "mimalloc": "libmimalloc2.0"}
# Those that a program can be given by LD_PRELOAD; "" is the C library's own.
LIBRARIES = ["", "libjemalloc.so.2", "libtcmalloc_minimal.so.4", "libmimalloc.so.2.0",
             str(pathlib.Path(HEAPSPY).resolve().parent / "../api/libminimalloc.so.0")]

JOINS = 12


class RecordAllocators(JoinTest):
    def linked(self, allocator):
        """The program that is linked with it; skips where this machine has none."""
        name = f"each_way_{allocator}" if allocator else "each_way"
        if not (TARGETS / name).exists():
            raise unittest.SkipTest(f"{allocator} is not installed (Debian package "
                                    f"{PACKAGES.get(allocator, allocator)})")
        return name

    def over_each(self):
        """Of the libraries that this machine has, each with an environment that preloads it."""
        for library in LIBRARIES:
            environment = dict(self.environment, LD_PRELOAD=library)
            if b"cannot be preloaded" not in self.run_plain("true", env=environment).stderr:
                yield library, environment

    def check_recorded(self, allocator):
        done = self.record(TARGETS / self.linked(allocator))
        self.assertEqual(done.returncode, 0, done.stderr)
        expected = self.told(done.stdout)
        self.assertEqual(len(expected), 24 if allocator == "jemalloc" else 20)
        self.check_places(self.check_functions(expected), expected)

    def check_places(self, report, names):
        """The caller is whom a block belongs to, and no operator new stands before it."""
        for stack in report["stacks"]:
            functions = [frame["function"] for frame in stack["frames"]]
            name = next((name for name in functions if name in names), None)
            if name is not None:
                self.assertEqual((stack["place_frame"], functions[0]), (0, name))

    def check_joined(self, allocator):
        target = self.running("loop", program=self.linked(allocator))
        for _ in range(2):
            heapspy = self.join(target)
            counted = target.count(0.3)
            self.leave(heapspy)
            self.check_free(target)
            report = self.report()
            self.assertEqual(report["totals"]["dropped_events"], 0)
            self.assertEqual(report["losses"]["lost_blocks"], 0)
            found = self.by_function(report, ["counted_block"])["counted_block"]
            self.assertEqual(found[:2], counted)

    def test_without_one_each_way_counts_once(self):
        self.check_recorded("")

    def test_without_one_a_joined_program_counts_once(self):
        self.check_joined("")

    def test_functions_of_jemallocs_that_only_the_agent_has_are_mallocs(self):
        self.check_whole_stacks("either", "get: 100 100000\ngrow: 100 300000\n")

    def test_the_same_program_has_the_same_stacks_over_each(self):
        found = {}
        for library, environment in self.over_each():
            self.file = self.directory / f"{pathlib.Path(library).name}.heapspy"
            done = self.record(build_target("containers"), env=environment)
            counted = [int(figure) for figure in
                       re.fullmatch(r"main: (\d+) (\d+)\n", done.stdout).groups()]
            report = self.check_functions({"main": [*counted, 0]})
            found[self.file] = self.stacks_of_main(report)
        files = list(found)
        for file in files[1:]:
            self.assertEqual(found[file], found[files[0]], file)
            self.check_no_difference(files[0], file)
        if len(files) == 1:
            self.skipTest("none of the other allocators is installed")

    def test_blocks_that_are_samples_are_seen_freed_over_each(self):
        for library, environment in self.over_each():
            with self.subTest(library):
                done = self.record(build_target("containers"), env=environment,
                                   options=["--sample", "256"])
                blocks, _ = map(int, re.fullmatch(r"main: (\d+) (\d+)\n", done.stdout).groups())
                sampled, _, left = self.by_function(self.report(), ["main"])["main"]
                self.assertGreater(sampled, blocks / 2)  # of all that they stand for
                self.assertEqual(left, 0)

    @staticmethod
    def mapped(report):
        return sum(stack["mapped_bytes"] for stack in report["mappings"])

    def test_an_allocator_that_calls_itself_counts_once(self):
        environment = dict(self.environment, LD_PRELOAD=str(build_target("libcalls_itself.so")))
        done = self.record(build_target("each_way"), env=environment)
        self.assertEqual(done.returncode, 0, done.stderr)
        expected = self.told(done.stdout)
        self.assertEqual(len(expected), 20)
        report = self.check_functions(expected)
        losses = report["losses"]
        self.assertEqual((losses["lost_blocks"], losses["frees_not_seen"]), (0, 0))
        self.assertGreater(self.mapped(report), sum(size for _, size, *_ in expected.values()))

    def test_pages_that_an_allocators_operator_new_maps_are_recorded(self):
        for library, environment in self.over_each():
            if library not in LIBRARIES[1:4]:  # the others map nothing by the C library's functions
                continue
            with self.subTest(library):
                done = self.record(build_target("news"), "large", env=environment)
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertGreater(self.mapped(self.report()), 64 << 20)

    def test_a_library_that_looks_into_libc_first_counts_over_each(self):
        for library, environment in self.over_each():
            for way in ([], ["dlmopen"]):
                with self.subTest(library, way=way):
                    done = self.record(build_target("deep_bound"), *way, env=environment)
                    self.assertEqual(done.returncode, 0, done.stderr)
                    expected = self.told(done.stdout)
                    self.assertEqual(len(expected), 2)
                    report = self.check_functions(expected)
                    self.assertEqual(report["losses"]["lost_blocks"], 0)

    @staticmethod
    def stacks_of_main(report):
        stacks = {}
        for stack in report["stacks"]:
            functions = tuple(frame["function"] for frame in stack["frames"])
            if "main" in functions:
                blocks, size = stacks.get(functions, (0, 0))
                stacks[functions] = (blocks + stack["allocations"], size + stack["allocated_bytes"])
        return stacks

    def check_no_difference(self, before, after):
        done = subprocess.run([HEAPSPY, "diff", "--json", "--measure", "calls", before, after],
                              capture_output=True, check=True, timeout=PATIENCE_SECONDS)
        compared = 0
        for stack in json.loads(done.stdout)["stacks"]:
            if "main" in [frame["function"] for frame in stack["frames"]]:
                compared += 1
                for amount in ("allocations", "allocated_bytes", "live_at_exit_bytes"):
                    self.assertEqual(stack["before"][amount], stack["after"][amount], stack)
        self.assertGreater(compared, 3)

    def test_a_program_inside_aligned_alloc_comes_to_no_harm(self):
        # In glibc it ends in a jump: its own name is in no stack then.
        target = self.running("loop", "by_aligned_alloc", program="each_way")
        for _ in range(JOINS):
            heapspy = self.join(target, "--duration", "50ms")
            messages = heapspy.communicate(timeout=PATIENCE_SECONDS)[1]
            self.assertEqual(heapspy.returncode, 0, messages)
            self.check_free(target)
        target.count(0.1)


def add_tests(allocator):
    setattr(RecordAllocators, f"test_{allocator}_counts_once",
            lambda self: self.check_recorded(allocator))
    setattr(RecordAllocators, f"test_{allocator}_counts_once_where_it_is_joined",
            lambda self: self.check_joined(allocator))


for one in ("jemalloc", "tcmalloc", "mimalloc", "minimalloc"):
    add_tests(one)
