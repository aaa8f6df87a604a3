"""heapspy diff: a program that was changed and built again, and two runs of the same one."""
import json
import subprocess

from harness import HEAPSPY, PATIENCE_SECONDS, SystemTest, need, run_on_pipes

PROGRAM = """
#include <stdlib.h>
#include <string.h>
{header}
static void* cache[100];
__attribute__((noinline)) void* parse(size_t bytes) {{
  void* p = malloc(bytes);
  memset(p, 1, bytes);
  return p;
}}
__attribute__((noinline)) void fill_cache(void) {{
{padding}
  for (int i = 0; i < 100; ++i) cache[i] = parse(1000);
}}
__attribute__((noinline)) void {session}(void) {{ {leak} }}
int main(void) {{
  fill_cache();
  for (int i = 0; i < 2000; ++i) free(parse(64));
  for (int i = 0; i < 50; ++i) {session}();
  for (int i = 0; i < 100; ++i) free(cache[i]);
  return 0;
}}
"""


class Diff(SystemTest):
    def setUp(self):
        super().setUp()
        if "--agent" in self.record("true", "probe").stderr:
            self.skipTest("there is no agent beside this heapspy")

    def record(self, command, name, *arguments):
        return subprocess.run(
            [HEAPSPY, "record", "-q", "-o", str(self.directory / f"{name}.heapspy"), "--",
             str(command), *arguments],
            capture_output=True, text=True, check=False, timeout=PATIENCE_SECONDS,
            env=self.environment)

    def diff(self, *options, before="old", after="new"):
        files = [str(self.directory / f"{name}.heapspy") for name in (before, after)]
        return subprocess.run([HEAPSPY, "diff", *options, *files], capture_output=True, text=True,
                              check=False, timeout=PATIENCE_SECONDS)

    def build_and_record(self, name, **parts):
        cc = need("cc", "gcc")
        source = self.directory / "program.c"
        source.write_text(PROGRAM.format(**parts))
        program = self.directory / f"program-{name}"
        subprocess.run([cc, "-O1", "-g", "-o", program, source], check=True)
        done = self.record(program, name)
        self.assertEqual(done.returncode, 0, done.stderr)

    def record_both_builds(self):
        self.build_and_record("old", header="", padding="", session="session",
                              leak="free(parse(500));")
        self.build_and_record("new", header="int added(int a) { return a * 3; }\n" * 1,
                              padding="\n" * 20, session="session", leak="parse(500);")

    def test_through_pipes(self):
        """A recording is read as it comes."""
        self.record_both_builds()
        files = [self.directory / f"{name}.heapspy" for name in ("old", "new")]
        piped = run_on_pipes([HEAPSPY, "diff", "--json"], files, check=True)
        plain = json.loads(self.diff("--json").stdout)
        self.assertEqual(json.loads(piped.stdout)["totals"], plain["totals"])

    def test_stacks_match_across_builds(self):
        self.record_both_builds()
        done = self.diff("--json", "--measure", "leaked")
        self.assertEqual(done.returncode, 0, done.stderr)
        diff = json.loads(done.stdout)
        before, after = diff["totals"]["before"], diff["totals"]["after"]
        self.assertEqual(after["live_at_exit_bytes"] - before["live_at_exit_bytes"], 50 * 500)
        self.assertEqual(after["allocations"], before["allocations"])
        # Every stack is in both, for all that lines and addresses have changed.
        of_program = [stack for stack in diff["stacks"]
                      if any(frame["function"] == "main" for frame in stack["frames"])]
        self.assertEqual(len(of_program), 3)
        for stack in of_program:
            self.assertTrue(stack["is_before"] and stack["is_after"], stack)
        functions = [frame["function"] for frame in diff["stacks"][0]["frames"]]
        self.assertIn("session", functions)
        self.assertEqual(diff["stacks"][0]["after"]["live_at_exit_bytes"], 25000)
        self.assertEqual(diff["findings"][0]["kind"], "leaked-growth")
        self.assertIn("from 0 B to 24.4 KiB", diff["findings"][0]["statement"])
        self.assertIn("100% of it in parse at program.c:", diff["findings"][0]["evidence"])

    def test_text_says_what_grew(self):
        self.record_both_builds()
        text = self.diff("--width", "80", "--color=never").stdout
        self.assertIn("+24.4 KiB", text)
        self.assertIn("More: never freed", text)
        self.assertNotIn("More: calls", text)
        for line in text.splitlines():
            self.assertLessEqual(len(line), 80)
        by_module = self.diff("--by", "module", "--measure", "leaked", "--color=never").stdout
        self.assertIn("program-new", by_module)

    def test_a_growth_beyond_the_limit_fails_a_check(self):
        self.record_both_builds()
        leaked = ("--measure", "leaked")
        done = self.diff("--fail-on-growth", "24999", *leaked)
        self.assertEqual(done.returncode, 3)
        self.assertEqual(done.stderr, "heapspy diff: never freed: 24.4 KiB more than before: "
                                      "--fail-on-growth allows 24.4 KiB\n")
        self.assertEqual(self.diff("--fail-on-growth", "25000", *leaked).returncode, 0)
        self.assertEqual(self.diff("--fail-on-growth", "0", "--measure", "calls").returncode, 0)
        done = self.diff("--fail-on-growth", "1%", *leaked)
        self.assertEqual(done.returncode, 3)
        self.assertIn("allows 1%", done.stderr)
        back = self.diff("--fail-on-growth", "0", *leaked, before="new", after="old")
        self.assertEqual(back.returncode, 0)

    def test_two_runs_of_python_differ_by_what_was_done_more(self):
        python = need("/usr/bin/python3", "python3")
        self.environment.update(PYTHONMALLOC="malloc", PYTHONHASHSEED="0")
        script = "kept = [bytes(1000) for _ in range({})]"
        for name, count in (("old", 100), ("new", 3100)):
            done = self.record(python, name, "-c", script.format(count))
            self.assertEqual(done.returncode, 0, done.stderr)
        diff = json.loads(self.diff("--json").stdout)
        grown = (diff["totals"]["after"]["peak_live_bytes"]
                 - diff["totals"]["before"]["peak_live_bytes"])
        self.assertGreater(grown, 3000 * 1000)
        self.assertLess(grown, 3000 * 1200)
        # Most of it is one stack's, which both runs have.
        first = diff["stacks"][0]
        self.assertTrue(first["is_before"] and first["is_after"])
        self.assertGreater(first["after"]["peak_live_bytes"] - first["before"]["peak_live_bytes"],
                           0.9 * grown)
        in_both = [stack for stack in diff["stacks"] if stack["is_before"] and stack["is_after"]]
        self.assertGreater(len(in_both), 0.9 * len(diff["stacks"]))

    def test_what_is_no_recording_is_said(self):
        for name in ("old", "new"):
            (self.directory / f"{name}.heapspy").write_text("this is something else, and long enough")
        done = self.diff()
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stderr.count("\n"), 1)
        self.assertIn("is no recording", done.stderr)
        self.assertEqual(self.diff("extra").returncode, 2)
