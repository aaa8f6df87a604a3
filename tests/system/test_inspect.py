"""heapspy inspect: what it says of a heap is what the program that made the heap knows of it, what
malloc's own statistics say, and what the kernel counts."""
import functools
import json
import os
import pathlib
import re
import signal
import subprocess
import threading
import xml.etree.ElementTree

from harness import (HEAPSPY, LAB, PATIENCE_SECONDS, TARGETS, SystemTest, build_target, need, said,
                     state_of, wait_until)


def inspect(*words, check=True):
    done = subprocess.run([HEAPSPY, "inspect", *map(str, words)], capture_output=True, text=True,
                          check=False, timeout=PATIENCE_SECONDS)
    if check and done.returncode != 0:
        raise AssertionError(done.stderr)
    return done


def inspect_json(*words):
    return json.loads(inspect("--json", *words).stdout)


class Target:
    """A running known_heap (or one that has ended) and what it said."""

    def __init__(self, *arguments, program="known_heap", run_by=(), **run):
        self.process = subprocess.Popen([*run_by, build_target(program), *arguments],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        **run)
        self.pid = self.process.pid
        lines = []
        for line in self.process.stdout:
            if line == "ready\n":
                break
            lines.append(line)
        self.text = "".join(lines)
        self.facts = said(self.text)
        self.blocks = {int(address, 16): (state, int(size)) for state, address, size in
                       re.findall(r"^(live|free) (0x[0-9a-f]+) (\d+)$", self.text, re.MULTILINE)}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()

    def malloc_info(self):
        document = re.search(r"<malloc.*?</malloc>", self.text, re.DOTALL)[0]
        return xml.etree.ElementTree.fromstring(document)


class KnownHeapChecks(SystemTest):
    def check_blocks(self, target, chunks):
        """Chunk by chunk against what the program did."""
        uses = {int(chunk["block"], 16): chunk for chunk in chunks}
        for address, (state, size) in target.blocks.items():
            chunk = uses.get(address)
            if state == "live":
                self.assertIsNotNone(chunk, hex(address))
                self.assertEqual(chunk["use"], "live", hex(address))
                self.assertGreaterEqual(chunk["bytes"], size + 8)
            elif chunk is not None and chunk["use"] == "live":
                self.fail(f"{hex(address)} was freed")

    def check_statistics(self, target, report):
        facts = target.facts
        heap = report["heap"]
        main = report["arenas"][0]
        self.assertEqual(heap["mmapped_chunks"], facts["hblks number"])
        self.assertEqual(heap["mmapped_bytes"], facts["hblkhd number"])

        def count(arena, *kinds, key="bytes"):
            return sum(use[key] for kind, use in arena["uses"].items() if kind in kinds)

        self.assertEqual(sum(arena["system_bytes"] for arena in report["arenas"]), facts["arena number"])
        bins = ("unsorted", "smallbin", "largebin")
        free = sum(count(arena, "top", "fastbin", *bins) for arena in report["arenas"])
        self.assertEqual(free, facts["fordblks number"])
        self.assertEqual(sum(count(arena, "fastbin") for arena in report["arenas"]),
                         facts["fsmblks number"])
        self.assertEqual(sum(count(arena, "fastbin", key="chunks") for arena in report["arenas"]),
                         facts["smblks number"])
        self.assertEqual(sum(1 + count(arena, *bins, key="chunks") for arena in report["arenas"]),
                         facts["ordblks number"])
        self.assertEqual(main["top_bytes"], facts["keepcost number"])

    def check_malloc_info(self, target, report):
        document = target.malloc_info()
        heaps = document.findall("heap")
        self.assertEqual(len(heaps), len(report["arenas"]))
        for element, arena in zip(heaps, report["arenas"]):
            def mine(key, *kinds):
                return sum(arena["uses"].get(kind, {key: 0})[key] for kind in kinds)

            totals = {total.get("type"): (int(total.get("count")), int(total.get("size")))
                      for total in element.findall("total")}
            bins = ("unsorted", "smallbin", "largebin")
            self.assertEqual(totals.get("fast", (0, 0)),  # there are none from 2.43 on
                             (mine("chunks", "fastbin"), mine("bytes", "fastbin")))
            # malloc_info leaves the flag at the end of the sizes of chunks in bins, which is 1.
            self.assertEqual(totals["rest"], (mine("chunks", *bins, "top"),
                                              mine("bytes", *bins, "top") + mine("chunks", *bins)))
            system = {s.get("type"): int(s.get("size")) for s in element.findall("system")}
            self.assertEqual(arena["system_bytes"], system["current"])
            self.assertEqual(arena["most_system_bytes"], system["max"])

    def check_ledger(self, report):
        self.assertEqual(sum(row["bytes"] for row in report["resident_ledger"]), report["rss_bytes"])
        self.assertEqual(sum(row["bytes"] for row in report["virtual_ledger"]),
                         report["virtual_bytes"])


class KnownHeap(KnownHeapChecks):
    def test_agrees_with_the_program_and_with_malloc(self):
        with Target() as target:
            report = inspect_json("--chunks", "--top", "all", target.pid)
        self.assertEqual(report["damages"], [])
        self.check_blocks(target, report["chunks"])
        self.check_statistics(target, report)
        self.check_malloc_info(target, report)
        self.check_ledger(report)

    def check_without_the_break(self, target):
        report = inspect_json("--chunks", "--top", "all", target.pid)
        self.assertEqual(report["damages"], [])
        self.assertNotIn("arena_not_found", [finding["kind"] for finding in report["findings"]])
        self.check_blocks(target, report["chunks"])
        self.check_statistics(target, report)
        self.check_ledger(report)

    def test_a_break_that_cannot_be_moved(self):
        with Target("no break") as target:
            self.check_without_the_break(target)

    def test_an_arena_that_wanted_huge_pages(self):
        tunables = {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=2"}
        with Target(env={**os.environ, **tunables}) as target:
            self.check_without_the_break(target)

    def test_caches_and_arenas_of_threads(self):
        with Target() as target:
            report = inspect_json(target.pid)
        threads = sorted(arena["threads"] for arena in report["arenas"][1:])
        self.assertEqual(sum(threads), 2, "two threads go on")
        cached = {bin["thread"] for bin in report["bins"] if bin["kind"] == "cached"}
        self.assertEqual(len(cached), 3, "with main's")
        self.assertIn(target.pid, cached)
        for bin in report["bins"]:
            if bin["kind"] == "cached":
                self.assertLessEqual(bin["chunks"], 7)

    def test_resident_memory_is_the_kernels(self):
        with Target() as target:
            report = inspect_json(target.pid)
            status = pathlib.Path(f"/proc/{target.pid}/status").read_text()
        resident = int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) * 1024
        self.assertEqual(report["rss_bytes"], resident)
        by_kind = {row["kind"]: row["bytes"] for row in report["resident_ledger"]}
        self.assertEqual(by_kind.get("remainder", 0), 0)
        # Every block was written to, so all live memory but whole untouched pages is resident.
        live = sum(size for state, size in target.blocks.values() if state == "live")
        rows = sum(row["bytes"] for row in report["resident_ledger"]
                   if row["kind"] in ("live_blocks", "mmapped_blocks"))
        self.assertGreaterEqual(rows, live)

    def test_goes_on_as_before(self):
        """A process that was stopped in the middle of everything is the same afterwards."""
        ticker = subprocess.Popen([TARGETS / "ticker"], stdout=subprocess.PIPE, text=True)
        ticker.stdout.readline()
        for _ in range(20):
            report = inspect_json(ticker.pid)
            self.assertGreater(report["pause_ns"], 0)
        ticker.stdout.readline()
        status = pathlib.Path(f"/proc/{ticker.pid}/status").read_text()
        self.assertIn("TracerPid:\t0", status)
        ticker.send_signal(signal.SIGINT)
        self.assertEqual(ticker.wait(), 3)
        ticker.stdout.close()

    def test_a_stopped_process_stays_stopped(self):
        with Target() as target:
            os.kill(target.pid, signal.SIGSTOP)
            os.waitpid(target.pid, os.WUNTRACED)
            inspect_json(target.pid)
            wait_until(lambda: state_of(target.pid) == ("T", 0), "being stopped again",
                       target.process)
            os.kill(target.pid, signal.SIGCONT)

    def test_a_process_whose_main_thread_has_ended(self):
        """The kernel shows its memory by the other threads' numbers only."""
        with Target("main ends") as target:
            wait_until(lambda: state_of(target.pid)[0] == "Z", "the main thread's end")
            other = max(map(int, os.listdir(f"/proc/{target.pid}/task")))
            for words in ([target.pid], [other], ["--no-stop", target.pid]):
                report = inspect_json("--chunks", "--top", "all", *words)
                self.assertEqual(report["pid"], target.pid)
                self.assertEqual(report["damages"], [])
                self.check_ledger(report)
                live = {int(chunk["block"], 16) for chunk in report["chunks"]
                        if chunk["use"] == "live"}
                for address, (state, _) in target.blocks.items():
                    self.assertTrue(state == "free" or address in live, hex(address))
            done = inspect("--leaks", target.pid)
            self.assertIn("stopped for", done.stdout)
            done = inspect("--try-trim", target.pid, check=False)
            self.assertEqual(done.returncode, 1)
            self.assertIn("main thread", done.stderr)

    def test_no_stop(self):
        with Target() as target:
            report = inspect_json("--no-stop", "--chunks", "--live", "--top", "all", target.pid)
        self.assertEqual(report["pause_ns"], 0)
        self.assertEqual(report["heap"]["caches_not_found"], 3)
        live = {int(chunk["block"], 16) for chunk in report["chunks"]}
        for address, (state, _) in target.blocks.items():
            if state == "live":
                self.assertIn(address, live)

    def test_static_program(self):
        with Target(program="known_heap_static") as target:
            report = inspect_json("--chunks", "--top", "all", target.pid)
        self.check_blocks(target, report["chunks"])
        self.check_statistics(target, report)

    def test_around_an_address(self):
        with Target() as target:
            address, size = next((a, s) for a, (state, s) in target.blocks.items()
                                 if state == "live" and s > 100)
            text = inspect("--around", hex(address + 60), target.pid).stdout
            outside = inspect("--around", "0x10", target.pid).stdout
        self.assertIn("60 B into what malloc returned", " ".join(text.split()))
        self.assertIn(hex(address), text)
        self.assertIn("in no mapping", outside)

    def test_text_fits_its_width(self):
        with Target() as target:
            for width in (60, 80):
                text = inspect("--width", width, target.pid).stdout
                for line in text.splitlines():
                    self.assertLessEqual(len(line), width, line)

    def test_a_program_on_glibcs_debugging_malloc(self):
        variables = {"MALLOC_CHECK_": "3", "LD_PRELOAD": "libc_malloc_debug.so.0"}
        child = subprocess.Popen(["sleep", "60"], env=os.environ | variables)
        try:
            wait_until(lambda: b"sleep" in pathlib.Path(f"/proc/{child.pid}/cmdline").read_bytes()
                       and state_of(child.pid)[0] == "S", "start", child)
            report = inspect_json(child.pid)
        finally:
            child.kill()
            child.wait()
        self.assertIn("libc_malloc_debug.so serves the program", report["no_heap_because"])

    def test_a_program_on_another_malloc(self):
        """glibc's is there too, and has nothing."""
        library = LAB / "stages" / "libstage3.so"
        if not library.exists():
            self.skipTest("the lab's allocators were not built")
        child = subprocess.Popen(["sleep", "60"], env=dict(os.environ, LD_PRELOAD=str(library)))
        try:
            wait_until(lambda: b"sleep" in pathlib.Path(f"/proc/{child.pid}/cmdline").read_bytes()
                       and "libstage3" in pathlib.Path(f"/proc/{child.pid}/maps").read_text()
                       and state_of(child.pid)[0] == "S", "start", child)
            report = inspect_json(child.pid)
        finally:
            child.kill()
            child.wait()
        self.assertIsNone(report["heap"])
        self.assertIn("another malloc", report["no_heap_because"])
        self.check_ledger(report)

    def test_what_the_agent_of_a_recorded_process_maps_is_heapspys(self):
        record = (HEAPSPY, "record", "-q", "-o", self.directory / "out.heapspy", "--")
        with Target(run_by=record) as target:
            if not target.text:
                self.skipTest("there is no agent beside this heapspy")
            children = pathlib.Path(f"/proc/{target.pid}/task/{target.pid}/children").read_text()
            pid = children.split()[0]
            report = inspect_json(pid)
            paths = [line.split(maxsplit=5)[5] for line in
                     pathlib.Path(f"/proc/{pid}/maps").read_text().splitlines() if "/" in line]
        self.check_ledger(report)
        ours = {row["owner"] for row in report["virtual_ledger"] if row["kind"] == "heapspy"}
        by_name = {path for path in paths if "heapspy" in pathlib.Path(path).name}
        self.assertEqual(len(by_name), 2, paths)  # the agent, and what it shares with the recorder
        views = {owner for owner in ours if owner.startswith("frame information of /")}
        self.assertTrue(any("libc.so.6" in owner for owner in views), ours)
        self.assertEqual(ours - views, by_name)
        for row in report["virtual_ledger"]:
            if row["kind"] != "heapspy":
                self.assertNotIn("heapspy", pathlib.Path(row["owner"] or "").name)

    # ── Damage ───────────────────────────────────────────────────────────────────────────────────

    def check_damage(self, how, field):
        with Target(how) as target:
            report = inspect_json("--chunks", "--live", "--top", "all", target.pid)
        found = {int(damage["address"], 16): damage for damage in report["damages"]}
        where = target.facts["damaged number"]
        self.assertIn(where, found, report["damages"])
        self.assertIn(field, found[where]["field"])
        self.assertEqual(report["findings"][0]["kind"], "damage")
        self.check_ledger(report)
        live = {int(chunk["block"], 16) for chunk in report["chunks"]}
        missing = [address for address, (state, _) in target.blocks.items()
                   if state == "live" and address not in live]
        self.assertLessEqual(len(missing), 2, "all but what is damaged is read")

    def test_overwritten_size(self):
        self.check_damage("size", "size of the chunk")

    def test_wild_link_of_a_thread_cache(self):
        self.check_damage("link", "link of a thread cache")

    def test_arena_that_is_not_there(self):
        with Target() as target:
            arenas = len(inspect_json(target.pid)["arenas"])
            inspect("--chunks", "--arena", arenas - 1, target.pid)
            done = inspect("--chunks", "--arena", arenas, target.pid, check=False)
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn(f"--arena {arenas}: there is none", done.stderr)

    # ── Cores ────────────────────────────────────────────────────────────────────────────────────

    def kernel_core(self, *arguments, program="known_heap", **options):
        return self.core_of_the_dead(functools.partial(Target, *(arguments or ("abort",)),
                                                       program=program), **options)

    def test_core_of_the_kernel(self):
        target, core = self.kernel_core()
        report = inspect_json("--chunks", "--top", "all", core)
        self.assertEqual(report["source"], "core")
        self.assertIsNone(report["rss_bytes"])
        self.assertEqual(report["pid"], target.pid)
        self.assertEqual(report["ended_by"],
                         {"signal": "SIGABRT", "thread": target.pid, "sender": None})
        self.assertIn(f"SIGABRT ended it in thread {target.pid}", inspect(core).stdout)
        self.assertEqual(report["damages"], [])
        self.check_blocks(target, report["chunks"])
        self.check_statistics(target, report)

    def test_core_of_gcore_is_the_same_as_the_process(self):
        with Target() as target:
            live = inspect_json("--chunks", "--top", "all", target.pid)
            core = self.gcore(target.pid)
        core = inspect_json("--chunks", "--top", "all", core)
        self.assertEqual(core["chunks"], live["chunks"])
        self.assertEqual(core["heap"]["version"], live["heap"]["version"])

    def words_of_damage(self, *arguments):
        target, core = self.kernel_core(*arguments, program="crashes")
        self.assertLess(target.process.returncode, 0)
        statements = [finding["statement"] for finding in inspect_json(core)["findings"]
                      if finding["kind"] == "damage"]
        core.unlink()
        return statements

    def test_core_of_a_crash_beside_threads_that_allocate(self):
        """They were stopped anywhere: what they left is no damage for sure."""
        for _ in range(5):
            for statement in self.words_of_damage("beside"):
                self.assertIn("did not fit together: damage, or a thread was just changing it",
                              statement)

    def test_core_of_a_crash_by_damage_beside_threads_that_allocate(self):
        """Nobody had the lock of the arena that it is in."""
        for _ in range(3):
            (statement,) = self.words_of_damage("overflow")
            self.assertIn("The heap is damaged", statement)

    def test_core_that_was_cut(self):
        _, core = self.kernel_core()
        whole = core.read_bytes()
        for size in (10, 64, 1000, len(whole) // 3, len(whole) // 2, len(whole) - 1):
            core.write_bytes(whole[:size])
            done = inspect("--json", core, check=False)
            if done.returncode == 0:
                self.assertIn("ends early", json.loads(done.stdout)["losses"][0])
            else:
                self.assertEqual(done.returncode, 1, done.stderr)
                self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)

    def test_core_without_contents(self):
        _, core = self.kernel_core(contents="0")
        report = inspect_json(core)
        self.assertIsNone(report["heap"])
        self.assertRegex(report["no_heap_because"], "lacks the data of .*libc.*coredump_filter")
        self.assertIn("have no contents", report["losses"][0])

    def test_core_that_lacks_what_leads_to_the_heap(self):
        _, core = self.kernel_core()
        whole = core.read_bytes()
        core.write_bytes(whole[:len(whole) // 4])
        report = inspect_json(core)
        self.assertIsNone(report["heap"])
        self.assertRegex(report["no_heap_because"], "lacks the data of .*libc.*ends early")

    def test_another_file_than_the_cores_program(self):
        _, core = self.kernel_core()
        for path, word in (("/no/such", "No such file"), (self.directory, "regular"),
                           ("/etc/passwd", "ELF")):
            done = inspect("--exe", path, core, check=False)
            self.assertEqual(done.returncode, 1)
            self.assertIn(word, done.stderr)
            self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        self.assertIn("another program", inspect_json("--exe", HEAPSPY, core)["losses"][0])
        same = self.directory / "same"
        same.write_bytes(build_target("known_heap").read_bytes())
        self.assertEqual(inspect_json("--exe", same, core)["losses"], [])

    def test_what_is_no_core(self):
        for path, word in ((HEAPSPY, "no core"), ("/etc/passwd", "no ELF"), ("/no/such", "cannot open"),
                           ("/dev/null", "regular")):
            done = inspect(path, check=False)
            self.assertEqual(done.returncode, 1)
            self.assertIn(word, done.stderr)
            self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)

    def pack(self, path, to):
        subprocess.run([need("zstd"), "-q", "-1", path, "-o", to], check=True)

    def test_packed_core(self):
        """As systemd-coredump leaves it."""
        _, core = self.kernel_core()
        packed = self.directory / "core.zst"
        self.pack(core, packed)
        whole = inspect_json("--chunks", "--top", "all", core)
        report = inspect_json("--chunks", "--top", "all", packed)
        self.assertEqual(report, whole)

    def test_packed_core_that_was_cut_or_damaged(self):
        _, core = self.kernel_core()
        packed = self.directory / "core.zst"
        self.pack(core, packed)
        whole = packed.read_bytes()
        damaged = bytearray(whole)
        damaged[len(whole) // 2] ^= 0xff
        for contents in (whole[:5], whole[:len(whole) // 3], whole[:len(whole) - 1], bytes(damaged)):
            packed.write_bytes(contents)
            done = inspect("--json", packed, check=False)
            if done.returncode == 0:
                self.assertRegex(json.loads(done.stdout)["losses"][0],
                                 "zstd file that the core is in (ends early|is damaged)")
            else:
                self.assertEqual(done.returncode, 1, done.stderr)
                self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
                self.assertIn("zstd", done.stderr)

    def test_packed_core_that_there_is_no_room_for(self):
        _, core = self.kernel_core()
        packed = self.directory / "core.zst"
        self.pack(core, packed)
        done = subprocess.run([HEAPSPY, "inspect", packed], capture_output=True, text=True,
                              check=False, env=dict(os.environ, TMPDIR="/proc"))
        self.assertEqual(done.returncode, 1)
        self.assertIn("set TMPDIR", done.stderr)

    # ── What cannot be read ──────────────────────────────────────────────────────────────────────

    def test_processes_that_cannot_be_read(self):
        ended = subprocess.Popen(["true"])
        ended.wait()
        zombie = subprocess.Popen(["true"])
        os.waitid(os.P_PID, zombie.pid, os.WEXITED | os.WNOWAIT)
        for pid, word in ((ended.pid, "no process"), (zombie.pid, "ended"), (2, "kernel thread")):
            done = inspect(pid, check=False)
            if pid == 2 and "no process" in done.stderr:
                continue  # a container of its own
            self.assertEqual(done.returncode, 1, done.stdout)
            self.assertIn(word, done.stderr)
            self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        zombie.wait()

    def test_another_users_process(self):
        nobody = self.as_nobody()
        copy = self.copy_to(self.open_directory(), HEAPSPY)
        with Target() as target:
            done = self.run_plain(*nobody, copy, "inspect", target.pid)
        self.assertEqual((done.returncode, done.stdout), (1, b""))
        self.assertIn(b"belongs to user 0", done.stderr)
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)

    def test_a_process_that_ends_meanwhile(self):
        """Whenever it ends, the answer is figures or one line, and nothing hangs."""
        for delay in (0, 0.002, 0.005, 0.01, 0.02, 0.04, 0.08):
            with self.subTest(delay), Target("8", program="churns") as target:
                killer = threading.Timer(delay, os.kill, (target.pid, signal.SIGKILL))
                killer.start()
                done = inspect("--json", target.pid, check=False)
                killer.join()
            if done.returncode == 0:
                self.check_ledger(json.loads(done.stdout))
            else:
                self.assertEqual((done.returncode, done.stdout), (1, ""))
                self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)

    def test_wrong_usage(self):
        for words, word in (((), "which process"), (("1", "2"), "one process"),
                            (("--arena", "main", "1"), "--chunks"),
                            (("--around", "xyz", "1"), "hexadecimal"),
                            (("--size", "1M-1K", "--chunks", "1"), "smaller")):
            done = inspect(*words, check=False)
            self.assertEqual(done.returncode, 2)
            self.assertIn(word, done.stderr)


class RealPrograms(SystemTest):
    def test_ledger_of_python(self):
        child = subprocess.Popen(
            ["/usr/bin/python3", "-c",
             "x = [str(i) * 9 for i in range(200000)]; print('ready', flush=True); import sys; sys.stdin.read()"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        child.stdout.readline()
        try:
            report = inspect_json(child.pid)
            smaps = pathlib.Path(f"/proc/{child.pid}/smaps").read_text()
        finally:
            child.stdin.close()
            child.wait()
            child.stdout.close()
        self.assertEqual(report["heap"]["damages"], 0)
        self.assertEqual(sum(row["bytes"] for row in report["resident_ledger"]), report["rss_bytes"])
        kernels = sum(int(n) for n in re.findall(r"^Rss:\s+(\d+) kB", smaps, re.MULTILINE)) * 1024
        self.assertEqual(report["rss_bytes"], kernels)
