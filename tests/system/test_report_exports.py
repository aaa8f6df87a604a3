"""heapspy report --export: each form is opened by the program that it is for, which must find the same
figures as the report's own JSON has."""
import base64
import collections
import errno
import json
import os
import pathlib
import re
import signal
import sqlite3
import subprocess
import unittest
import xml.etree.ElementTree as ElementTree

from browser import Browser
from harness import (HEAPSPY, PATIENCE_SECONDS, READERS, SystemTest, Terminal, build_target, need,
                     need_root, wait_until)

MEASURES = {"peak": "peak_live_bytes", "leaked": "live_at_exit_bytes",
            "allocated": "allocated_bytes", "calls": "allocations",
            "temporary": "temporary_allocations"}
EXPORTS = pathlib.Path(__file__).parents[2] / "docs/exports.md"
SVG = "{http://www.w3.org/2000/svg}"
# The name of the program is markup, and no UTF-8: every form has to say it all the same.
HOSTILE_NAME = b"a<b>&\"'\xff]]>"


class ReportExports(SystemTest):
    def setUp(self):
        super().setUp()
        self.program = self.copy_to(self.directory, build_target("recorded"))
        self.program = self.program.rename(self.directory / os.fsdecode(HOSTILE_NAME))
        self.recording = self.directory / "out.heapspy"
        done = self.heapspy("record", "-q", "-o", self.recording, "--", self.program)
        if b"--agent" in done.stderr:  # a build under a sanitizer has no agent
            self.skipTest("there is no agent beside this heapspy")
        self.assertEqual(done.returncode, 42, done.stderr)
        self.report = json.loads(self.checked("report", "--json", self.recording))
        self.totals = self.report["totals"]

    def heapspy(self, *words):
        return subprocess.run([HEAPSPY, *map(os.fspath, words)], env=self.environment,
                              capture_output=True, check=False, timeout=PATIENCE_SECONDS)

    def checked(self, *words):
        done = self.heapspy(*words)
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        return done.stdout

    def export(self, form, *options, name=None):
        """The path of what --export wrote."""
        path = self.directory / (name or form)
        self.checked("report", "--export", form, *options, "-o", path, self.recording)
        return path

    def test_where_a_file_cannot_be_written_what_was_there_stays(self):
        forms = ("folded", "flamegraph", "pprof", "speedscope", "perfetto", "sqlite")
        for words in (["report"], ["report", "--json"], ["diff", self.recording],
                      *(["report", "--export", form] for form in forms)):
            for before in (None, b"what was there"):
                output = self.directory / "cut"
                if before is not None:
                    output.write_bytes(before)
                files = sorted(self.directory.iterdir())
                done = self.run_plain(need("bash"), "-c", 'ulimit -f 0; exec "$@"', "bash", HEAPSPY,
                                      *words, "-o", output, self.recording)
                self.assertEqual(done.returncode, 1, done)
                self.assertEqual(done.stderr.decode(), f"heapspy {words[0]}: cannot write '{output}': "
                                                       f"{os.strerror(errno.EFBIG)}\n")
                self.assertEqual(sorted(self.directory.iterdir()), files)
                if before is not None:
                    self.assertEqual(output.read_bytes(), before)
                output.unlink(missing_ok=True)

    def test_ctrl_c_leaves_no_part_of_a_database(self):
        pipe, folder = self.directory / "pipe", self.directory / "out"
        os.mkfifo(pipe)
        folder.mkdir()
        for number in (signal.SIGINT, signal.SIGTERM):
            heapspy = subprocess.Popen(
                [HEAPSPY, "report", "--export", "sqlite", "-o", folder / "out.db", pipe])
            with open(pipe, "wb") as writer:
                writer.write(self.recording.read_bytes()[:200])
                writer.flush()
                wait_until(lambda: list(folder.iterdir()), "a part of a database", heapspy)
                heapspy.send_signal(number)
                self.assertEqual(heapspy.wait(PATIENCE_SECONDS), -number)
            self.assertEqual(list(folder.iterdir()), [])

    def test_a_full_disk_leaves_no_part_of_an_export(self):
        need_root()
        disk = self.directory / "disk"
        disk.mkdir()
        if self.run_plain("mount", "-t", "tmpfs", "-o", "size=4k", "tmpfs", disk).returncode != 0:
            self.skipTest("nothing can be mounted here")
        try:
            done = self.heapspy("report", "--export", "flamegraph", "-o", disk / "out.svg", self.recording)
            self.assertEqual((done.returncode, list(disk.iterdir())), (1, []), done.stderr)
        finally:
            subprocess.run(["umount", disk], check=True)

    def test_a_file_that_is_written_again_stays_what_it_was(self):
        folded = self.checked("report", "--export", "folded", self.recording)
        for make in (self.a_link, self.a_second_name, self.a_file_for_others,
                     self.a_file_in_a_closed_folder):
            with self.subTest(make.__name__):
                path, look = make(self.directory / make.__name__)
                path.write_bytes(b"before")
                before = look()
                self.checked("report", "--export", "folded", "-o", path, self.recording)
                self.assertEqual((path.read_bytes(), look()), (folded, before))
                self.assertEqual(list(self.directory.rglob("*.partial")), [])

    @staticmethod
    def a_link(folder):
        folder.mkdir()
        (folder / "link").symlink_to("file")
        return folder / "link", lambda: ((folder / "link").is_symlink(), sorted(folder.iterdir()))

    @staticmethod
    def a_second_name(folder):
        folder.mkdir()
        (folder / "file").touch()
        (folder / "other").hardlink_to(folder / "file")
        return folder / "file", lambda: (folder / "file").samefile(folder / "other")

    @staticmethod
    def a_file_for_others(folder):
        folder.mkdir()
        (folder / "file").touch()
        (folder / "file").chmod(0o662)
        if os.geteuid() == 0:
            os.chown(folder / "file", 1234, 1235)

        def look():
            status = (folder / "file").stat()
            return status.st_mode, status.st_uid, status.st_gid
        return folder / "file", look

    def a_file_in_a_closed_folder(self, folder):
        """Root may make a file there all the same."""
        folder.mkdir()
        (folder / "file").touch()
        (folder / "file").chmod(0o640)
        folder.chmod(0o555)
        self.addCleanup(folder.chmod, 0o755)
        return folder / "file", lambda: ((folder / "file").stat().st_mode, list(folder.iterdir()))

    def test_what_is_no_file_is_written_to(self):
        folded = self.checked("report", "--export", "folded", self.recording)
        self.assertEqual(self.checked("report", "--export", "folded", "-o", "/dev/stdout",
                                      self.recording), folded)
        pipe = self.directory / "pipe"
        os.mkfifo(pipe)
        with subprocess.Popen(["cat", pipe], stdout=subprocess.PIPE) as reader:
            self.export("folded", name="pipe")
            self.assertEqual(reader.communicate(timeout=PATIENCE_SECONDS)[0], folded)
        self.assertTrue(pipe.is_fifo())

    def by_innermost_function(self, field):
        """The report's sums of a field by the function that a stack ends in, where it has a name."""
        sums = collections.Counter()
        for stack in self.report["stacks"]:
            name = stack["frames"][0]["function"] if stack["frames"] else "no stack"
            if name and stack[field]:
                sums[name] += stack[field]
        return sums

    def test_pprof_finds_the_same_figures(self):
        go = need("go", "golang-go")
        file = self.export("pprof")
        fields = {"allocations": "allocations", "allocated": "allocated_bytes",
                  "peak_blocks": "peak_live_blocks", "peak": "peak_live_bytes",
                  "leaked_blocks": "live_at_exit_blocks", "leaked": "live_at_exit_bytes",
                  "temporary": "temporary_allocations", "temporary_bytes": "temporary_bytes"}
        for sample_type, field in fields.items():
            with self.subTest(sample_type):
                done = self.run_plain(
                    go, "tool", "pprof", "-top", f"-sample_index={sample_type}", "-nodecount=0",
                    "-nodefraction=0", "-unit=B", file,
                    env=dict(self.environment, HOME=str(self.directory)))
                self.assertEqual(done.returncode, 0, done.stderr)
                top = done.stdout.decode()
                self.assertEqual(int(re.search(r"of (\d+)B? total", top)[1]), self.totals[field])
                flat = {name: int(figure) for figure, name in re.findall(
                    r"^ *(\d+)B? +\S+ +\S+ +\S+ +\S+ +(.*?)(?: \(inline\))?$", top, re.MULTILINE)}
                for name, amount in self.by_innermost_function(field).items():
                    self.assertEqual(flat[name], amount, name)

    def test_pprof_finds_files_lines_and_build_ids(self):
        go = need("go", "golang-go")
        done = self.run_plain(go, "tool", "pprof", "-raw", self.export("pprof", "--measure", "leaked"),
                              env=dict(self.environment, HOME=str(self.directory)))
        self.assertEqual(done.returncode, 0, done.stderr)
        raw = done.stdout.decode(errors="replace")
        self.assertRegex(raw, r"\bleaked/bytes\[dflt\]")
        self.assertRegex(raw, r"leaks \S*/recorded\.c:\d+")
        mappings = raw[raw.index("Mappings"):]
        self.assertRegex(mappings, r"/libc\.so\.6 [0-9a-f]{40}\b")
        self.assertRegex(mappings, r"a<b>&\"'\uFFFD\]\]> [0-9a-f]{40} \[FN\]\[FL\]\[LN\]")

    @staticmethod
    def whole(rows, wanted):
        """The rows of speedscope's tables once each of the wanted functions has its own."""
        return rows if wanted <= {row[2] for row in rows if len(row) == 3} else None

    def read_by_speedscope(self, file, wanted):
        """The title of its page and what its tables say, with a row for each of the functions."""
        page = READERS / "node_modules/speedscope/dist/release/index.html"
        if not page.exists():
            self.skipTest("speedscope is not installed (from npm: tests/system/readers/install)")
        # As its own command line hands a file over.
        script = self.directory / "load.js"
        data = base64.b64encode(file.read_bytes()).decode()
        script.write_text(f"speedscope.loadFileFromBase64('profile', '{data}')")
        with Browser() as browser:
            browser.open(f"file://{page}#localProfilePath={script}")
            click = ("[...document.querySelectorAll('div')]"
                     ".filter(e => e.textContent.includes('Sandwich')).pop()?.click()")
            read = ("[...document.querySelectorAll('tr')]"
                    ".map(row => [...row.cells].map(cell => cell.textContent))")
            # The page draws its tables one after the other, and a table again when it has grown.
            rows = wait_until(lambda: browser.run(click) or self.whole(browser.run(read), wanted),
                              f"a table with {sorted(wanted)}")
            return browser.run("document.title"), rows

    def check_own_figures(self, rows, expected):
        """Of functions: "1,000 (19%)" is a cell of speedscope's tables."""
        own = {row[2]: self.number(row[1].split("(")[0]) for row in rows if "%" in row[1]}
        for name, amount in expected.items():
            self.assertEqual(own[name], amount, name)

    @staticmethod
    def number(text):
        return int(re.sub(r"\D", "", text))

    def test_speedscope_finds_the_same_figures(self):
        calls = self.by_innermost_function("allocations")
        title, rows = self.read_by_speedscope(self.export("speedscope", "--measure", "calls"),
                                              set(calls))
        self.assertIn("a<b>&\"'\uFFFD", title)
        totals = {row[1]: row[2] for row in rows if len(row) == 3 and row[0].isdigit()}
        self.assertEqual(set(totals), {"peak live", "never freed", "allocated bytes", "calls",
                                       "temporary allocations"})
        self.assertEqual(self.number(totals["calls"]), self.totals["allocations"])
        self.assertEqual(self.number(totals["temporary allocations"]),
                         self.totals["temporary_allocations"])
        self.check_own_figures(rows, calls)

    def test_speedscope_reads_folded_stacks(self):
        calls = self.by_innermost_function("allocations")
        _, rows = self.read_by_speedscope(self.export("folded", "--measure", "calls"), set(calls))
        self.check_own_figures(rows, calls)

    def test_folded_stacks_add_up(self):
        for measure, field in MEASURES.items():
            lines = self.export("folded", "--measure", measure).read_text().splitlines()
            self.assertEqual(sum(int(line.rpartition(" ")[2]) for line in lines),
                             self.totals[field])

    def boxes(self, svg):
        """What a flame graph's boxes say: name, amount, position and width."""
        for group in svg.iter(f"{SVG}g"):
            rect, title = group.find(f"{SVG}rect"), group.find(f"{SVG}title")
            if title is not None:
                yield (title.text.split("\n")[0], int(group.get("data-amount")),
                       *(float(rect.get(key)) for key in ("x", "y", "width")))

    def test_a_flame_graph_is_sound_and_adds_up(self):
        need("xmllint", "libxml2-utils")
        for measure, field in MEASURES.items():
            with self.subTest(measure):
                file = self.export("flamegraph", "--measure", measure, name=f"{measure}.svg")
                done = self.run_plain("xmllint", "--noout", "--nonet", file)
                self.assertEqual((done.returncode, done.stderr), (0, b""))
                boxes = list(self.boxes(ElementTree.parse(file)))
                rows = collections.defaultdict(list)
                for box in boxes:
                    rows[box[3]].append(box)
                root, first = (rows[y] for y in sorted(rows)[:2])
                self.assertEqual([box[1] for box in root], [self.totals[field]])
                self.assertEqual(sum(box[1] for box in first), self.totals[field])
                for _, amount, _, _, width in boxes:
                    share = amount / self.totals[field]
                    self.assertAlmostEqual(width / root[0][4], share, delta=1e-4)

    def test_a_browser_draws_searches_and_zooms_a_flame_graph(self):
        file = self.export("flamegraph", "--measure", "calls", name="calls.svg")
        box = ("[...document.querySelectorAll('#boxes g')].find("
               "g => g.querySelector('title').textContent.startsWith('in_thread'))")
        with Browser() as browser:
            browser.open(f"file://{file}")
            drawn = browser.run(f"{box}.querySelector('rect').getBoundingClientRect().width")
            calls = sum(stack["allocations"] for stack in self.report["stacks"]
                        if any(f["function"] == "in_thread" for f in stack["frames"]))
            self.assertAlmostEqual(drawn / 1180, calls / self.totals["allocations"], delta=1e-3)
            click = "dispatchEvent(new MouseEvent('click'))"
            browser.run("window.prompt = () => '^in_thread$'; "
                        f"document.getElementById('search').{click}")
            self.assertEqual(browser.run("document.getElementById('found').textContent"),
                             f"^in_thread$: {100 * calls / self.totals['allocations']:.1f}% of all")
            browser.run(f"{box}.{click}")
            self.assertAlmostEqual(
                browser.run(f"{box}.querySelector('rect').getBoundingClientRect().width"), 1180,
                delta=0.1)
            hidden = "document.querySelectorAll('#boxes g.away').length"
            self.assertGreater(browser.run(hidden), 0)
            browser.run(f"document.getElementById('reset').{click}")
            self.assertEqual(browser.run(hidden), 0)
            browser.picture(self.directory / "calls.png")
        kept = os.environ.get("HEAPSPY_KEEP_PICTURES")  # a folder, to look at them
        if kept:
            (self.directory / "calls.png").rename(os.path.join(kept, "flame_graph.png"))

    def test_a_flame_graph_can_be_read_on_light_and_on_dark_pages(self):
        file = self.export("flamegraph", name="colours.svg")
        colours = ("[...document.querySelectorAll("
                   "'.page, .heading, .hint, .button, #boxes rect, #boxes text')]"
                   ".map(e => [e.closest('#boxes') ? 'box ' + e.tagName : e.getAttribute('class'),"
                   "           getComputedStyle(e).fill.match(/[0-9]+/g).slice(0, 3).map(Number)])")

        def light_of(colour):  # relative luminance, as WCAG has it
            parts = [c / 255 / 12.92 if c <= 10 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in colour]
            return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

        def contrast(one, other):
            high, low = sorted((light_of(one), light_of(other)), reverse=True)
            return (high + 0.05) / (low + 0.05)

        with Browser() as browser:
            for scheme in ("light", "dark"):
                browser.call("Emulation.setEmulatedMedia",
                             features=[{"name": "prefers-color-scheme", "value": scheme}])
                browser.open(f"file://{file}")
                found = {(what, tuple(colour)) for what, colour in browser.run(colours)}
                page = dict(found)["page"]
                self.assertEqual(light_of(page) < 0.1, scheme == "dark", page)
                boxes = [colour for what, colour in found if what == "box rect"]
                for what, colour in found:
                    for ground in boxes if what == "box text" else [page]:
                        if what not in ("page", "box rect"):
                            self.assertGreater(contrast(colour, ground), 4.5, (scheme, what))

    def trace_events(self):
        file = self.export("perfetto")
        return file, json.loads(file.read_text())["traceEvents"]

    def test_counters_over_time_reach_the_peak(self):
        _, events = self.trace_events()
        counters = collections.defaultdict(list)
        for event in events:
            if event["ph"] == "C":
                counters[event["name"]].append((event["ts"], event["args"]["bytes"]))
        self.assertLessEqual({"live", "RSS", "mapped"}, set(counters))
        for name, points in counters.items():
            self.assertEqual(points, sorted(points, key=lambda point: point[0]), name)
        self.assertEqual(max(bytes for _, bytes in counters["live"]),
                         self.totals["peak_live_bytes"])
        self.assertEqual(counters["live"][-1][1], self.totals["live_at_exit_bytes"])
        self.assertLessEqual(max(bytes for _, bytes in counters["RSS"]),
                             self.totals["peak_rss_bytes"])

    def test_a_browser_cuts_names_by_their_width(self):
        file = self.export("flamegraph", "--measure", "calls", name="wide.svg")
        drawn = file.read_text()
        names = {"in_thread" * 40: 1, "漢字" * 80: 1, "\U0001F600" * 200: 2, "e\u0301" * 155: 2}
        box = ("[...document.querySelectorAll('#boxes g')].find("
               "g => g.querySelector('title').textContent.startsWith(%s + '\\n'))")
        with Browser() as browser:
            for name, units in names.items():  # of UTF-16, that a character has
                file.write_text(drawn.replace("<title>in_thread\n", f"<title>{name}\n"))
                browser.open(f"file://{file}")
                text = f"{box % json.dumps(name)}.querySelector('text')"
                browser.run(f"{text}.parentNode.dispatchEvent(new MouseEvent('click'))")
                shown, width, whole = browser.run(
                    f"(text => {{ const shown = text.textContent, width = text.getComputedTextLength();"
                    f" text.textContent = {json.dumps(name)};"
                    f" const whole = text.getComputedTextLength(); text.textContent = shown;"
                    f" return [shown, width, whole]; }})({text})")
                room = 1180 - 2 * 3
                if whole <= room:
                    self.assertEqual(shown, name)
                    continue
                self.assertTrue(shown.endswith("..") and name.startswith(shown[:-2]), shown)
                self.assertEqual(len(shown[:-2].encode("utf-16-le")) // 2 % units, 0, shown)
                self.assertLessEqual(width, room + 0.5, shown)
                self.assertGreater(width, room - 40, shown)

    def test_chromium_reads_threads_and_their_sums_from_a_trace(self):
        file, _ = self.trace_events()
        # What Chromium's DevTools read a trace with.
        engine = "devtools://devtools/bundled/models/trace/trace.js"
        read = """import('%s').then(async trace => {
            const model = trace.TraceModel.Model.createWithAllHandlers();
            await model.parse(JSON.parse(%s).traceEvents);
            const meta = model.parsedTrace().data?.Meta ?? model.parsedTrace().Meta;
            const slices = [];
            const data = model.parsedTrace().data ?? model.parsedTrace();
            for (const process of data.Renderer.processes.values())
              for (const thread of process.threads.values())
                for (const entry of thread.entries) slices.push([thread.name, entry]);
            return {threads: [...meta.threadsInProcess.values()].flatMap(
                        threads => [...threads.values()].map(t => t.args.name)),
                    range: meta.traceBounds.range, slices};
        })""" % (engine, json.dumps(file.read_text()))
        with Browser() as browser:
            browser.open("devtools://devtools/bundled/devtools_app.html")
            found = browser.run(read)
        names = {thread["name"] for thread in self.report["threads"] if thread["name"]}
        self.assertIn("a<b>&\"'\uFFFD]]>", names)
        self.assertEqual(set(filter(None, found["threads"])), names)
        self.assertEqual(sum(entry["args"]["allocations"] for _, entry in found["slices"]),
                         self.totals["allocations"])

    def database(self):
        connection = sqlite3.connect(self.export("sqlite", name="out.db"))
        self.addCleanup(connection.close)
        return connection

    def test_a_database_has_the_same_figures(self):
        ask = self.database().execute
        one = lambda sql: ask(sql).fetchone()
        self.assertEqual(one("PRAGMA integrity_check"), ("ok",))
        self.assertEqual(one("SELECT count(*), sum(stands_for_bytes) FROM allocations"),
                         (self.totals["allocations"], self.totals["allocated_bytes"]))
        self.assertEqual(one("SELECT count(*) FROM events WHERE kind = 'free'"),
                         (self.totals["frees"],))
        self.assertEqual(one("SELECT count(*), sum(stands_for_bytes) FROM leaks"),
                         (self.totals["live_at_exit_blocks"], self.totals["live_at_exit_bytes"]))
        live, peak = 0, 0
        for bytes, ended in ask("SELECT e.bytes, a.bytes FROM events e "
                                "LEFT JOIN events a ON a.id = e.ends_id ORDER BY e.id"):
            live += (bytes or 0) - (ended or 0)
            peak = max(peak, live)
        self.assertEqual(peak, self.totals["peak_live_bytes"])
        self.assertEqual(one("SELECT count(*), sum(stands_for_bytes) FROM peak_blocks"),
                         (self.totals["peak_live_blocks"], peak))
        rss = one("SELECT max(max(resident_bytes, peak_resident_bytes)) FROM samples")[0]
        self.assertEqual(rss, self.totals["peak_rss_bytes"])
        threads = collections.Counter()
        for thread in self.report["threads"]:
            threads[thread["tid"]] += thread["allocations"]
        self.assertEqual(dict(ask("SELECT tid, count(*) FROM allocations JOIN threads "
                                  "ON threads.id = thread_id GROUP BY tid")), dict(threads))

    def test_a_database_has_peaks_and_usable_sizes_by_stack(self):
        ask = self.database().execute
        peaks = collections.Counter(dict(ask(
            "SELECT coalesce(function, ''), sum(stands_for_bytes) FROM peak_blocks "
            "JOIN stack_frames USING (stack_id) WHERE depth = 0 AND inline_depth = 0 GROUP BY 1")))
        wanted = collections.Counter()
        for stack in self.report["stacks"]:
            if stack["frames"] and stack["peak_live_bytes"]:
                wanted[stack["frames"][0]["function"] or ""] += stack["peak_live_bytes"]
        self.assertEqual(peaks, wanted)
        small = [one for one in self.report["usable"]["classes"] if one["most_usable_bytes"] < 32768]
        [found] = ask("SELECT count(*), sum(bytes), sum(usable_bytes) FROM overheads")
        self.assertEqual(found, tuple(sum(one[key] for one in small) for key in
                                      ("allocations", "requested_bytes", "usable_bytes")))

    def test_a_database_has_the_same_stacks(self):
        ask = self.database().execute
        functions = collections.defaultdict(list)
        for stack, function in ask("SELECT stack_id, function FROM stack_frames "
                                   "ORDER BY stack_id, depth, inline_depth"):
            functions[stack].append(function)
        found = collections.Counter()
        for stack, bytes in ask("SELECT stack_id, sum(bytes) FROM allocations GROUP BY stack_id"):
            found[tuple(functions[stack])] += bytes
        wanted = collections.Counter()
        for stack in self.report["stacks"]:
            wanted[tuple(f["function"] for f in stack["frames"])] += stack["allocated_bytes"]
        self.assertEqual(found, wanted)
        facts = dict(ask("SELECT key, value FROM recording"))
        self.assertEqual((facts["ending"], facts["exit_status"]), ("exited", 42))
        self.assertIn("a<b>&\"'\uFFFD", facts["executable"])

    def test_a_database_has_the_same_mappings(self):
        self.program = build_target("annotated")
        done = self.heapspy("record", "-q", "-o", self.recording, "--", self.program)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.report = json.loads(self.checked("report", "--json", self.recording))
        ask = self.database().execute
        functions = dict(ask("SELECT stack_id, group_concat(function) FROM stack_frames "
                             "GROUP BY stack_id"))
        wanted, found = collections.Counter(), collections.Counter()
        for mapping in self.report["mappings"]:
            names = ",".join(frame["function"] for frame in mapping["frames"])
            for key in ("calls", "mapped_at_exit_bytes", "discarded_bytes"):
                wanted[names, key] += mapping[key]
        begun = ("SELECT DISTINCT e.id, m.stack_id FROM mapping_events e "
                 "JOIN mappings m ON m.begun_id = e.id")
        for stack, calls in ask(f"SELECT stack_id, count(*) FROM ({begun}) GROUP BY stack_id"):
            found[functions[stack], "calls"] += calls
        for stack, mapped in ask("SELECT stack_id, sum(bytes) FROM mappings "
                                 "WHERE ended_id IS NULL GROUP BY stack_id"):
            found[functions[stack], "mapped_at_exit_bytes"] += mapped
        for stack, discarded in ask(
                "SELECT m.stack_id, sum(e.bytes) FROM mapping_events e JOIN mappings m "
                "ON e.address >= m.address AND e.address < m.address + m.bytes "
                "AND m.begun_id <= e.id AND (m.ended_id IS NULL OR m.ended_id > e.id) "
                "WHERE kind = 'discard' GROUP BY m.stack_id"):
            found[functions[stack], "discarded_bytes"] += discarded
        self.assertEqual(+found, +wanted)
        self.assertGreater(sum(found.values()), 2 << 20)
        kinds = {kind for [kind] in ask("SELECT DISTINCT kind FROM mapping_events")}
        self.assertEqual(kinds, {"map", "unmap", "remap", "discard"})
        mappings = ask("SELECT begun_id, coalesce(ended_id, 1 << 62), bytes FROM mappings").fetchall()
        most = max(sum(bytes for begun, ended, bytes in mappings if begun <= at < ended)
                   for at, _, _ in mappings)
        (query,) = re.findall(r"What was mapped when the most was.*?```sql\n(.*?)```",
                              EXPORTS.read_text(), re.DOTALL)
        self.assertEqual(sum(bytes for _, bytes in ask(query)), most)
        [pss] = ask("SELECT max(proportional_bytes) FROM samples").fetchone()
        self.assertEqual(pss, self.report["totals"]["peak_pss_bytes"])

    def test_the_sqlite_shell_opens_a_database(self):
        need("sqlite3")
        file = self.export("sqlite", name="out.db")
        done = self.run_plain(
            "sqlite3", "-json", file, "SELECT function, sum(stands_for_bytes) AS bytes FROM leaks "
            "JOIN stack_frames USING (stack_id) WHERE function = 'leaks'")
        self.assertEqual(json.loads(done.stdout), [{"function": "leaks", "bytes": 10000}])

    def test_a_database_is_whole_or_not_there(self):
        path = self.directory / "out.db"
        path.write_bytes(b"something else")
        done = self.heapspy("report", "--export", "sqlite", "-o", path, self.program)
        self.assertEqual(done.returncode, 1)
        self.assertEqual(path.read_bytes(), b"something else")
        self.export("sqlite", name="out.db")
        self.assertTrue(path.read_bytes().startswith(b"SQLite format 3\0"))
        self.assertEqual(list(self.directory.glob("*.partial")), [])
        done = self.heapspy("report", "--export", "sqlite", "-o", "/dev/full", self.recording)
        self.assertEqual((done.returncode, done.stdout), (1, b""))
        self.assertEqual(done.stderr, b"heapspy report: cannot write '/dev/full': "
                                      b"SQLite writes to files only\n")

    def test_a_database_that_cannot_be_written_is_refused_as_any_other_file(self):
        (self.directory / "file").write_bytes(b"")
        for name in ("missing/out.db", "file/out.db", "."):
            said = [self.heapspy("report", "--export", form, "-o", self.directory / name,
                                 self.recording) for form in ("sqlite", "pprof")]
            self.assertEqual([done.returncode for done in said], [1, 1])
            self.assertEqual(said[0].stderr, said[1].stderr)
            self.assertEqual(said[0].stderr.count(b"\n"), 1)

    def test_a_database_on_a_file_system_that_is_read_only_says_so(self):
        need_root()
        disk = self.directory / "disk"
        disk.mkdir()
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", disk], check=False,
                                 capture_output=True)
        if mounted.returncode != 0:
            self.skipTest("nothing can be mounted here")
        try:
            done = self.heapspy("report", "--export", "sqlite", "-o", disk / "out.db",
                                self.recording)
        finally:
            subprocess.run(["umount", disk], check=True)
        self.assertEqual((done.returncode, done.stderr.decode()), (
            1, f"heapspy report: cannot write '{disk / 'out.db'}': Read-only file system\n"))

    def test_a_database_for_which_there_is_no_room_says_so(self):
        done = subprocess.run(
            ["sh", "-c", 'trap "" XFSZ; ulimit -f 1; exec "$@"', "sh", HEAPSPY, "report", "--export", "sqlite",
             "-o", self.directory / "out.db", self.recording],
            capture_output=True, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stderr.decode(), f"heapspy report: cannot write "
                         f"'{self.directory / 'out.db'}': File too large\n")
        self.assertEqual(list(self.directory.glob("out.db*")), [])

    def test_binary_forms_are_kept_from_terminals(self):
        session = Terminal([HEAPSPY, "report", "--export", "pprof", self.recording])
        self.addCleanup(session.close)
        self.assertEqual(session.read_to_end(), 2)
        self.assertEqual(session.text, b"heapspy report: --export pprof is not for terminals: "
                                       b"add -o FILE\n")


if __name__ == "__main__":
    unittest.main()
