"""The eight stages: correct as allocators, each with the idea that it adds, each a page to read."""
import json
import pathlib
import re
import subprocess
import sys

import harness
from harness import MIB, PreloadTest, limit, need

ROOT = pathlib.Path(__file__).resolve().parents[2]
SOURCES = sorted((ROOT / "lab/stages").glob("stage*.c"))
STAGES = range(1, 9)
BUILD = ROOT / "build/dev"

# The first stage that can do it.
HEADER, FREE_LIST, SPLITTING, COALESCING, MMAP, BINS, THREADS = range(2, 9)

SQL = """CREATE TABLE word (id INTEGER PRIMARY KEY, text TEXT);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)
INSERT INTO word SELECT i, hex(i * 7919 % 10007) || substr('abcdefghijklmnop', 1, i % 16) FROM n;
CREATE INDEX by_text ON word (text);
DELETE FROM word WHERE id % 5 = 0;
SELECT count(*), min(text), max(text), sum(length(text)) FROM word;
"""
PYTHON = """
import json, threading
words = [str(i * 7919 % 10007) * (i % 9) for i in range(5000)]
threads = [threading.Thread(target=lambda: sorted(words)) for _ in range(4)]
[t.start() for t in threads]; [t.join() for t in threads]
print(len(json.dumps(words)), sorted(words)[-1], len(bytearray(5_000_000)))
"""


def configure(build):
    global BUILD  # pylint: disable=global-statement
    BUILD = build.resolve()
    harness.PROGRAMS = BUILD / "tests/preload/programs"


def library_of(stage):
    return str(BUILD / f"lab/stages/libstage{stage}.so")


class OnStage:
    """The cases that are the same for every stage: a malloc that programs run on."""
    stage = 0

    def setUp(self):
        harness.LIBRARY = library_of(self.stage)
        super().setUp()

    def same_as_without(self, argv, **options):
        plain = self.run_command(argv, env=self.plain_environment, **options)
        done = self.run_command(argv, **options)
        self.assertEqual(plain.returncode, 0, plain.stderr)
        self.assertEqual((done.returncode, done.stdout, done.stderr),
                         (0, plain.stdout, plain.stderr))

    def test_real_programs(self):
        self.same_as_without([need("ls", "coreutils"), "-l", "/usr"])
        self.same_as_without([sys.executable, "-c", PYTHON])
        sqlite = need("sqlite3")
        sql = self.directory / "words.sql"
        sql.write_text(SQL)
        self.same_as_without([sqlite, ":memory:", f".read {sql}"])
        git = need("git")
        subprocess.run([git, "init", "-q", self.directory / "tree"], check=True)
        (self.directory / "tree/new").write_text("new\n")
        self.same_as_without([git, "-C", self.directory / "tree", "status"])

    def test_rules_of_the_family(self):
        for program in ("aligned_invalid", "overflow", "zeroed", "errno_kept", "early"):
            self.check(program)
        if self.stage >= HEADER:
            for program in ("page_aligned", "realloc_contents", "new_delete"):
                self.check(program)
        # These free much: on stage 4 they are a matter of minutes, on those before of memory.
        if self.stage >= COALESCING:
            for program in ("alignment", "aligned", "usable_size", "realloc_rules"):
                self.check(program)

    def test_random_operations(self):
        """Alone, and with eight threads that hand blocks to each other."""
        # What is never freed must not be much: a few thousand steps then.
        seconds = "1" if self.stage >= FREE_LIST else "0"
        usable = "1" if self.stage >= HEADER else "0"
        for threads in ("1", "8"):
            self.check("model", "--seconds", seconds, "--usable", usable, "--threads", threads,
                       "--seed", threads, "--bits", "18")

    def test_fork(self):
        self.check("fork_under_load", "--forks", "10")
        if self.stage != SPLITTING:  # whose pieces of all sizes make each search take ever longer
            self.check("fork_handlers")
            self.check("fork_handlers", "early")

    def test_memory_that_ends(self):
        done = self.run_command([BUILD / "tests/lab/programs/lessons", "no_memory"],
                                limits=[limit("AS", 64 * MIB)])
        facts = facts_in(done)
        self.assertGreater(facts["blocks of 5000 bytes"], 5000, "more than half of the limit")
        self.assertEqual(facts["each refused with ENOMEM"], 1)
        self.assertEqual(facts["what is freed can be had again"], self.stage >= FREE_LIST)


for number in STAGES:
    globals()[f"Stage{number}"] = type(f"Stage{number}", (OnStage, PreloadTest), {"stage": number})


def facts_in(done):
    if done.returncode != 0:
        raise AssertionError(f"{done.args}: status {done.returncode} {done.stdout}{done.stderr}")
    return {fact: int(value) for fact, value in re.findall(r"^(.*): (\d+)$", done.stdout, re.M)}


class Lessons(PreloadTest):
    """What a stage is there for is so from that stage on, and not before."""

    def setUp(self):
        harness.LIBRARY = ""
        super().setUp()

    def learn(self, lesson):
        """(stage, facts), of each."""
        program = BUILD / "tests/lab/programs/lessons"
        for stage in STAGES:
            environment = self.plain_environment | {"LD_PRELOAD": library_of(stage)}
            yield stage, facts_in(self.run_command([program, lesson], env=environment))

    def test_freed_blocks_are_used_again(self):
        for stage, facts in self.learn("reuse"):
            self.assertEqual(facts["the freed block is used again"], stage >= FREE_LIST, stage)

    def test_splitting(self):
        fact = "of eight short blocks, inside a long one that was freed"
        for stage, facts in self.learn("splitting"):
            expected = 0 if stage < FREE_LIST else 1 if stage < SPLITTING else 8
            self.assertEqual(facts[fact], expected, stage)

    def test_coalescing_in_each_order(self):
        for stage, facts in self.learn("coalescing"):
            self.assertEqual(facts["orders in which A, B and C became one"],
                             6 if stage >= COALESCING else 0, stage)

    def test_threshold(self):
        # request + 16 of header, rounded up to 16, is 128 KiB or more
        first = 128 * 1024 - 16 - 15
        for stage, facts in self.learn("threshold"):
            self.assertEqual(facts["shortest block outside the heap"], first if stage >= MMAP else 0,
                             stage)

    def test_the_break_moves_wholesale(self):
        for stage, facts in self.learn("growth"):
            moved = facts["of a hundred requests moved the break"]
            # 100 chunks of 1024 bytes are less than the stock of 128 KiB that a growth brings.
            if stage < BINS:
                self.assertEqual(moved, 100, stage)
            else:
                self.assertLessEqual(moved, 1, stage)

    def test_heapspy_counts_the_same_growths(self):
        heapspy = BUILD / "src/cli/heapspy"
        if not heapspy.exists():
            self.skipTest("heapspy is not built")
        growths = {}
        for stage in (BINS - 1, BINS):
            trace = self.directory / "trace.json"
            subprocess.run([heapspy, "trace", "-q", "--no-stacks", "--json", trace, "--", "env",
                            f"LD_PRELOAD={library_of(stage)}", BUILD / "tests/lab/programs/lessons",
                            "growth"], check=True, stdout=subprocess.DEVNULL)
            ledger = json.loads(trace.read_text().splitlines()[-1])
            growths[stage] = ledger["total"]["calls_by_syscall"]["brk"]
        self.assertGreaterEqual(growths[BINS - 1] - growths[BINS], 99, growths)

    def test_two_threads_two_arenas(self):
        for stage, facts in self.learn("arenas"):
            changes = facts["changes of the thread, in the order of addresses"]
            if stage < THREADS:
                self.assertEqual(changes, 99, stage)
            else:
                self.assertLessEqual(changes, 3, stage)

    def test_a_thread_keeps_what_it_freed(self):
        for stage, facts in self.learn("caches"):
            self.assertEqual(facts["the block goes back to its thread"], stage >= FREE_LIST, stage)
            if stage == THREADS:
                self.assertEqual(facts["the block goes to another thread"], 0, stage)


class Sources(PreloadTest):
    """Each stage is short enough to be read, and so is what is new in it."""

    def setUp(self):
        harness.LIBRARY = ""
        super().setUp()

    def test_each_is_short(self):
        self.assertEqual(len(SOURCES), 8)
        for source in SOURCES:
            lines = source.read_text().splitlines()
            code = [line for line in lines if line.strip() and not line.strip().startswith("//")]
            self.assertLessEqual(len(code), 200 if "stage8" not in source.name else 260, source.name)
            for opening in ("// Stage", "// What it teaches:", "// Invariants", "// What it does badly:"):
                self.assertTrue(any(line.startswith(opening) for line in lines), (source.name, opening))

    def test_each_adds_little_to_the_one_before(self):
        for before, after in zip(SOURCES, SOURCES[1:]):
            diff = subprocess.run(["diff", "--minimal", before, after], capture_output=True, text=True,
                                  check=False).stdout
            code = [line[2:].strip() for line in diff.splitlines() if line[:1] in "<>"]
            code = [line for line in code if line and not line.startswith("//")]
            self.assertLessEqual(len(code), 120, f"{before.name} and {after.name}")

    def test_all_but_the_c_library_is_their_own(self):
        for stage in STAGES:
            needed = subprocess.run([need("readelf", "binutils"), "-d", library_of(stage)], check=True,
                                    capture_output=True, text=True).stdout
            self.assertEqual(re.findall(r"NEEDED.*\[(.*)\]", needed), ["libc.so.6"])
