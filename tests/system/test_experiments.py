"""The experiments of lab/: what heapspy tells of each, against what each printed about itself.

On a terminal stdio's buffer is 1024 bytes, in a pipe 4096; the heap's growth is the same.
"""
from harness import LAB, SystemTest, break_moved, functions, number, own_frame, said

FIRST_GROWTH = 0x21000


class Experiments(SystemTest):
    def assert_at_line(self, event, program, line):
        frame = own_frame(event)
        self.assertIsNotNone(frame, event)
        self.assertEqual((frame["function"], frame["line"]), ("main", line), event)
        self.assertTrue(frame["file"].endswith(f"{program}.c"), frame)

    def assert_is_stdio_growth(self, event, buffer_bytes):
        """The first growth of the heap: by stdio's buffer, inside the first printf."""
        self.assertEqual(event["cause"], "malloc", event)
        self.assertEqual(event["cause_detail"], "stdio buffer")
        self.assertEqual(break_moved(event), FIRST_GROWTH)
        self.assertIn("printf", functions(event))
        self.assertEqual(event["malloc"]["requested_bytes"], buffer_bytes)
        for part in (f"malloc({buffer_bytes})", "656", "131072", "135168", "132 KiB"):
            self.assertIn(part, event["explanation"])

    def heap_spy(self, terminal, buffer_bytes):
        trace = self.trace(LAB / "heap_spy", terminal=terminal)
        own = said(trace.output)
        brks = trace.calls("brk")
        self.assertEqual([e["cause"] for e in brks], ["loader", "program", "malloc"])
        loaders_question, own_question, growth = brks

        self.assertEqual(loaders_question["phase"], "program-start")
        self.assertEqual(number(loaders_question["args"]["addr"]), 0)
        self.assertEqual(number(own_question["args"]["addr"]), 0)
        self.assertEqual(number(own_question["result"]), own["break before number"])
        self.assert_at_line(own_question, "heap_spy", own["break before line"] - 1)

        self.assert_is_stdio_growth(growth, buffer_bytes)
        self.assert_at_line(growth, "heap_spy", own["break before line"])
        self.assertEqual(number(growth["break_before"]), own["break before number"])
        self.assertEqual(number(growth["result"]), own["break after number"])

    def test_heap_spy_on_a_terminal(self):
        self.heap_spy(True, 1024)

    def test_heap_spy_in_a_pipe(self):
        self.heap_spy(False, 4096)

    def three_mallocs(self, terminal, buffer_bytes):
        trace = self.trace(LAB / "three_mallocs", terminal=terminal)
        own = said(trace.output)
        growths = [e for e in trace.calls("brk") if break_moved(e) != 0]
        self.assertEqual(len(growths), 1)
        self.assert_is_stdio_growth(growths[0], buffer_bytes)
        blocks = [own[f"{which} block number"] for which in ("first", "second", "third")]
        self.assertEqual([b - a for a, b in zip(blocks, blocks[1:])], [0x3f0, 0x3f0])
        for block in blocks:
            self.assertLess(number(growths[0]["break_before"]), block)
            self.assertLess(block + 1000, number(growths[0]["break_after"]))
        self.assertEqual(growths[0]["heap_bytes"], FIRST_GROWTH)

    def test_three_mallocs_on_a_terminal(self):
        self.three_mallocs(True, 1024)

    def test_three_mallocs_in_a_pipe(self):
        self.three_mallocs(False, 4096)

    def hidden_sbrk(self, terminal, buffer_bytes):
        trace = self.trace(LAB / "hidden_sbrk", terminal=terminal)
        own = said(trace.output)
        moves = [e for e in trace.calls("brk") if break_moved(e) != 0]
        self.assertEqual([e["cause"] for e in moves], ["malloc"] + 3 * ["program"])
        self.assert_is_stdio_growth(moves[0], buffer_bytes)

        end = own["heap start number"] + FIRST_GROWTH
        for event, which in zip(moves[1:], ("first", "second", "third")):
            self.assertEqual(number(event["break_before"]), end)
            self.assertEqual(break_moved(event), 1000)
            self.assert_at_line(event, "hidden_sbrk", own[f"{which} block line"])
            self.assertNotIn("malloc", functions(event))
            self.assertIn("1000", event["explanation"])
            end += 1000
        self.assertEqual(own["break after number"], end)

        program = trace.ledger["total"]["by_cause"]["program"]
        self.assertEqual((program["break_moves"], program["break_moved_bytes"]), (3, 3000))
        malloc = trace.ledger["total"]["by_cause"]["malloc"]
        self.assertEqual((malloc["break_moves"], malloc["break_moved_bytes"]), (1, FIRST_GROWTH))

    def test_hidden_sbrk_on_a_terminal(self):
        self.hidden_sbrk(True, 1024)

    def test_hidden_sbrk_in_a_pipe(self):
        self.hidden_sbrk(False, 4096)

    def mmap_threshold(self, terminal, buffer_bytes):
        trace = self.trace(LAB / "mmap_threshold", terminal=terminal)
        own = said(trace.output)
        calls = trace.calls(cause="malloc", type="syscall")
        self.assertEqual([e["syscall"] for e in calls], ["brk", "mmap", "munmap", "brk"])
        stdio, mapped, unmapped, growth = calls
        self.assert_is_stdio_growth(stdio, buffer_bytes)

        self.assertEqual(mapped["args"]["length"], 0x41000)
        self.assertEqual(number(mapped["result"]) + 16, own["first block number"])
        self.assertEqual(mapped["malloc"]["requested_bytes"], 256 * 1024)
        self.assert_at_line(mapped, "mmap_threshold", own["first block line"])

        self.assertEqual(unmapped["args"]["addr"], mapped["result"])
        self.assertEqual(unmapped["args"]["length"], 0x41000)
        self.assertIn("free", functions(unmapped))
        self.assert_at_line(unmapped, "mmap_threshold", own["freed line"])

        self.assert_at_line(growth, "mmap_threshold", own["second block line"])
        self.assertLess(number(stdio["break_before"]), own["second block number"])
        self.assertLess(own["second block number"] + 256 * 1024, number(growth["break_after"]))
        # Whoever reads the explanation learns that the threshold has moved.
        self.assertIn("threshold", unmapped["explanation"] + growth["explanation"])

    def test_mmap_threshold_on_a_terminal(self):
        self.mmap_threshold(True, 1024)

    def test_mmap_threshold_in_a_pipe(self):
        self.mmap_threshold(False, 4096)

    def test_ls_has_every_mapping_named_and_the_heap_growth_told_from_its_stack(self):
        trace = self.trace("ls", "/")
        order = ["program-start", "library-loading", "libc-startup", "program", "exit"]
        seen = [order.index(e["phase"]) for e in trace.events]
        self.assertEqual(seen, sorted(seen))
        for event in trace.calls("mmap", errno=None):
            self.assertTrue(event["mapping"]["description"], event)
            self.assertNotIn(event["mapping"]["role"], ("", "unknown"), event)
            self.assertNotEqual(event["cause"], "unknown", event)
        libc = [e["mapping"]["description"] for e in trace.calls("mmap", cause="loader")
                if "libc.so.6" in (e["mapping"]["description"] or "")]
        self.assertTrue(any("text" in what for what in libc), libc)
        self.assertTrue(any("data" in what for what in libc), libc)

        growths = [e for e in trace.calls("brk") if break_moved(e) > 0]
        self.assertTrue(growths)
        for event in growths:
            self.assertEqual(event["cause"], "malloc")
            self.assertTrue(event["cause_detail"])
        libraries = {frame["module"] for frame in growths[0]["frames"]}
        if any("libselinux" in (module or "") for module in libraries):
            self.assertIn("libselinux", growths[0]["cause_detail"])
            self.assertIn("constructor", growths[0]["cause_detail"])

    def test_each_experiment_is_told_as_a_story_too(self):
        trace = self.trace(LAB / "hidden_sbrk")
        own = said(trace.output)
        for line in ("first block line", "second block line", "third block line"):
            self.assertIn(f"hidden_sbrk.c:{own[line]}", trace.story)
        for title in ("Program start", "Library loading", "Program", "Exit"):
            self.assertIn(title, trace.story)
