"""Every view of heapspy report and heapspy diff, of recordings of real programs, on a terminal of 80
columns and through a pipe."""
import fcntl
import os
import re
import struct
import subprocess
import termios
import unicodedata
import unittest

from harness import HEAPSPY, PATIENCE_SECONDS, Terminal, build_target
from recording import RecordTest

COLUMNS = 80
VIEWS = [[], ["--tree"], ["--tree=callers", "--measure", "calls"], ["--depth", "40"],
         ["--focus", "main"], ["--focus", "of no function"], ["--at", "1ms"],
         *([*tree, "--by", what] for tree in ([], ["--tree"])
           for what in ("function", "file", "module", "thread", "size"))]
PYTHON = "import json; print(len([json.dumps({'a': list(range(i % 9))}) for i in range(2000)]))"


def width(line):
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
               for c in line)


class ReportViews(RecordTest):
    def setUp(self):
        super().setUp()
        self.environment.update(LC_ALL="C.UTF-8", TERM="xterm")
        self.environment.pop("COLUMNS", None)

    def on_a_terminal(self, *words):
        session = Terminal([HEAPSPY, *words], env=self.environment)
        self.addCleanup(session.close)
        fcntl.ioctl(session.master, termios.TIOCSWINSZ, struct.pack("HHHH", 24, COLUMNS, 0, 0))
        status = session.read_to_end()
        self.assertEqual(status, 0, session.text)
        return re.sub(r"\x1b\[[0-9;]*m", "", session.text.decode())

    def through_a_pipe(self, *words):
        return subprocess.run([HEAPSPY, *words], env=self.environment, capture_output=True,
                              check=True, text=True, timeout=PATIENCE_SECONDS).stdout

    def check_fits(self, *words):
        for text in (self.on_a_terminal(*words), self.through_a_pipe(*words)):
            # Progress, where reading takes long, is written over.
            lines = re.split(r"\n|\r\x1b\[K", text)
            self.assertEqual([line for line in lines if width(line) > COLUMNS], [], words)
            # An arrow belongs to what it points from.
            self.assertEqual([line for line in lines if line.endswith("←")], [], words)
            # A moment after the begin there may be nothing to list yet.
            self.assertGreater(len(lines), 5 if "--at" in words else 10, words)

    def check_views(self, file):
        for view in VIEWS:
            self.check_fits("report", *view, str(file))

    def test_of_python(self):
        self.environment["PYTHONMALLOC"] = "malloc"
        self.record("/usr/bin/python3", "-c", PYTHON, options=["--first-touch"])
        self.check_views(self.file)
        whole = self.file.rename(self.directory / "whole.heapspy")
        self.record("/usr/bin/python3", "-c", PYTHON, options=["--sample", "4K"])
        self.check_views(self.file)
        self.check_fits("diff", str(whole), str(self.file))
        self.check_fits("diff", str(whole), str(whole))

    def test_of_threads_and_of_leaks(self):
        self.record(build_target("threads"))
        self.check_views(self.file)
        self.record(build_target("leaks"), options=["--leaks"])
        self.check_views(self.file)

    def test_of_a_process_and_its_children(self):
        self.record(build_target("forks"))
        self.check_views(self.file)
        for child in self.others()[:2]:
            self.check_views(child)

    def test_times_of_a_child_count_from_its_own_begin(self):
        """The child begins more than a second after its parent, and ends before it."""
        self.record("sh", "-c", "sleep 1; ls -d /")
        whole = self.report()
        [child] = [report for report in map(self.report, self.others())
                   if report["process"]["command"][:1] == ["ls"]]
        later_ns = child["process"]["started_unix_ns"] - whole["process"]["started_unix_ns"]
        first_ns = min(stack["first_ns"] for stack in child["stacks"])
        self.assertGreaterEqual(later_ns, 1_000_000_000)
        self.assertLessEqual(later_ns + first_ns, whole["until_ns"])
        self.assertLessEqual(first_ns, child["totals"]["peak_time_ns"])
        self.assertLessEqual(child["totals"]["peak_time_ns"], child["until_ns"])

    def chain(self, file):
        """The names of the programs that a process was, by the reports of each."""
        report = self.report(file)
        name = os.path.basename(report["process"]["executable"])
        following = report["process"]["next_recording"]
        if following is None:
            self.assertNotEqual(report["process"]["ending"], "exec")
            return [name]
        names = self.chain(following)
        self.assertEqual(self.report(following)["process"]["pid"], report["process"]["pid"])
        self.assertIn(f"became {names[0]}: see 'heapspy report {following}'",
                      " ".join(self.report_text(file).split()))
        return [name, *names]

    def test_a_report_leads_to_the_program_that_a_process_became(self):
        self.record("env", "A=1", "bash", "-c", "env ls -d /; exec true")
        first = self.report()["process"]["pid"]
        self.assertEqual(self.chain(self.file), ["env", "bash", "true"])
        [child] = [file for file in self.others()
                   if re.fullmatch(rf"out\.(?!{first}\.)\d+\.heapspy", file.name)]
        self.assertEqual(self.chain(child), ["bash", "env", "ls"])
        for file in self.others():
            file.unlink()
        self.assertIsNone(self.report()["process"]["next_recording"])
        self.assertNotIn("see 'heapspy report ", self.report_text())

    def test_a_full_disk_is_said(self):
        self.record(build_target("recorded"))
        for words in (["report"], ["report", "--json"], ["report", "--export", "folded"],
                      ["diff", str(self.file)]):
            with open("/dev/full", "wb") as full:
                done = subprocess.run([HEAPSPY, *words, str(self.file)], env=self.environment,
                                      stdout=full, stderr=subprocess.PIPE, check=False,
                                      timeout=PATIENCE_SECONDS)
            self.assertEqual(done.returncode, 1, words)
            self.assertEqual(done.stderr.decode(), f"heapspy {words[0]}: cannot write standard "
                                                   f"output: {os.strerror(28)}\n")

    def test_help_that_cannot_be_written_is_said(self):
        for words, who in ((["--help"], "heapspy help"), (["--version"], "heapspy"),
                           (["help", "trace"], "heapspy help"), (["run", "--help"], "heapspy run"),
                           (["lab", "-h"], "heapspy lab")):
            with open("/dev/full", "wb") as full:
                done = subprocess.run([HEAPSPY, *words], env=self.environment, stdout=full,
                                      stderr=subprocess.PIPE, check=False, timeout=PATIENCE_SECONDS)
            self.assertEqual((done.returncode, done.stderr.decode()),
                             (1, f"{who}: cannot write standard output: {os.strerror(28)}\n"), words)


if __name__ == "__main__":
    unittest.main()
