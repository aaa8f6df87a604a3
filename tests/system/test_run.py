"""heapspy run: the program runs on the library, and is itself in everything else."""
import os
import signal
import subprocess

from harness import HEAPSPY, TARGETS, SystemTest, build_target, need


class Run(SystemTest):
    def setUp(self):
        super().setUp()
        # A build under a sanitizer has another malloc already, and no library of ours.
        if "--library" in self.run_on_library("true").stderr:
            self.skipTest("there is no libminimalloc beside this heapspy")

    def run_on_library(self, *words, **environment):
        return subprocess.run(
            [HEAPSPY, "run", *words],
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            check=False,
        )

    def refused(self, *words, status, saying, **environment):
        done = self.run_on_library(*words, **environment)
        self.assertEqual(done.returncode, status, done.stderr)
        self.assertEqual(done.stdout, "")
        self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
        self.assertIn(saying, done.stderr)

    def test_the_library_serves_the_program(self):
        done = self.run_on_library("--verbose", "--set", "RETAIN=5M", "cat", "/proc/self/maps")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("libminimalloc.so", done.stdout)
        self.assertRegex(done.stderr, r"^minimalloc \d.* RETAIN=5242880 ")

    def test_a_malloc_in_the_program_s_own_file_is_said(self):
        done = self.run_on_library(str(build_target("own_malloc")))
        self.assertEqual((done.returncode, done.stdout), (0, "3 blocks of its own\n"))
        self.assertRegex(done.stderr, r"\Aheapspy run: \S*own_malloc has a malloc of its own, .*\n\Z")

    def test_a_sanitizer_s_malloc_is_left_to_its_program(self):
        if not (TARGETS / "recorded_asan").exists():
            self.skipTest("it was not built by GCC with AddressSanitizer")
        self.refused(str(build_target("recorded_asan")), status=126,
                     saying="recorded_asan is built with AddressSanitizer, ")

    def test_the_report_comes_at_exit(self):
        self.assertIn("= pages in use", self.run_on_library("--stats", "true").stderr)

    def test_output_status_and_arguments_are_the_programs(self):
        done = self.run_on_library("--", "sh", "-c", 'echo "$0" "$1"; exit 42', "one", "--two")
        self.assertEqual((done.returncode, done.stdout, done.stderr), (42, "one --two\n", ""))

    def test_there_is_no_other_process(self):
        done = self.run_on_library("sh", "-c", "kill -TERM $$")
        self.assertEqual(done.returncode, -signal.SIGTERM)

    def test_what_was_to_be_preloaded_before_stays_before(self):
        # The loader warns of a library that is not there, and goes on.
        done = self.run_on_library("sh", "-c", 'echo "$LD_PRELOAD"', LD_PRELOAD="/no/such.so")
        self.assertRegex(done.stdout, r"^/no/such\.so:/.*/libminimalloc\.so\.0\n$")

    def test_another_library_can_be_named(self):
        self.refused("--library", "/no/such.so", "true", status=126, saying="'/no/such.so'")
        for no_malloc in ("/", __file__, HEAPSPY):
            self.refused("--library", no_malloc, "true", status=126,
                         saying="is not libminimalloc: without --library")

    def test_a_script_without_a_first_line_is_the_shells(self):
        script = self.directory / "script"
        script.write_text("echo served $1\n")
        script.chmod(0o755)
        self.assertEqual(self.run_on_library(script, "well").stdout, "served well\n")

    def test_a_static_program_is_refused(self):
        self.refused(build_target("allocates_static"), status=126, saying="statically linked")

    def test_a_program_of_another_c_library_is_refused(self):
        self.refused(build_target("allocates_musl"), status=126, saying="")

    def test_no_such_command(self):
        self.refused("no-such-command-anywhere", status=127, saying="no such command")

    def test_a_file_that_is_not_executable(self):
        self.refused("/etc/passwd", status=126, saying="ermission denied")

    def test_usage_errors(self):
        self.refused(status=2, saying="heapspy run ls")
        self.refused("--set", "x", "true", status=2, saying="--set")
        self.refused("--no-such-option", "true", status=2, saying="--no-such-option")

    def test_it_can_be_traced(self):
        done = subprocess.run(
            [HEAPSPY, "trace", "--summary", HEAPSPY, "run", need("python3"), "-c", "print(1)"],
            capture_output=True,
            text=True,
            check=False,
        )
        self.assertEqual((done.returncode, done.stdout), (0, "1\n"), done.stderr)
