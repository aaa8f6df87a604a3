"""What the tests of heapspy record need: recordings, reports of them, and sums over stacks."""
import collections
import json
import re
import subprocess

from harness import HEAPSPY, PATIENCE_SECONDS, SystemTest, build_target


class RecordTest(SystemTest):
    def setUp(self):
        super().setUp()
        self.file = self.directory / "out.heapspy"
        # A build under a sanitizer has no agent.
        if "--agent" in self.record("true").stderr:
            self.skipTest("there is no agent beside this heapspy")
        self.file.unlink()

    def record(self, *command, options=(), **run):
        run.setdefault("env", self.environment)
        return subprocess.run(
            [HEAPSPY, "record", "-o", str(self.file), *options, "--", *map(str, command)],
            capture_output=True, text=True, check=False, timeout=PATIENCE_SECONDS, **run)

    def file_is_begun(self):
        """Whether heapspy has written to the file, which it may also have made and removed again to
        see that it can."""
        return self.file.exists() and self.file.stat().st_size > 0

    def report(self, file=None):
        done = subprocess.run([HEAPSPY, "report", "--json", str(file or self.file)],
                              capture_output=True, text=True, check=False,
                              timeout=PATIENCE_SECONDS)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def as_database(self, recording):
        """The file of its SQLite export."""
        database = recording.with_suffix(".db")
        subprocess.run([HEAPSPY, "report", "--export", "sqlite", "-o", database, recording],
                       check=True, timeout=PATIENCE_SECONDS)
        return database

    def report_text(self, file=None):
        return subprocess.run([HEAPSPY, "report", str(file or self.file)], capture_output=True,
                              text=True, check=True, timeout=PATIENCE_SECONDS).stdout

    def others(self):
        return sorted(path for path in self.directory.glob("out.*.heapspy"))

    @staticmethod
    def told(stdout):
        """What a program says of its functions, as "NAME: BLOCKS BYTES LEFT", without the last one
        where nothing is left."""
        rows = {name: [int(figure) for figure in figures.split()]
                for name, figures in re.findall(r"^(\w+): (.*)$", stdout, re.MULTILINE)}
        return {name: row if len(row) == 3 else [*row, 0] for name, row in rows.items()}

    @staticmethod
    def by_function(report, names):
        """Sums over the stacks by the innermost of their functions that is one of the names."""
        sums = collections.defaultdict(lambda: [0, 0, 0])
        for stack in report["stacks"]:
            functions = [frame.get("function") for frame in stack["frames"]]
            name = next((function for function in functions if function in names), None)
            for i, key in enumerate(("allocations", "allocated_bytes", "live_at_exit_blocks")):
                sums[name][i] += stack[key]
        return sums

    def check_functions(self, expected):
        """What was recorded of functions is what they say, and nothing was lost; the report."""
        report = self.report()
        found = self.by_function(report, expected)
        self.assertEqual({name: found[name] for name in expected}, expected)
        self.check_whole(report)
        return report

    def check_whole_stacks(self, target, stdout):
        """A program says this, and it is so in its recording, with no outer frame missing."""
        done = self.record(build_target(target))
        self.assertEqual((done.returncode, done.stdout), (0, stdout))
        report = self.check_functions(self.told(stdout))
        self.assertEqual(report["losses"]["truncated_stacks"], 0)

    def check_whole(self, report):
        """Nothing was lost, and every free is that of a block that was seen."""
        self.assertEqual(report["totals"]["dropped_events"], 0)
        self.assertEqual(report["losses"]["frees_not_seen"], 0)
        self.assertEqual(report["losses"]["lost_blocks"], 0)

    def check_same(self, *command, options=(), **run):
        plain = self.run_plain(*command, **run)
        recorded = self.record(*command, options=["-q", *options], **run)
        self.assertEqual(recorded.returncode, plain.returncode, recorded.stderr)
        self.assertEqual(recorded.stdout, plain.stdout.decode())
        report = self.report()
        self.check_whole(report)
        return report
