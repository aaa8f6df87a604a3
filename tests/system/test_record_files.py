"""heapspy record: where recordings go, and what is said where nothing can be recorded."""
import os
import re
import shlex
import subprocess

from harness import HEAPSPY, build_target, need, wait_until
from recording import RecordTest


class RecordFiles(RecordTest):
    def test_what_cannot_be_recorded_is_said(self):
        done = self.record(build_target("allocates_static"))
        self.assertEqual(done.returncode, 126)
        self.assertIn("statically linked", done.stderr)
        self.assertIn("heapspy trace", done.stderr)
        self.assertIn("heapspy inspect", done.stderr)
        self.assertEqual(done.stderr.count("\n"), 1)
        done = self.record("no-such-command")
        self.assertEqual(done.returncode, 127)
        self.assertFalse(self.file.exists())

    def test_another_library_than_the_agent_is_said_before_anything_runs(self):
        for library in (build_target("libother_library.so"), HEAPSPY, __file__):
            done = self.record("echo", "ran", options=["--agent", library])
            self.assertEqual((done.returncode, done.stdout), (126, ""))
            self.assertIn("is not heapspy's agent: without --agent", done.stderr)

    def test_a_file_that_cannot_be_written_is_said_before_anything_runs(self):
        self.file = self.directory / "no" / "folder" / "x.heapspy"
        done = self.record("touch", self.directory / "ran")
        self.assertEqual(done.returncode, 1)
        self.assertIn("cannot write", done.stderr)
        self.assertFalse((self.directory / "ran").exists())

    def test_a_file_that_is_being_recorded_to_is_said_before_anything_runs(self):
        first = subprocess.Popen([HEAPSPY, "record", "-q", "-o", self.file, "cat"],
                                 stdin=subprocess.PIPE, env=self.environment)
        self.addCleanup(first.communicate)
        wait_until(self.file_is_begun, "it is recorded", first)
        done = self.record("touch", self.directory / "ran")
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r"^heapspy record: cannot write '.*': another heapspy is "
                                      r"writing to it: choose another name with -o\n$")
        self.assertFalse((self.directory / "ran").exists())
        first.communicate()
        self.assertEqual(first.returncode, 0)
        self.assertEqual(self.report()["process"]["command"], ["cat"])
        self.assertEqual(self.record("true").returncode, 0)

    def test_a_recording_does_not_take_the_place_of_its_program(self):
        script = self.directory / "script"
        script.write_text("#!/bin/sh\necho ran\n")
        script.chmod(0o755)
        self.file = script
        done = self.record(script)
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertRegex(done.stderr, "^heapspy record: -o .* is what is read here, and would be lost: "
                                      "type another name\n$")
        self.assertEqual(script.read_text(), "#!/bin/sh\necho ran\n")

    def test_a_name_that_no_file_can_have_is_said_before_anything_runs(self):
        self.file = self.directory / ("n" * 256)
        done = self.record("touch", self.directory / "ran")
        self.assertEqual((done.returncode, done.stderr.count("\n")), (1, 1))
        self.assertIn("File name too long", done.stderr)
        self.assertFalse((self.directory / "ran").exists())

    def test_a_script_whose_interpreter_is_missing_is_said(self):
        script = self.directory / "script"
        script.write_text("#!/no/such/interpreter\n")
        script.chmod(0o755)
        done = self.record(script)
        self.assertEqual(done.returncode, 126)
        self.assertIn("the interpreter it names is missing", done.stderr)
        self.assertFalse(self.file.exists())

    def test_nobody_need_read_what_it_says(self):
        reading, writing = os.pipe()
        os.close(reading)
        done = subprocess.run([HEAPSPY, "record", "-o", self.file, "sh", "-c", "exit 3"],
                              stderr=writing, env=self.environment, check=False)
        os.close(writing)
        self.assertEqual(done.returncode, 3)

    def test_a_device_takes_the_recordings_of_all(self):
        self.file = self.directory / "null"
        self.file.symlink_to("/dev/null")
        done = self.record("sh", "-c", "ls / >/dev/null; exec true")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(list(self.directory.glob("null*")), [self.file])
        self.assertNotIn("heapspy report", done.stderr)

    def test_a_pipe_takes_one_recording(self):
        copy = self.directory / "copy"
        self.file = self.directory / "pipe"
        os.mkfifo(self.file)
        with open(copy, "wb") as out:
            cat = subprocess.Popen(["cat", self.file], stdout=out)
        done = self.record("sh", "-c", "ls / >/dev/null; exit 3")
        self.assertEqual((cat.wait(), done.returncode), (0, 3), done.stderr)
        self.assertEqual(list(self.directory.glob("pipe*")), [self.file])
        self.assertIn("a pipe takes the recording of one process", done.stderr)
        self.assertEqual(self.report(copy)["process"]["exit_status"], 3)

    def test_a_title_is_no_path(self):
        for title, name in (("/usr/bin/boss", "boss"), ("boss: idle", "boss: idle"),
                            ("boss: master /usr/bin/boss -p /some/folder", "boss")):
            done = self.record(need("bash"), "-c", f"exec -a '{title}' sh -c 'exit 3'")
            self.assertRegex(done.stderr, rf"process \d+ {name}, ")

    def test_names_are_shown_and_can_be_typed(self):
        self.file = self.directory / "it's one.heapspy"
        done = self.record(need("bash"), "-c",
                           "exec -a $'\\e[31mRED\\nheapspy: forged' sh -c 'exit 3'")
        self.assertNotIn("\x1b", done.stderr)
        self.assertNotIn("\nheapspy: forged", done.stderr)
        self.assertIn(r"\x1b[31mRED\nheapspy: forged", done.stderr)
        hint = re.search(r"^heapspy: see heapspy (report .*)$", done.stderr, re.MULTILINE)[1]
        subprocess.run(["sh", "-c", f"{shlex.quote(HEAPSPY)} {hint}"], check=True, capture_output=True)
