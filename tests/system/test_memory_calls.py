"""targets/memory_calls prints the trace that is expected of it: heapspy's must be the same."""
import re

from harness import TARGETS, SystemTest, number, own_frame

MARKER = 0x1d1d1001


class Expected:
    """One line that the target printed."""

    def __init__(self, line):
        where, self.syscall, *rest = line.split("\t")
        self.line = int(where)
        self.result = rest.pop().removeprefix("-> ")
        self.args = dict(part.split("=", 1) for part in rest)


def same_argument(expected, seen):
    if re.fullmatch("0x[0-9a-f]+", expected):
        if isinstance(seen, str) and not seen.startswith("0x"):
            return seen == str(int(expected, 16))  # a flag without a name
        return number(seen) == int(expected, 16)
    return set(re.split(r" ?\| ?", expected)) == set(str(seen).split("|"))


class MemoryCalls(SystemTest):
    def setUp(self):
        super().setUp()
        self.traced = self.trace(TARGETS / "memory_calls", options=["--verify=1"])
        self.expected = [Expected(line) for line in self.traced.output.splitlines()]
        events = self.traced.calls(type="syscall")
        start = next(i for i, e in enumerate(events)
                     if e["syscall"] == "munmap" and number(e["args"]["addr"]) == MARKER)
        self.seen = [e for e in events[start:] if not e["syscall"].startswith("exit")]

    def pairs(self):
        self.assertEqual([e["syscall"] for e in self.seen], [e.syscall for e in self.expected])
        return zip(self.expected, self.seen)

    def test_calls_and_arguments(self):
        for expected, seen in self.pairs():
            for name, value in expected.args.items():
                self.assertIn(name, seen["args"], seen)
                self.assertTrue(same_argument(value, seen["args"][name]),
                                f"{expected.line}: {name}: {value} against {seen['args'][name]}")

    def test_new_address_is_there_where_the_kernel_reads_it(self):
        for expected, seen in self.pairs():
            if expected.syscall == "mremap":
                to_address = re.search("FIXED|DONTUNMAP", expected.args["flags"])
                self.assertEqual("new_address" in seen["args"], bool(to_address), seen)

    def test_story_says_each_thing_once(self):
        """What reads badly: a path twice, a number without its name, sbrk where none was called."""
        story = self.traced.story
        self.assertNotIn("/memfd:ours (deleted) /memfd", story)
        self.assertIn("flags 0", story)
        self.assertIn("advice 0x270f", story)
        self.assertNotIn("sbrk", story)
        self.assertIn("the program asks where the break is", story)

    def test_results(self):
        for expected, seen in self.pairs():
            if expected.result.startswith("0x"):
                self.assertIsNone(seen["errno"], seen)
                self.assertEqual(number(seen["result"]), int(expected.result, 16), seen)
            else:
                self.assertEqual((seen["result"], seen["errno"]), (-1, expected.result))

    def test_lines_of_the_program(self):
        for expected, seen in self.pairs():
            self.assertEqual(seen["cause"], "program", seen)
            frame = own_frame(seen)
            self.assertTrue(frame["file"].endswith("memory_calls.c"), frame)
            # A call over several lines has the line of any of them.
            self.assertIn(frame["line"], range(expected.line - 3, expected.line + 4), seen)

    def test_what_changed(self):
        """mapped_bytes goes up and down by what the calls did, as far as their arguments tell."""
        def rounded(size):
            return (size + 4095) // 4096 * 4096

        for expected, seen in self.pairs():
            change = seen["mapped_bytes"] - seen["mapped_before_bytes"]
            args = expected.args
            if not expected.result.startswith("0x"):
                self.assertEqual(change, 0, seen)
            elif expected.syscall == "mmap" and args["addr"] == "0x0":
                self.assertEqual(change, rounded(int(args["length"], 16)), seen)
            elif expected.syscall in ("mmap", "mprotect", "madvise", "mlock", "munlock"):
                self.assertEqual(change, 0, seen)  # mmap over what was mapped
            elif expected.syscall == "shmat":
                self.assertEqual(change, 3 * 4096, seen)
            elif expected.syscall == "shmdt":
                self.assertEqual(change, -3 * 4096, seen)
            elif expected.syscall == "brk" and seen["break_before"] and seen["break_after"]:
                before, after = (rounded(number(seen[key])) for key in
                                 ("break_before", "break_after"))
                self.assertEqual(change, after - before, seen)
        self.assertEqual(self.traced.ledger["differences"], [])
