#!/usr/bin/env python3
"""Options by environment and the report at exit, seen from outside.

    process_test.py EXITS_PROGRAM LIBRARY LATE_PROGRAM VERSIONED_PROGRAM EXITS_WITH_ARCHIVE
"""
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

EXITS, LIBRARY, LATE, VERSIONED, EXITS_ARCHIVE = sys.argv[1:6]


def run(*words, **options):
    environment = {"MINIMALLOC_" + name: value for name, value in options.items()}
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (words, done)
    return done


def numbers(text):
    return [int(word.replace(",", "")) for word in re.findall(r"\d[\d,]*", text)]


def bytes_row(report, label):
    (line,) = [line for line in report.splitlines() if line.strip(" +=").startswith(label)][:1]
    return numbers(line[len(line) - len(line.lstrip(" +=")) + len(label):])[0]


class Report(unittest.TestCase):
    def test_is_there_only_when_asked_for(self):
        self.assertEqual(run(EXITS).stderr, "")
        self.assertEqual(run(EXITS, STATS="0").stderr, "")
        self.assertEqual(run(EXITS, STATS="1").stderr.count("at exit"), 1)

    def test_size_classes_add_up(self):
        report = run(EXITS, STATS="1").stderr
        lines = report.splitlines()
        begin = next(i for i, line in enumerate(lines) if "block size" in line)
        end = next(i for i, line in enumerate(lines) if "all small" in line)
        rows = [numbers(line) for line in lines[begin + 1 : end]]
        self.assertGreater(len(rows), 20)
        for row in rows:
            _, _, _, blocks, in_use, cached, in_depots, free = row
            self.assertEqual(blocks, in_use + cached + in_depots + free, row)
        self.assertEqual([sum(column) for column in list(zip(*rows))[1:]], numbers(lines[end]))
        in_use_bytes = sum(row[0] * row[4] for row in rows)
        self.assertEqual(in_use_bytes, bytes_row(report, "small blocks in use"))

    def test_fits_a_terminal(self):
        for line in run(EXITS, STATS="1").stderr.splitlines():
            self.assertLessEqual(len(line), 80, line)

    def test_bytes_add_up_to_what_the_kernel_has_mapped(self):
        done = run(EXITS, STATS="1")
        lines = done.stderr.split("\n  bytes\n")[1].split("\n\n")[0].splitlines()
        total, sums = 0, 0
        for line in lines:
            sign, value = line[:4].strip(), numbers(re.split(r"  +", line.strip())[1])[0]
            if sign == "=":
                self.assertEqual(total, value, line)
                sums += 1
            elif sign == "+":
                total += value
            else:
                total = value
        self.assertEqual(sums, 3)
        mapped = bytes_row(done.stderr, "heap") + bytes_row(done.stderr, "tables that describe")
        self.assertEqual(mapped, int(done.stdout))

    def test_names_heaps_with_care_for_the_terminal(self):
        self.assertIn('heap 1 "the second ? heap":', run(EXITS, STATS="1").stderr)

    def test_of_children_only_where_all_are_meant(self):
        self.assertEqual(run(EXITS, "fork", STATS="1").stderr.count("at exit"), 1)
        self.assertEqual(run(EXITS, "fork", STATS="all").stderr.count("at exit"), 2)

    def test_survives_that_the_program_closes_standard_error(self):
        self.assertIn("at exit", run(EXITS, "close", STATS="1").stderr)

    def test_goes_into_no_file_of_the_program(self):
        done = run(EXITS, "replace", STATS="1")
        self.assertNotIn("at exit", done.stdout)
        self.assertIn("at exit", done.stderr)

    def test_stays_away_where_standard_error_is_a_file_of_the_program(self):
        done = run(EXITS, "reuse", STATS="1")
        self.assertNotIn("at exit", done.stdout)
        self.assertEqual(done.stderr, "")

    def test_goes_to_the_standard_error_of_who_asks_later(self):
        self.assertIn("at exit", run(EXITS, "ask").stderr)

    def test_goes_to_what_standard_error_was_when_it_was_asked_for(self):
        done = run(EXITS, "ask_reuse")
        self.assertNotIn("at exit", done.stdout)
        self.assertIn("at exit", done.stderr)

    def test_leaves_the_exit_status_where_the_thread_is_to_be_cancelled(self):
        self.assertIn("at exit", run(EXITS, "cancel", STATS="1").stderr)

    def test_does_not_come_where_the_program_skips_its_end(self):
        self.assertEqual(run(EXITS, "_exit", STATS="1").stderr, "")


class Unread(unittest.TestCase):
    """What nobody can read, or no file may hold, changes nothing for the program."""

    def unread(self, *words, full=False, blocked=(), **options):
        environment = {"MINIMALLOC_" + name: value for name, value in options.items()}
        reading, writing = os.pipe()
        with tempfile.TemporaryFile() as file, os.fdopen(writing, "w") as pipe:
            os.close(reading)

            def arrange():
                if full:
                    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
                signal.pthread_sigmask(signal.SIG_BLOCK, blocked)

            done = subprocess.run(
                words,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=file if full else pipe,
                text=True,
                check=False,
                preexec_fn=arrange,
            )
            return done.returncode, done.stdout

    def test_report_at_exit(self):
        for full in (False, True):
            self.assertEqual(self.unread(EXITS, full=full, STATS="1")[0], 0)

    def test_message_before_main(self):
        for full in (False, True):
            self.assertEqual(self.unread(EXITS, full=full, RETIAN="1")[0], 0)

    def test_signals_that_wait_already_stay_and_no_others_come(self):
        for blocked in ((), (signal.SIGPIPE,)):
            done = self.unread(EXITS, "signals", blocked=blocked, RETIAN="1")
            self.assertEqual((done[0], done[1].splitlines()[1:]), (0, ["0 0", "1 0"]))


class Options(unittest.TestCase):
    def test_verbose_shows_what_holds(self):
        line = run(EXITS, VERBOSE="1", RETAIN="3M", HUGE_PAGES="never").stderr
        self.assertRegex(line, r"^minimalloc \d+\.\d+\.\d+ serves this program: STATS=0 VERBOSE=1 ")
        self.assertIn("RETAIN=3145728 THREAD_CACHE=auto HUGE_PAGES=never WRONG_SIZES=abort\n", line)
        self.assertEqual(line.count("\n"), 1)

    def test_an_unknown_name_is_named_in_one_line(self):
        self.assertEqual(
            run(EXITS, RETIAN="3M").stderr,
            "minimalloc: MINIMALLOC_RETIAN: there is no such option; ignored\n",
        )

    def test_a_bad_value_is_named_in_one_line(self):
        self.assertEqual(
            run(EXITS, RETAIN="3Q").stderr,
            "minimalloc: MINIMALLOC_RETAIN=3Q: it takes a size such as 512K or 64M, or auto;"
            " ignored\n",
        )
        self.assertIn("takes auto, never or always;", run(EXITS, HUGE_PAGES="yes").stderr)

    def test_a_hostile_name_or_value_is_cut_and_shown_harmlessly(self):
        for name, value in (("RETAIN", "\x1b[2J" + "9" * 5000), ("\x1b[2J" + "X" * 5000, "1")):
            line = run(EXITS, **{name: value}).stderr
            self.assertNotIn("\x1b", line)
            self.assertIn("…: ", line)
            self.assertLess(len(line), 250)
            self.assertEqual(line.count("\n"), 1)

    @unittest.skipUnless(os.geteuid() == 0, "only root can make a program that is more than its user")
    def test_a_set_user_id_program_ignores_them(self):
        with tempfile.TemporaryDirectory() as folder:
            program = os.path.join(folder, "exits")
            shutil.copy(EXITS, program)
            os.chmod(folder, 0o755)
            # Its library by an absolute path: LD_LIBRARY_PATH and a relative run path do not count.
            library = os.path.join(folder, "libminimalloc.so.0")
            shutil.copy(LIBRARY, library)
            os.chmod(library, 0o644)
            os.chmod(program, 0o4755)
            done = subprocess.run(
                [program, "secure"],
                env={"MINIMALLOC_STATS": "1", "MINIMALLOC_WRONG": "1"},
                user=65534,
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode == 127 or "error while loading" in done.stderr:
                self.skipTest("the loader does not find the library: " + done.stderr)
            if not done.stdout.endswith("secure 1\n"):
                self.skipTest("here, such a program gets no rights")
            self.assertEqual(done.stderr, "")


class Preloaded(unittest.TestCase):
    def test_references_to_versions_of_the_c_library_find_it(self):
        undefined = subprocess.run(
            ["nm", "-D", VERSIONED], capture_output=True, text=True, check=True
        ).stdout
        self.assertRegex(undefined, r"\bU malloc@GLIBC")
        done = subprocess.run(
            [VERSIONED], env={"LD_PRELOAD": LIBRARY}, capture_output=True, text=True, check=True
        )
        self.assertEqual(done.stdout, (LIBRARY + "\n") * 4)

    def test_tells_nothing_of_itself_where_the_program_has_the_archive(self):
        done = subprocess.run(
            [EXITS_ARCHIVE],
            env={"LD_PRELOAD": LIBRARY, "MINIMALLOC_STATS": "1"},
            capture_output=True,
            text=True,
            check=True,
        )
        self.assertEqual(done.stderr.count("at exit"), 1)
        self.assertGreater(bytes_row(done.stderr, "small blocks in use"), 0)


class Late(unittest.TestCase):
    def test_a_cxx_library_that_came_late_gets_its_exception(self):
        # The program is C and loads C++ code for itself alone, as scripting languages do.
        self.assertEqual(run(LATE).stdout, "caught\n")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1] + sys.argv[6:])
