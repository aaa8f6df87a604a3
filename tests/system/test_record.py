"""heapspy record and report: what the recording says is what the program did, and the program is
the same with and without it."""
import collections
import contextlib
import io
import json
import os
import pathlib
import platform
import re
import shlex
import shutil
import signal
import sqlite3
import subprocess

from harness import HEAPSPY, PATIENCE_SECONDS, TARGETS, build_target, need, said, wait_until
from recording import RecordTest

# Instructions that a pair of malloc and free takes longer where nothing of it is recorded.
MOST_STEPS_ON_THE_WAY = 40


class Record(RecordTest):
    def test_it_counts_what_the_program_counted(self):
        done = self.record(build_target("recorded"))
        self.assertEqual(done.returncode, 42, done.stderr)
        expected = self.told(done.stdout)
        self.assertEqual(len(expected), 9)
        report = self.check_functions(expected)
        self.assertEqual(report["process"]["exit_status"], 42)
        self.assertEqual(report["leaks"][0]["bytes"], 10000)
        self.assertEqual(report["temporary"][0]["count"], 1000)
        self.assertEqual(report["totals"]["reallocations"], 3)  # of a block, and successful

    def test_stacks_are_whole_before_main_too(self):
        self.check_whole_stacks("early", "in_constructor: 7 7000 7\n")

    def test_the_program_where_the_loader_is_run_itself(self):
        loader = "/lib64/ld-linux-x86-64.so.2"
        if not os.path.exists(loader):
            self.skipTest(f"there is no {loader}")
        done = self.record(loader, build_target("recorded"))
        self.assertEqual(done.returncode, 42, done.stderr)
        self.check_functions(self.told(done.stdout))

    def test_a_program_with_address_sanitizer_is_recorded(self):
        if not (TARGETS / "recorded_asan").exists():
            self.skipTest("it was not built by GCC with AddressSanitizer")
        environment = dict(self.environment,
                           ASAN_OPTIONS="detect_leaks=0:allocator_may_return_null=1")
        done = self.record(build_target("recorded_asan"), env=environment)
        self.assertEqual(done.returncode, 42, done.stderr)
        expected = self.told(done.stdout)
        report = self.check_functions(expected)
        usable = report["usable"]
        self.assertGreaterEqual(usable["peak_usable_bytes"], usable["peak_requested_bytes"])

    def test_what_a_killed_program_told_is_there(self):
        done = self.record("sh", "-c", "kill -KILL $$")
        self.assertEqual(done.returncode, 128 + signal.SIGKILL)
        process = self.report()["process"]
        self.assertEqual((process["ending"], process["signal"]), ("killed", signal.SIGKILL))
        self.assertGreater(self.report()["totals"]["allocations"], 0)

    def test_the_program_outlives_heapspy(self):
        # It prints after heapspy is gone, and allocates enough to fill its ring many times.
        script = ("import os, time\n"
                  "print('started', flush=True)\n"
                  "while os.getppid() == PARENT: time.sleep(0.01)\n"
                  "print(sum(len([str(i)]) for i in range(200000)), flush=True)\n")
        python = need("/usr/bin/python3", "python3")
        script = script.replace("PARENT", "int(os.environ['HEAPSPY_PID'])")
        starter = (f"HEAPSPY_PID=$$ exec {shlex.join([HEAPSPY, 'record', '-q', '-o', str(self.file)])} "
                   f"{python} -c \"$0\"")
        heapspy = subprocess.Popen(["sh", "-c", starter, script], stdout=subprocess.PIPE,
                                   env=dict(self.environment, PYTHONMALLOC="malloc"))
        with heapspy:
            self.assertEqual(heapspy.stdout.readline(), b"started\n")
            heapspy.kill()
            heapspy.wait()
            self.assertEqual(heapspy.stdout.readline(), b"200000\n")
        self.wait_for_orphan()

    def test_what_few_events_tell_is_there_before_the_end(self):
        def allocations():
            return self.file_is_begun() and self.report()["totals"]["allocations"]

        with subprocess.Popen([HEAPSPY, "record", "-q", "-o", self.file, "sh", "-c", "read word"],
                              stdin=subprocess.PIPE, env=self.environment) as heapspy:
            wait_until(allocations, "an allocation in the file", heapspy)
            heapspy.kill()
        self.wait_for_orphan()
        self.assertGreater(allocations(), 0)

    def test_files_are_not_for_messages(self):
        """Where standard error is closed, a file that heapspy opens is not it."""
        self.record("true")
        for options in (["--fail-on-leak"], ["--export", "folded", "--focus", "nothing-has-it"]):
            out = self.directory / "out.txt"
            expected = self.directory / "expected.txt"
            words = [HEAPSPY, "report", *options, self.file, "-o"]
            subprocess.run([*words, expected], stderr=subprocess.DEVNULL, check=False)
            subprocess.run(["sh", "-c", 'exec "$@" 2>&-', "sh", *words, out], check=False)
            self.assertEqual(out.read_bytes(), expected.read_bytes())

    def test_functions_have_names_where_heapspy_was_killed(self):
        program = self.directory / "program"
        shutil.copy(build_target("churns"), program)

        def functions(report):
            return {frame.get("function") for stack in report["stacks"]
                    for frame in stack["frames"] if frame["module"] == str(program)}

        def missing():
            report = self.report()
            self.assertEqual(functions(report), {None})
            # However its lines are broken: the path may be long.
            self.assertIn("".join(str(program).split()), "".join(self.report_text().split()))
            (module,) = report["losses"]["unnamed_modules"]
            self.assertGreater(module["frames"], 0)
            return module["path"], module["reason"]

        with subprocess.Popen([HEAPSPY, "record", "-q", "-o", self.file, program, "1"],
                              stdin=subprocess.PIPE, env=self.environment) as heapspy:
            wait_until(lambda: self.file_is_begun() and len(self.report()["stacks"]) > 2,
                       "the threads' stacks in the file", heapspy)
            heapspy.kill()
        self.wait_for_orphan()
        report = self.report()
        self.assertLessEqual({"main", "churn"}, functions(report))
        self.assertEqual(report["losses"]["unnamed_modules"], [])
        with contextlib.closing(sqlite3.connect(self.as_database(self.file))) as connection:
            self.assertLessEqual({("main",), ("churn",)},
                                 set(connection.execute("SELECT function FROM lines")))
        program.unlink()
        self.assertEqual(missing(), (str(program), "no-file"))
        os.mkfifo(program)
        self.assertEqual(missing(), (str(program), "no-file"))
        program.unlink()
        shutil.copy(build_target("recorded"), program)
        self.assertEqual(missing(), (str(program), "other-file"))

    def test_a_program_that_outlives_heapspy_is_at_full_speed(self):
        def steps(stdout):
            return int(re.fullmatch(r"steps: (\d+)\n", stdout.read().decode())[1])

        if platform.machine() != "x86_64":
            self.skipTest("instructions are counted by the trap flag of x86-64")
        program = build_target("steps")
        plain = subprocess.run([program], input=b"\n", capture_output=True, check=True)
        unrecorded = steps(io.BytesIO(plain.stdout.removeprefix(b"started\n")))
        for options in ([], ["--sample", "512K"]):
            with subprocess.Popen([HEAPSPY, "record", "-q", "-o", self.file, *options, program],
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                  env=self.environment) as heapspy:
                self.assertEqual(heapspy.stdout.readline(), b"started\n")
                heapspy.kill()
                heapspy.wait()
                heapspy.stdin.write(b"\n")
                heapspy.stdin.close()
                self.assertLess(steps(heapspy.stdout), unrecorded + MOST_STEPS_ON_THE_WAY)
            self.wait_for_orphan()

    def test_programs_are_the_same_with_it(self):
        python = need("/usr/bin/python3", "python3")
        self.environment["PYTHONMALLOC"] = "malloc"
        report = self.check_same(python, "-c", "print(len({i: str(i) for i in range(50000)}))")
        self.assertGreater(report["totals"]["allocations"], 50000)
        self.check_same(build_target("threads"))
        self.check_same("sh", "-c", "echo out; echo err >&2; exit 3")

    def test_sqlite_is_the_same_with_it(self):
        need("sqlite3")
        self.check_same("sqlite3", ":memory:",
                        "create table t(a); with recursive c(x) as (select 1 union all select x+1 "
                        "from c where x<5000) insert into t select hex(x) from c; "
                        "select count(*), sum(length(a)) from t;")

    def test_a_compiler_is_recorded_with_what_it_starts(self):
        need("g++")
        source = self.directory / "t.cc"
        source.write_text("#include <map>\n#include <string>\nstd::map<std::string, int> m;\n")
        done = self.record("g++", "-c", source, "-o", self.directory / "t.o")
        self.assertEqual(done.returncode, 0, done.stderr)
        names = [os.path.basename(self.report(file)["process"]["executable"])
                 for file in self.others()]
        self.assertIn("cc1plus", names)

    def test_other_allocators_are_recorded_as_well(self):
        libraries = {"libjemalloc2": "libjemalloc.so.2",
                     "libtcmalloc-minimal4": "libtcmalloc_minimal.so.4",
                     "libmimalloc2.0": "libmimalloc.so.2.0"}
        found = 0
        for library in libraries.values():
            probe = self.run_plain("true", env=dict(self.environment, LD_PRELOAD=library))
            if b"cannot be preloaded" in probe.stderr:
                continue
            found += 1
            with self.subTest(library):
                done = self.record(build_target("recorded"),
                                   env=dict(self.environment, LD_PRELOAD=library))
                self.assertEqual(done.returncode, 42, done.stderr)
                sums = self.by_function(self.report(), ["temporary", "leaks", "in_thread"])
                self.assertEqual(sums["temporary"], [1000, 100000, 0])
                self.assertEqual(sums["leaks"], [10, 10000, 10])
                self.assertEqual(sums["in_thread"], [8 * 501, 8 * (500 * 64 + 48), 0])
        if not found:
            self.skipTest("none of the other allocators is installed")

    def test_every_operator_new_counts_once_on_every_allocator(self):
        libraries = ["", "libjemalloc.so.2", "libtcmalloc_minimal.so.4", "libmimalloc.so.2.0"]
        minimalloc = pathlib.Path(HEAPSPY).resolve().parent / "../api/libminimalloc.so"
        if minimalloc.exists():
            libraries.append(str(minimalloc))
        for library in libraries:
            environment = dict(self.environment, LD_PRELOAD=library)
            if b"cannot be preloaded" in self.run_plain("true", env=environment).stderr:
                continue
            with self.subTest(library):
                # mimalloc ends a program that asks for too much.
                arguments = ["fails"] if "mimalloc" not in library else []
                done = self.record(build_target("news"), *arguments, env=environment)
                self.assertEqual(done.returncode, 0, done.stderr)
                expected = self.told(done.stdout)
                self.assertEqual(len(expected), 3)
                self.check_functions(expected)

    def test_usable_sizes_are_the_allocators_own(self):
        for library in ("", "libjemalloc.so.2", "libtcmalloc_minimal.so.4", "libmimalloc.so.2.0"):
            environment = dict(self.environment, LD_PRELOAD=library)
            if b"cannot be preloaded" in self.run_plain("true", env=environment).stderr:
                continue
            with self.subTest(library):
                done = self.record(build_target("usable"), env=environment)
                facts = said(done.stdout)
                usable = self.report()["usable"]
                # Loaders and libraries may have some small blocks of their own.
                others = usable["peak_requested_bytes"] - facts["requested number"]
                self.assertIn(usable["peak_blocks"] - facts["blocks number"], range(64))
                self.assertIn(others, range(200000))
                overhead = usable["peak_usable_bytes"] - usable["peak_requested_bytes"]
                expected = facts["usable number"] - facts["requested number"]
                # glibc gives a block what is left over of a free chunk, where that is too small to
                # be one: 16 bytes, which the first block of the size did not have.
                self.assertLess(abs(overhead - expected), 16 * 64 + expected // 50)
                for key in ("peak_requested_bytes", "peak_usable_bytes", "peak_blocks"):
                    self.assertEqual(sum(one[key] for one in usable["classes"]), usable[key])
                self.assertIn("overallocated", self.report_text())

    def test_a_report_takes_no_more_memory_for_a_longer_recording(self):
        def totals(file):
            done = subprocess.run([HEAPSPY, "report", "--json", "--top", "1", file], check=True,
                                  capture_output=True, timeout=PATIENCE_SECONDS)
            return json.loads(done.stdout)["totals"]

        def recorded(name, *command):
            file = self.directory / name
            done = subprocess.run([HEAPSPY, "record", "-q", "-o", file, "--", *command],
                                  env={**self.environment, "PYTHONMALLOC": "malloc"}, check=False,
                                  capture_output=True, timeout=PATIENCE_SECONDS)
            self.assertEqual(done.returncode, 0, done.stderr)
            return file

        def allocations_and_peak_of_report(turns):
            code = f"d = {{}}\nfor i in range({turns}): d[i % 1000] = str(i) * (1 + i % 9)\n"
            file = recorded(f"{turns}.heapspy", python, "-c", code)
            return (totals(file)["allocations"],
                    totals(recorded("report.heapspy", HEAPSPY, "report", file))["peak_live_bytes"])

        python = need("/usr/bin/python3", "python3")
        few, few_bytes = allocations_and_peak_of_report(100_000)
        many, many_bytes = allocations_and_peak_of_report(1_000_000)
        self.assertGreater(many, 7 * few)
        # What differs is the size of the file's largest block.
        self.assertLess(many_bytes, few_bytes + (1 << 20))

    def test_page_faults_belong_to_who_asked_for_the_memory(self):
        done = self.record(build_target("touches"), options=["--first-touch"])
        facts = said(done.stdout)
        self.assertEqual(done.returncode, 0, done.stderr)
        touch = self.report()["first_touch"]
        if touch["refusal"] is not None:
            self.assertIn("perf_event_open", touch["refusal"])
            self.assertIn("not recorded", self.report_text())
            self.skipTest(touch["refusal"])
        pages = collections.Counter()
        for owner in touch["owners"]:
            names = [frame.get("function") for frame in owner["frames"]]
            for name in ("half_used", "never_used", "mapped"):
                if name in names:
                    pages[name] += owner["pages"]
        # malloc writes the header of a block, in its first page.
        self.assertIn(pages["half_used"] - facts["half_used number"], (0, 1))
        self.assertIn(pages["never_used"], (0, 1))
        self.assertEqual(pages["mapped"], facts["mapped number"])
        [toucher] = [one for one in touch["touchers"]
                     if one["frames"] and one["frames"][0].get("function") == "use_pages"]
        self.assertEqual(toucher["pages"], facts["half_used number"] + facts["mapped number"])
        self.assertEqual(touch["in_mappings_bytes"], 4096 * facts["mapped number"])
        self.assertIn("First touched, by who asked for the memory", self.report_text())

    def test_rss_is_known_at_the_peak(self):
        # The peak lasts for less than it takes until the next regular sample.
        python = need("/usr/bin/python3", "python3")
        self.environment["PYTHONMALLOC"] = "malloc"
        self.record(python, "-c", "x = [b'x' * 100000 for _ in range(3000)]; x.append(0); del x")
        totals = self.report()["totals"]
        self.assertGreater(totals["rss_at_peak_bytes"], 150 << 20)
        self.assertLessEqual(totals["rss_at_peak_bytes"], totals["peak_rss_bytes"])
        self.assertRegex(self.report_text(), r"RSS at the peak +\S+ MiB with \S+ MiB live")

    def test_rss_is_known_however_soon_a_program_ends(self):
        python = need("/usr/bin/python3", "python3")
        for command in (["true"], ["sh", "-c", "exec /nowhere || exec true"],
                        [python, "-S", "-c", "import os; os._exit(0)"],
                        [build_target("leaks"), "quick"]):
            with self.subTest(command[0]):
                self.record(*command)
                for file in [self.file, *self.others()]:
                    report = self.report(file)
                    self.assertGreater(report["totals"]["peak_rss_bytes"], 500 << 10)
                    file.unlink()

    def test_a_program_ends_though_heapspy_stands_still(self):
        with subprocess.Popen([HEAPSPY, "record", "-q", "-o", self.file, "sh", "-c",
                               "echo $$; read line"], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, text=True,
                              env=self.environment) as heapspy:
            child = pathlib.Path(f"/proc/{heapspy.stdout.readline().strip()}/stat")
            heapspy.send_signal(signal.SIGSTOP)
            heapspy.stdin.close()
            wait_until(lambda: child.read_text().rpartition(")")[2].split()[0] == "Z", "its end")
            heapspy.send_signal(signal.SIGCONT)
            self.assertEqual(heapspy.wait(PATIENCE_SECONDS), 1)  # read found no line
        self.check_whole(self.report())

    def test_programs_tell_of_pools_moments_and_pages(self):
        for name in ("annotated", "annotated_non_pie"):
            with self.subTest(name):
                done = self.record(build_target(name))
                self.assertEqual(done.returncode, 0, done.stderr)
                report = self.report()
                self.assertEqual([marker["text"] for marker in report["markers"]], ["begin", "end"])
                sums = self.by_function(report, ["use_pool", "main"])
                self.assertEqual(sums["use_pool"], [10, 1000, 4])
                self.assertEqual(sums["main"], [0, 0, 0])  # the block that is the pool's memory
                self.assertEqual(report["totals"]["peak_live_bytes"], 1000)
                self.assertEqual(report["totals"]["recorded_allocations"], 10)
                self.assertEqual(report["losses"]["frees_not_seen"], 0)
                self.check_mappings(report)

    def test_programs_in_cxx_tell_of_pools_and_moments(self):
        done = self.record(build_target("annotated_cxx"))
        self.assertEqual(done.returncode, 0, done.stderr)
        report = self.report()
        self.assertEqual([marker["text"] for marker in report["markers"]], ["begin", "end"])
        self.assertEqual(self.by_function(report, ["main"])["main"], [10, 1000, 4])

    def check_mappings(self, report):
        rows = {}
        for mapping in report["mappings"]:
            names = [frame.get("function") for frame in mapping["frames"]]
            for name in ("map_pages", "move_break"):
                if name in names:
                    rows.setdefault(name, collections.Counter()).update(
                        {key: value for key, value in mapping.items() if isinstance(value, int)})
        pages = rows["map_pages"]
        self.assertEqual((pages["calls"], pages["mapped_at_exit_bytes"]), (2, 1 << 21))
        self.assertEqual((pages["most_mapped_bytes"], pages["discarded_bytes"]), (1 << 21, 8192))
        moved = rows["move_break"]
        self.assertEqual((moved["most_mapped_bytes"], moved["mapped_at_exit_bytes"]),
                         (65536, 49152))

    def test_programs_are_annotated_without_heapspy_too(self):
        for name in ("annotated", "annotated_cxx", "annotated_non_pie", "annotated_static"):
            self.assertEqual(self.run_plain(build_target(name)).returncode, 0)

    def test_the_agent_goes_along_where_the_environment_does_not(self):
        done = self.record(build_target("cleared"))
        self.assertEqual((done.returncode, done.stdout), (0, "14\n"), done.stderr)
        commands = [self.report(file)["process"]["command"] for file in self.others()]
        self.assertEqual(commands.count(["true"]), 14, commands)

    def test_a_sample_stands_for_all(self):
        self.record(build_target("recorded"))
        whole = self.report()["totals"]
        self.record(build_target("recorded"), options=["--sample", "1K"])
        report = self.report()
        totals = report["totals"]
        self.assertTrue(report["is_estimate"])
        self.assertLess(totals["recorded_allocations"], whole["recorded_allocations"])
        self.assertGreater(totals["allocated_bytes_error"], 0)
        # Six standard errors: by chance once in five hundred million runs.
        self.assertLess(abs(totals["allocated_bytes"] - whole["allocated_bytes"]),
                        6 * totals["allocated_bytes_error"])
        self.assertEqual(report["losses"]["frees_not_seen"], 0)
        self.assertEqual(report["losses"]["lost_blocks"], 0)
        self.assertEqual(report["temporary"], [])
        text = subprocess.run([HEAPSPY, "report", str(self.file)], capture_output=True, text=True,
                              check=True, timeout=PATIENCE_SECONDS).stdout
        self.assertRegex(text, r"allocated +.* ± [0-9.]+%")
        self.assertIn("estimated", text)

    def test_the_break_is_recorded(self):
        # Longer than a sample takes to come.
        python = need("/usr/bin/python3", "python3")
        self.environment["PYTHONMALLOC"] = "malloc"
        self.record(python, "-c", "import time; x = [bytes(3000) for _ in range(3000)]; time.sleep(1)")
        totals = self.report()["totals"]
        self.assertGreater(totals["peak_break_bytes"], 3000 * 3000)
        self.assertGreater(totals["peak_pss_bytes"], 0)
        self.assertLessEqual(totals["peak_pss_bytes"], totals["peak_rss_bytes"])

    def test_heaps_grow_as_without_it(self):
        need("strace")
        target = build_target("allocates")

        def growths(*prefix):
            log = self.directory / "brk"
            self.run_plain("strace", "-f", "-E", "LC_ALL=C", "-e", "trace=brk,execve", "-o", log,
                           *prefix, target)
            # Of the target itself, from its own execve on; sizes, since addresses are random. A call
            # that another process's interrupts is told in two lines, its result in the second.
            lines = [line.split(maxsplit=1) for line in log.read_text().splitlines()]
            first = max(i for i, (_, call) in enumerate(lines)
                        if "execve" in call and call.endswith("= 0"))
            breaks = [int(found[1], 16) for pid, call in lines[first:] if pid == lines[first][0]
                      for found in [re.search(r"brk.*\) += (0x[0-9a-f]+)", call)] if found]
            return [after - before for before, after in zip(breaks, breaks[1:])]

        plain = growths()
        self.assertGreater(len(plain), 1)
        self.assertEqual(growths(HEAPSPY, "record", "-q", "-o", self.file), plain)
