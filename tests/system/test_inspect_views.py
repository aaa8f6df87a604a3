"""What heapspy inspect shows on demand: the map, the pins, malloc_trim tried, a watch; and heapspy diff
of two inspections."""
import fcntl
import json
import os
import pathlib
import signal
import subprocess
import threading

from harness import (HEAPSPY, PATIENCE_SECONDS, SystemTest, Terminal, build_target, run_on_pipes,
                     unread_bytes, wait_until)
from recording import RecordTest
from test_inspect import Target as KnownHeap
from test_inspect import inspect, inspect_json


class Target:
    """phases, which does what it is told."""

    def __init__(self, *prefix, program="phases", **run):
        self.process = subprocess.Popen([*prefix, build_target(program)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, bufsize=0, **run)
        self.pid = self.process.pid
        self.expect(b"ready\n")

    def expect(self, line):
        got = self.process.stdout.readline()
        if got != line:
            raise AssertionError(f"{line!r} expected, got {got!r}")

    def do(self, *words):
        self.process.stdin.write((" ".join(map(str, words)) + "\n").encode())
        self.expect(b"done\n")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(timeout=PATIENCE_SECONDS)
        self.process.stdout.close()


class Map(SystemTest):
    def test_adds_up_to_the_heap(self):
        with KnownHeap() as target:
            report = inspect_json("--map", target.pid)
        cells = report["map"]
        live = sum(sum(region["live_bytes"]) for region in cells["regions"])
        uses = sum(arena["uses"].get("live", {"bytes": 0})["bytes"] for arena in report["arenas"])
        self.assertEqual(live, uses + report["heap"]["mmapped_bytes"])
        resident = sum(sum(region["resident_bytes"]) for region in cells["regions"])
        rows = sum(row["bytes"] for row in report["resident_ledger"]
                   if row["kind"] in ("live_blocks", "mmapped_blocks", "cached_blocks", "free_in_bins",
                                      "free_top", "overhead", "foreign_break", "unknown_heap"))
        self.assertEqual(resident, rows)
        for region in cells["regions"]:
            begin, end = int(region["begin"], 16), int(region["end"], 16)
            cell = cells["cell_bytes"]
            self.assertEqual(len(region["live_bytes"]), (end - 1) // cell - begin // cell + 1)
            for amount in region["live_bytes"] + region["resident_bytes"]:
                self.assertLessEqual(amount, cell)

    def test_a_part_of_it(self):
        with KnownHeap() as target:
            region = inspect_json("--map", target.pid)["map"]["regions"][0]
            begin = int(region["begin"], 16)
            part = inspect_json("--map", "--range", f"{begin:#x}-{begin + 0x8000:#x}", target.pid)["map"]
            nothing = inspect_json("--map", "--range", "0x10-0x20", target.pid)["map"]
        self.assertEqual([int(part["regions"][0][key], 16) for key in ("begin", "end")],
                         [begin, begin + 0x8000])
        self.assertEqual(part["cell_bytes"], 4096)
        self.assertEqual(nothing, {"cell_bytes": None, "regions": []})

    def test_fits_its_width_in_both_alphabets(self):
        with KnownHeap() as target:
            for locale, full in (("C.UTF-8", "\u2588"), ("C", "#")):
                done = subprocess.run([HEAPSPY, "inspect", "--map", "--width", "80", str(target.pid)],
                                      capture_output=True, text=True, check=True,
                                      env=dict(os.environ, LC_ALL=locale))
                self.assertIn(full, done.stdout)
                for line in done.stdout.splitlines():
                    self.assertLessEqual(len(line), 80, line)


class Pins(SystemTest):
    def test_say_what_they_hold(self):
        """Every hundredth of many blocks is left: they keep the pages between them."""
        with Target() as target:
            target.do("grow", 20000, 1000)
            target.do("drop")
            report = inspect_json(target.pid)
            text = inspect(target.pid).stdout
        self.assertGreater(len(report["pins"]), 10)
        for pin in report["pins"]:
            self.assertGreater(pin["pinned_bytes"], 0)
            self.assertIn("hint", pin)
        self.assertIn("could go back", text)

    def test_hint_of_objects(self):
        with KnownHeap() as target:
            report = inspect_json(target.pid)
        self.assertTrue(all(pin["hint"] is None or isinstance(pin["hint"], str) for pin in report["pins"]))


class Trim(SystemTest):
    def trial(self, target):
        report = inspect_json("--try-trim", target.pid)
        trim = report["trim"]
        self.assertEqual(trim["given_back_bytes"], trim["rss_before_bytes"] - trim["rss_after_bytes"])
        self.assertEqual(trim["predicted_bytes"], report["heap"]["returnable_bytes"])
        return trim

    def check_prediction(self, trim):
        """Right to within a few pages: the stack that the call ran on, code that it touched first."""
        self.assertGreater(trim["predicted_bytes"], 4 << 20)
        self.assertLess(abs(trim["given_back_bytes"] - trim["predicted_bytes"]), 512 << 10, trim)
        self.assertEqual(trim["returned"], 1)

    def test_gives_back_what_was_predicted(self):
        with Target() as target:
            target.do("grow", 20000, 1000)
            target.do("drop")
            self.check_prediction(self.trial(target))
            self.assertLess(inspect_json(target.pid)["heap"]["returnable_bytes"], 512 << 10)
            target.do("grow", 10, 10)

    def test_on_libminimalloc(self):
        if self.run_plain(HEAPSPY, "run", "true").returncode != 0:
            self.skipTest("a build under a sanitizer has no libminimalloc")
        with Target(HEAPSPY, "run") as target:
            target.do("grow", 20000, 1000)
            target.do("drop")
            self.check_prediction(self.trial(target))
            target.do("grow", 10, 10)

    def test_while_threads_are_inside_malloc_and_in_calls(self):
        with Target() as target:
            target.do("spin")
            target.do("spin")
            target.do("call")
            target.do("grow", 20000, 1000)
            target.do("drop")
            for _ in range(5):
                self.assertIn(self.trial(target)["returned"], (0, 1))
            target.do("grow", 1000, 100)
            status = pathlib.Path(f"/proc/{target.pid}/status").read_text()
            self.assertIn("TracerPid:\t0", status)
            maps = pathlib.Path(f"/proc/{target.pid}/maps").read_text()
            self.assertNotIn("rwxp", maps, "what the call needed is gone")

    def test_a_process_that_is_killed_meanwhile(self):
        """Whenever it is killed, the answer is figures or one line, and nothing hangs."""
        for delay in (0, 0.01, 0.03, 0.06, 0.1):
            with Target() as target:
                target.do("grow", 20000, 1000)
                target.do("drop")
                killer = threading.Timer(delay, os.kill, (target.pid, signal.SIGKILL))
                killer.start()
                done = inspect("--try-trim", "--json", target.pid, check=False)
                killer.join()
            if done.returncode == 0:
                self.assertIn("trim", json.loads(done.stdout))
            else:
                self.assertEqual(done.returncode, 1)
                self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)

    def test_a_static_program_says_why_not(self):
        with KnownHeap(program="known_heap_static") as target:
            done = inspect("--try-trim", target.pid, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stderr, f"heapspy inspect: process {target.pid} is statically "
                                      "linked: it has no loader that says where malloc_trim is\n")

    def test_not_a_core(self):
        done = inspect("--try-trim", "core", check=False)
        self.assertEqual(done.returncode, 2)


class Watch(SystemTest):
    def test_in_a_pipe_one_view_after_the_other(self):
        with Target() as target:
            target.do("grow", 1, 1000)
            watch = subprocess.Popen([HEAPSPY, "inspect", "--json", "--watch", "100ms", str(target.pid)],
                                     stdout=subprocess.PIPE, text=True)
            first = json.loads(watch.stdout.readline())
            target.do("grow", 1000, 1000)
            reports = [first]
            while reports[-1]["heap"]["live_blocks"] < 1000:
                reports.append(json.loads(watch.stdout.readline()))
        rest = watch.communicate(timeout=PATIENCE_SECONDS)[0]
        for line in rest.splitlines():
            json.loads(line)
        self.assertEqual(watch.returncode, 0, "it ends with the process")

    def test_what_keeps_a_view_away_for_a_while_is_no_end(self):
        with Target() as target:
            watch = subprocess.Popen([HEAPSPY, "inspect", "--json", "--watch", "100ms", str(target.pid)],
                                     stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            json.loads(watch.stdout.readline())
            tracer = subprocess.Popen([HEAPSPY, "trace", "-q", "-p", str(target.pid)])
            reason = f"heapspy inspect: process {target.pid} is already traced by process {tracer.pid}: "
            while not watch.stdout.readline().startswith(reason):
                self.assertIsNone(watch.poll())
            tracer.send_signal(signal.SIGINT)
            self.assertEqual(tracer.wait(PATIENCE_SECONDS), 0)
            target.do("grow", 1000, 1000)
            while '"live_blocks":1000' not in watch.stdout.readline():
                self.assertIsNone(watch.poll())
            watch.send_signal(signal.SIGINT)
            watch.communicate(timeout=PATIENCE_SECONDS)
            self.assertEqual(watch.returncode, 0)

    def test_a_watch_that_nobody_reads_ends_all_the_same(self):
        with Target() as target:
            read_end, write_end = os.pipe()
            self.addCleanup(os.close, read_end)
            fcntl.fcntl(write_end, fcntl.F_SETPIPE_SZ, 4096)  # full with the beginning of a view
            watch = subprocess.Popen([HEAPSPY, "inspect", "--json", "--watch", "100ms",
                                      str(target.pid)], stdout=write_end)
            os.close(write_end)
            wait_until(lambda: unread_bytes(read_end) != 0, "something was written", watch)
            watch.send_signal(signal.SIGTERM)
            self.assertEqual(watch.wait(PATIENCE_SECONDS), 0)

    def test_on_a_terminal_the_reason_is_in_the_views_place(self):
        with Target() as target:
            terminal = Terminal([HEAPSPY, "inspect", "--watch", "100ms", target.pid],
                                env=dict(os.environ, TERM="xterm", LC_ALL="C"))
            terminal.read_until(rb"resident")
            tracer = subprocess.Popen([HEAPSPY, "trace", "-q", "-p", str(target.pid)])
            reason = terminal.read_until(rb"\x1b\[Hheapspy inspect: .* already traced by [^\n]*\n\x1b\[J")
            tracer.send_signal(signal.SIGINT)
            self.assertEqual(tracer.wait(PATIENCE_SECONDS), 0)
            terminal.read_until(rb"resident", reason.end())
            terminal.process.send_signal(signal.SIGINT)
            self.assertEqual(terminal.read_to_end(), 0)
            terminal.close()

    def test_a_terminal_is_left_as_it_was(self):
        with Target() as target:
            target.do("grow", 1, 1000)  # a heap has more lines than the window
            terminal = Terminal([HEAPSPY, "inspect", "--watch", "100ms", target.pid],
                                env=dict(os.environ, TERM="xterm", LC_ALL="C"))
            terminal.read_until(rb"resident")
            terminal.read_until(rb"(?s)\x1b\[H.*\x1b\[H")
            terminal.process.send_signal(signal.SIGINT)
            self.assertEqual(terminal.read_to_end(), 0)
            terminal.close()
        text = terminal.text.decode()
        self.assertTrue(text.startswith("\x1b[?1049h\x1b[?25l"))
        self.assertTrue(text.endswith("\x1b[?25h\x1b[?1049l"))
        views = text.split("\x1b[H")[1:]
        self.assertGreaterEqual(len(views), 2)
        for view in views:
            self.assertLess(view.count("\n"), 24)
            self.assertRegex(view, r"\r\n\.\.\. \d+ more lines: a taller window, or no --watch\x1b")

    def test_a_full_disk_is_said(self):
        with Target() as target:
            done = inspect("--watch", "100ms", "-o", "/dev/full", target.pid, check=False)
        self.assertEqual((done.returncode, done.stderr),
                         (1, f"heapspy inspect: cannot write '/dev/full': {os.strerror(28)}\n"))

    def test_a_name_is_no_process(self):
        done = inspect("no-such-program", check=False)
        self.assertEqual((done.returncode, done.stderr),
                         (1, "heapspy inspect: 'no-such-program' is neither a process id nor a file: "
                             "try heapspy inspect $(pidof no-such-program)\n"))

    def test_needs_a_process(self):
        self.assertEqual(inspect("--watch", "1s", "core", check=False).returncode, 2)
        self.assertIn("no process", inspect("--watch", "1s", 2**22 + 1, check=False).stderr)


class Diff(SystemTest):
    def two(self, *work):
        files = [self.directory / "before.json", self.directory / "after.json"]
        with Target() as target:
            target.do("grow", 100, 3000)
            files[0].write_text(inspect("--json", target.pid).stdout)
            for step in work:
                target.do(*step)
            files[1].write_text(inspect("--json", target.pid).stdout)
        return files

    def diff(self, *words, check=True):
        return subprocess.run([HEAPSPY, "diff", *map(str, words)], capture_output=True, text=True,
                              check=check, timeout=PATIENCE_SECONDS)

    def test_names_the_blocks_that_grew(self):
        files = self.two(("grow", 5000, 776), ("grow", 10, 3000))
        report = json.loads(self.diff("--json", *files).stdout)
        suspect = next(f for f in report["findings"] if f["kind"] == "leak_suspect")
        self.assertIn("776 bytes", suspect["statement"])
        self.assertIn("= 5,000 more blocks", suspect["evidence"])
        top = report["block_sizes"][0]
        self.assertEqual((top["block_bytes"], top["blocks"]["change"]), (776, 5000))
        self.assertEqual(top["bytes"]["change"], 5000 * 776)
        totals = {total["name"]: total for total in report["totals"]}
        before, after = (json.loads(path.read_text()) for path in files)
        self.assertEqual(totals["live_bytes"]["change"],
                         after["heap"]["live_bytes"] - before["heap"]["live_bytes"])
        self.assertEqual(totals["rss_bytes"]["change"], after["rss_bytes"] - before["rss_bytes"])
        self.assertTrue(report["same_process"])
        self.assertGreater(len(report["kinds"]), 1)
        short = json.loads(self.diff("--json", "--top", 1, *files).stdout)
        for name in ("kinds", "block_sizes"):
            self.assertEqual(short[name], report[name][:1])
        text = self.diff("--width", 80, *files).stdout
        self.assertIn("776", text)
        for words in ("mapped", "free, bins", "free, thread caches", "allocator's own"):
            self.assertIn(words, text)
        for line in text.splitlines():
            self.assertLessEqual(len(line), 80, line)

    def test_a_process_beside_its_core(self):
        files = [self.directory / "before.json", self.directory / "after.json"]
        with Target() as target:
            target.do("grow", 100, 3000)
            files[0].write_text(inspect("--json", target.pid).stdout)
            core = self.gcore(target.pid)
        files[1].write_text(inspect("--json", core).stdout)
        report = json.loads(self.diff("--json", *files).stdout)
        totals = {total["name"]: total for total in report["totals"]}
        self.assertEqual((totals["rss_bytes"]["after"], totals["rss_bytes"]["change"]), (None, None))
        self.assertGreater(totals["rss_bytes"]["before"], 0)
        self.assertEqual(totals["live_bytes"]["change"], 0)
        self.assertEqual(report["kinds_of"], "mapped")
        self.assertNotIn("live_blocks", {kind["name"] for kind in report["kinds"]})
        self.assertEqual(report["findings"], [])
        text = self.diff(*files).stdout
        self.assertIn(f"  {files[1]} is a core: what is mapped is compared", text)
        self.assertNotRegex(text, r"(?m) resident$")

    def test_growth_can_fail_a_check(self):
        files = self.two(("grow", 5000, 776))
        done = self.diff("--fail-on-growth", "1M", *files, check=False)
        self.assertEqual(done.returncode, 3)
        self.assertIn("--fail-on-growth allows 1 MiB", done.stderr)
        self.assertEqual(self.diff("--fail-on-growth", "100M", *files, check=False).returncode, 0)

    def test_through_pipes(self):
        files = self.two(("grow", 5000, 776))
        plain = json.loads(self.diff("--json", *files).stdout)
        piped = json.loads(run_on_pipes([HEAPSPY, "diff", "--json"], files, check=True).stdout)
        self.assertEqual(piped["totals"], plain["totals"])
        self.assertEqual(piped["block_sizes"], plain["block_sizes"])
        mixed = run_on_pipes([HEAPSPY, "diff", "--json", files[0]], files[1:], check=True)
        self.assertEqual(json.loads(mixed.stdout)["totals"], plain["totals"])

    def test_a_named_pipe_whose_writer_has_ended(self):
        files = self.two(("grow", 10, 776))
        fifo = self.directory / "fifo"
        os.mkfifo(fifo)
        reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
        text = files[0].read_bytes()
        writer = os.open(fifo, os.O_WRONLY)
        self.assertGreaterEqual(fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 1 << 20), len(text))
        os.write(writer, text)
        diff = subprocess.Popen([HEAPSPY, "diff", "--json", fifo, files[1]], stdout=subprocess.PIPE)
        wait_until(lambda: any(link.resolve() == fifo for link in
                               pathlib.Path(f"/proc/{diff.pid}/fd").iterdir()), "its opening the pipe",
                   diff)
        os.close(writer)
        os.close(reader)
        report = json.loads(diff.communicate(timeout=PATIENCE_SECONDS)[0])
        self.assertEqual(diff.returncode, 0)
        self.assertTrue(report["same_process"])

    def test_one_file_of_each_kind(self):
        files = self.two(("grow", 10, 776))
        other = self.directory / "other"
        other.write_bytes(b"heapspy")
        for words in ((files[0], other), (other, files[0])):
            done = self.diff(*words, check=False)
            self.assertEqual(done.returncode, 1)
            self.assertIn("two files of one kind", done.stderr)
            self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)

    def test_that_there_is_no_heap_is_said(self):
        with Target() as target:
            heap = json.loads(inspect("--json", target.pid).stdout)
        heap |= {"heap": None, "no_heap_because": "it is on another malloc"}
        none = self.directory / "none.json"
        none.write_text(json.dumps(heap))
        text = self.diff(none, none).stdout
        self.assertEqual(text.count("it is on another malloc"), 2)
        self.assertNotIn("live", text)
        report = json.loads(self.diff("--json", none, none).stdout)
        self.assertEqual(report["no_heap_before_because"], "it is on another malloc")
        self.assertEqual([total["name"] for total in report["totals"]],
                         ["rss_bytes", "virtual_bytes"])
        done = self.diff("--fail-on-growth", "1M", none, none, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("has no heap", done.stderr)

    def test_what_is_no_inspection(self):
        good, bad = self.directory / "good.json", self.directory / "bad.json"
        with Target() as target:
            good.write_text(inspect("--json", target.pid).stdout)
        whole = good.read_text()
        for text in (whole[:len(whole) // 2], '{"type":"ledger"}', '{', '{"type":"inspect","schema":9}'):
            bad.write_text(text)
            done = self.diff(good, bad, check=False)
            self.assertEqual(done.returncode, 1)
            self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        self.assertEqual(self.diff("--by", "module", good, good, check=False).returncode, 2)


class Recording(RecordTest):
    @staticmethod
    def child_of(target):
        tasks = pathlib.Path(f"/proc/{target.pid}/task")
        return next(int(pid) for task in tasks.iterdir()
                    for pid in (task / "children").read_text().split())

    def test_may_be_going_on_still(self):
        def functions():
            pins = inspect_json("--recording", self.file, child)["pins"]
            return {function for pin in pins for function in pin["stack"]}

        with Target(HEAPSPY, "record", "-o", self.file, stderr=subprocess.DEVNULL) as target:
            target.do("grow", 20000, 1000)
            target.do("drop")
            child = self.child_of(target)
            wait_until(lambda: {"grow", "main"} <= functions(), "the names of who allocated",
                       target.process)

    def test_says_who_allocated_what_keeps_memory(self):
        with Target(HEAPSPY, "record", "-o", self.file, stderr=subprocess.DEVNULL) as target:
            target.do("grow", 20000, 1000)
            target.do("drop")
            child = self.child_of(target)
            core = self.gcore(child)
        report = inspect_json("--recording", self.file, core)
        known = [pin for pin in report["pins"] if "grow" in pin["stack"]]
        self.assertGreater(len(known), 5, report["pins"])
        for pin in known:
            self.assertLess(pin["stack"].index("grow"), pin["stack"].index("main"))
        with Target() as other:
            done = inspect("--recording", self.file, other.pid, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn(f"is of process {child}", done.stderr)
