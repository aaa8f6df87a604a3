"""heapspy record: children and programs that are started have recordings of their own, which know of
their parents'."""
import contextlib
import pathlib
import re
import sqlite3

from harness import build_target, need
from recording import RecordTest

EXPORTS = pathlib.Path(__file__).parents[2] / "docs/exports.md"

# Puts another library's name wherever the channel's head has the agent's, as one of several recorded
# processes might that has dropped its rights; then has a child that becomes a program.
OVERWRITES = """
import mmap, os, sys
other = sys.argv[1].encode() + b'\\0'
with open(os.environ['HEAPSPY_CHANNEL'], 'r+b') as channel:
    head = mmap.mmap(channel.fileno(), 13 * 4096)
at = head.find(b'libheapspy-agent.so')
while at >= 0:
    begin = head.rfind(b'\\0', 0, at) + 1
    head[begin:begin + len(other)] = other
    at = head.find(b'libheapspy-agent.so')
sys.stdout.flush()
child = os.fork()
if child == 0:
    kept = [str(i) * 500 for i in range(3000)]
    os.execve('/usr/bin/env', ['env'], {})
os.waitpid(child, 0)
"""


class RecordChildren(RecordTest):
    def test_forked_children_have_recordings_of_their_own(self):
        self.record(build_target("recorded"))
        self.assertEqual(len(self.others()), 3)
        for file in self.others():
            found = self.by_function(self.report(file), ["in_child"])
            self.assertEqual(found["in_child"], [100, 20000, 0])

    def inherited(self, file):
        """The pid of a recording, and of what it began with: blocks, bytes, of these freed, by the
        function that asked for them."""
        report = self.report(file)
        self.check_whole(report)
        inherited = report["inherited"]
        self.assertTrue(inherited["is_known"])
        rows = {}
        for stack in inherited["stacks"]:
            names = [frame.get("function") for frame in stack["frames"]]
            for name in ("in_parent", "in_child"):
                if name in names:
                    rows[name] = (stack["count"], stack["bytes"], stack["freed_count"],
                                  stack["freed_bytes"])
                    break
        return report["process"]["pid"], inherited["parent_pid"], rows

    def test_a_child_knows_the_blocks_that_it_began_with(self):
        self.check_same(build_target("forks"))
        parent = self.report()
        self.assertIsNone(parent["inherited"])
        self.assertEqual(parent["totals"]["live_at_exit_blocks"], 0)
        seen = [self.inherited(file) for file in self.others()]
        [child] = [one for one in seen if "in_child" not in one[2]]
        [grandchild] = [one for one in seen if "in_child" in one[2]]
        self.assertEqual(child[1:], (parent["process"]["pid"],
                                     {"in_parent": (100, 100000, 30, 30000)}))
        self.assertEqual(grandchild[1:], (child[0], {"in_parent": (70, 70000, 20, 20000),
                                                     "in_child": (1, 5000, 1, 5000)}))
        text = self.report_text(self.directory / f"out.{child[0]}.heapspy")
        self.assertRegex(text, r"inherited +97.7 KiB in 100 blocks at its fork from process \d+")
        self.assertRegex(text, r"Inherited from process")

    def test_databases_of_a_child_and_its_parent_say_what_it_freed_of_the_parents(self):
        self.record(build_target("forks"))
        (query,) = re.findall(r"What a forked child freed.*?```sql\n(.*?)```",
                              EXPORTS.read_text(), re.DOTALL)
        freed = []
        for file in self.others():
            database = self.as_database(file)
            with contextlib.closing(sqlite3.connect(database)) as connection:
                (parent,) = connection.execute(
                    "SELECT value FROM recording WHERE key = 'inherited_recording'").fetchone()
                connection.execute("ATTACH ? AS parent", [str(self.as_database(file.with_name(parent)))])
                freed += [row[1:] for row in connection.execute(query)]
        self.assertEqual(sorted(freed), [(1, 5000), (30, 30000)])

    def test_what_one_process_writes_into_the_channel_loads_nothing_into_another(self):
        library = str(build_target("libjoined_library.so"))
        done = self.record(need("/usr/bin/python3", "python3"), "-S", "-c", OVERWRITES, library)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stdout, r"LD_PRELOAD=\S*libheapspy-agent\.so")
        self.assertNotIn(library, done.stdout)

    def test_a_child_says_where_its_parents_recording_is_missing(self):
        self.record(build_target("forks"))
        self.file.unlink()
        for file in self.others():  # the grandchild needs it as well
            report = self.report(file)
            self.assertFalse(report["inherited"]["is_known"])
            self.assertEqual(report["inherited"]["recording"], "out.heapspy")
            self.assertGreater(report["losses"]["frees_not_seen"], 0)
            self.assertRegex(self.report_text(file), r"inherited +not known: 'out.heapspy'")

    def test_a_child_that_allocates_after_its_parent_ended_is_recorded(self):
        self.record(build_target("late_child"))
        (child,) = self.others()
        self.assertEqual(self.by_function(self.report(child), ["in_late_child"])["in_late_child"],
                         [10, 500, 0])
        self.wait_for_orphan()

    def test_a_program_that_it_starts_is_recorded_too(self):
        done = self.record("sh", "-c", "ls / >/dev/null; exec true")
        self.assertEqual(done.returncode, 0, done.stderr)
        commands = [self.report(file)["process"]["command"][0] for file in self.others()]
        self.assertIn("ls", commands)
        self.assertEqual(self.report()["process"]["ending"], "exec")
