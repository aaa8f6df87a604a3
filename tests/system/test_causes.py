"""Who asked: names of libc's functions are right or absent, and other allocators are recognised."""
import os
import pathlib
import re
import subprocess
import unittest

from harness import LAB, TARGETS, SystemTest, functions, need, said


def functions_of(path):
    """(begin, end, name) of every function that the ELF file has a symbol for. Those written in
    assembly may have no size, as the loader's _start: they reach to the next symbol."""
    listing = subprocess.run(["readelf", "--wide", "--symbols", path], capture_output=True,
                             text=True).stdout
    found = []
    for line in listing.splitlines():
        fields = line.split()
        if len(fields) >= 8 and fields[3] in ("FUNC", "IFUNC", "NOTYPE") and fields[6].isdigit():
            begin = int(fields[1], 16)
            # "name@VERSION"; "name.part.0" is the compiler's name for a part of `name`.
            name = re.split(r"@|\.(?=part|cold|isra|constprop)", fields[7])[0]
            found.append((begin, begin + int(fields[2], 0), name))
    begins = sorted({begin for begin, _, _ in found})
    following = dict(zip(begins, begins[1:]))
    return [(begin, end if end > begin else following.get(begin, begin), name)
            for begin, end, name in found]


def debug_file(module):
    notes = subprocess.run(["readelf", "--notes", module], capture_output=True, text=True).stdout
    build_id = re.search(r"Build ID: ([0-9a-f]+)", notes)
    if not build_id:
        return None
    path = pathlib.Path(f"/usr/lib/debug/.build-id/{build_id[1][:2]}/{build_id[1][2:]}.debug")
    return path if path.exists() else None


class LibcNames(SystemTest):
    def check_names(self, trace):
        """Every name of a frame in libc or the loader is one that a symbol there has."""
        need("readelf", "binutils")
        tables = {}
        checked = 0
        for event in trace.events:
            for frame in event["frames"] or []:
                module = frame["module"] or ""
                if not re.search(r"/(libc\.so\.6|ld-linux[^/]*)$", module) or not frame["function"]:
                    continue
                if module not in tables:
                    dynamic = functions_of(module)
                    debug = debug_file(module)
                    tables[module] = (dynamic + functions_of(debug) if debug else dynamic, debug)
                table, debug = tables[module]
                offset = int(frame["offset"], 0)
                # A return address may be the first byte after a function that does not return.
                names = {name for begin, end, name in table if begin <= offset - 1 < end
                         or begin <= offset < end}
                if not names and not debug:
                    continue  # nothing here to judge the name by
                if frame["inlined"]:
                    continue  # has no symbol of its own
                self.assertIn(frame["function"], names, frame)
                checked += 1
        self.assertGreater(checked, 0)

    def test_names_without_debug_files(self):
        for program in (["ls", "/"], [TARGETS / "threads", "4"], [LAB / "heap_spy"]):
            with self.subTest(program=program):
                self.check_names(self.trace(*program, options=["--no-debug-files"]))

    def test_names_with_whatever_debug_files_there_are(self):
        for program in (["ls", "/"], [TARGETS / "threads", "4"], [LAB / "heap_spy"]):
            with self.subTest(program=program):
                self.check_names(self.trace(*program))

    def test_causes_do_not_need_debug_files(self):
        for program in (["ls", "/"], [LAB / "hidden_sbrk"], [LAB / "mmap_threshold"],
                        [TARGETS / "allocates"]):
            with self.subTest(program=program):
                whole = self.trace(*program)
                bare = self.trace(*program, options=["--no-debug-files"])
                self.assertEqual([(e["syscall"], e["cause"], e["phase"]) for e in bare.events],
                                 [(e["syscall"], e["cause"], e["phase"]) for e in whole.events])

    def test_stdio_buffer_is_told_without_debug_files(self):
        trace = self.trace(LAB / "heap_spy", options=["--no-debug-files"])
        self.assertEqual([e["cause"] for e in trace.calls("brk")], ["loader", "program", "malloc"])
        growth = trace.calls("brk")[-1]
        self.assertIn("stdio", growth["cause_detail"])

    def test_stripped_program_is_told_by_its_causes(self):
        trace = self.trace(TARGETS / "allocates_stripped")
        whole = self.trace(TARGETS / "allocates")
        self.assertEqual((trace.status, whole.status), (0, 0))
        self.assertEqual([(e["syscall"], e["cause"]) for e in trace.events],
                         [(e["syscall"], e["cause"]) for e in whole.events])


class Allocators(SystemTest):
    def find_library(self, pattern, package):
        for directory in ("/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64"):
            for path in sorted(pathlib.Path(directory).glob(pattern)):
                return path
        raise unittest.SkipTest(f"{pattern} is not installed (Debian package {package})")

    def preloaded(self, pattern, package, name, *variables):
        library = self.find_library(pattern, package)
        argv = [TARGETS / "allocates"]
        trace = self.trace("env", *variables, f"LD_PRELOAD={library}", *argv)
        self.assertEqual(trace.status, 0)
        mine = [e for e in trace.events if e["type"] == "syscall" and any(
            (frame["module"] or "").endswith("allocates") for frame in e["frames"])]
        runtime = [e for e in mine if e["cause"] == "runtime"]
        self.assertTrue(runtime, [e["cause"] for e in mine])
        for event in runtime:
            self.assertIn(name, event["cause_detail"].lower())
        # Nothing that this allocator did may be put down to glibc's, which is not in use.
        for event in trace.calls(cause="malloc"):
            in_library = any(os.path.realpath(frame["module"] or "") == os.path.realpath(library)
                             for frame in event["frames"])
            self.assertFalse(in_library, event)
        # And the program's own mmap stays its own.
        own = [e for e in trace.calls("mmap", cause="program")
               if e["result"] == said(trace.output)["mapping"]]
        self.assertEqual(len(own), 1)

    def test_jemalloc(self):
        self.preloaded("libjemalloc.so.2", "libjemalloc2", "jemalloc")

    def test_tcmalloc(self):
        self.preloaded("libtcmalloc_minimal.so.4", "libtcmalloc-minimal4", "tcmalloc")

    def test_mimalloc(self):
        self.preloaded("libmimalloc.so.2*", "libmimalloc2.0", "mimalloc")

    def test_the_debugging_malloc_of_glibc(self):
        self.preloaded("libc_malloc_debug.so.0", "libc6", "debugging malloc", "MALLOC_CHECK_=3")

    def runtime_of(self, *argv, name):
        trace = self.trace(*argv)
        details = {e["cause_detail"] for e in trace.calls(cause="runtime")}
        self.assertTrue(any(name.lower() in (detail or "").lower() for detail in details), details)

    def test_go(self):
        self.runtime_of(need("fzf"), "--version", name="Go")

    def test_v8(self):
        self.runtime_of(need("node", "nodejs"), "-e", "1", name="V8")

    def test_hotspot(self):
        self.runtime_of(need("java", "default-jre-headless"), "-version", name="HotSpot")

    def test_cpython_arenas(self):
        self.runtime_of("/usr/bin/python3", "-c", "x = [str(i) for i in range(100000)]",
                        name="Python")

    def test_thread_stacks_are_pthread_creates(self):
        trace = self.trace(TARGETS / "threads", "4")
        stacks = [e for e in trace.calls("mmap") if e["mapping"]["role"] == "thread stack"]
        self.assertEqual(len(stacks), 4)
        for event in stacks:
            self.assertTrue(any("pthread_create" in name for name in functions(event)), event)
            self.assertIn("pthread_create", event["cause_detail"] or "")
            self.assertIn("guard", event["mapping"]["description"])

    def test_calls_after_the_main_threads_end(self):
        trace = self.trace(TARGETS / "main_ends", options=["--verify=1"])
        ended = next(i for i, e in enumerate(trace.events) if e["type"] == "thread-exit")
        after = trace.events[ended:]
        own = [(e["syscall"], e["cause"]) for e in after if "go_on" in functions(e)]
        for call in ("mmap", "malloc"), ("munmap", "malloc"), ("mmap", "program"):
            self.assertIn(call, own)
        self.assertNotIn("unknown", {e["cause"] for e in after if e["type"] == "syscall"})
        # Each of these calls, and the end.
        self.assertGreater(trace.ledger["verified"], len(trace.calls(type="syscall")))
