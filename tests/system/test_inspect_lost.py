"""heapspy inspect --leaks: a known set of lost blocks, by size and type, of a process and of a core, on
both allocators."""
import functools
import subprocess

from harness import HEAPSPY, PATIENCE_SECONDS, SystemTest, build_target
from test_inspect import inspect, inspect_json


class Target:
    def __init__(self, *arguments, prefix=(), program="lost_blocks", **run):
        self.process = subprocess.Popen([*prefix, build_target(program), *arguments],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, **run)
        self.pid = self.process.pid
        if self.process.stdout.readline() != b"ready\n":
            raise AssertionError("the target did not come so far")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(timeout=PATIENCE_SECONDS)


class Lost(SystemTest):
    def check(self, report):
        """What lost_blocks.cc loses, and nothing of what it keeps."""
        leaks = report["leaks"]
        self.assertEqual(leaks["unreadable_bytes"], 0)
        self.assertTrue(leaks["registers_known"])
        items = [group for group in leaks["groups"] if group["type"] == "shop::Item"]
        self.assertEqual([(g["lost_blocks"], g["lost_indirectly_blocks"]) for g in items], [(10, 20)])
        self.assertGreaterEqual(items[0]["block_bytes"], 96)

        def lost(least):
            """Blocks that were asked for with so many bytes."""
            return sum(g["lost_blocks"] for g in leaks["groups"]
                       if least <= g["block_bytes"] < least * 9 // 8 + 16 and g["type"] is None)

        self.assertEqual(lost(1000), 25)
        self.assertEqual(lost(2 << 20), 1)
        self.assertEqual(lost(5000), 1, "an address in a freed block does not keep it")
        self.assertEqual(leaks["lost_blocks"], 10 + 25 + 1 + 1)
        self.assertEqual(leaks["lost_indirectly_blocks"], 20)
        self.assertEqual(leaks["bytes"], sum(g["bytes"] for g in leaks["groups"]))
        self.assertNotIn("shop::Kept", [g["type"] for g in leaks["groups"]])

    def libminimalloc(self):
        if self.run_plain(HEAPSPY, "run", "true").returncode != 0:
            self.skipTest("a build under a sanitizer has no libminimalloc")
        return (HEAPSPY, "run")

    def test_glibc(self):
        with Target() as target:
            self.check(inspect_json("--leaks", target.pid))

    def test_types_need_no_symbols(self):
        with Target(program="lost_blocks_stripped") as target:
            self.check(inspect_json("--leaks", target.pid))

    def test_libminimalloc(self):
        with Target(prefix=self.libminimalloc()) as target:
            self.check(inspect_json("--leaks", target.pid))

    def test_core_of_glibc(self):
        with Target() as target:
            core = self.gcore(target.pid)
        self.check(inspect_json("--leaks", core))

    def test_core_of_libminimalloc(self):
        with Target(prefix=self.libminimalloc()) as target:
            core = self.gcore(target.pid)
        self.check(inspect_json("--leaks", core))

    def test_core_of_the_kernel(self):
        _, core = self.core_of_the_dead(functools.partial(Target, "abort"))
        self.check(inspect_json("--leaks", core))

    def test_text(self):
        with Target() as target:
            text = inspect("--leaks", "--width", 80, target.pid).stdout
            report = inspect_json("--leaks", target.pid)
        self.assertEqual(report["heap_reading"], "stopped_for_leaks")
        self.assertIn("to search it for what leads to its blocks", " ".join(text.split()))
        self.assertIn("shop::Item", text)
        for line in text.splitlines():
            self.assertLessEqual(len(line), 80, line)

    def test_a_running_process_cannot_be_searched(self):
        with Target() as target:
            done = inspect("--leaks", "--no-stop", target.pid, check=False)
        self.assertEqual(done.returncode, 2)
        self.assertIn("leave out --no-stop", done.stderr)
