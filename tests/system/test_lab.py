"""heapspy lab: every experiment holds on this machine, and says so only where it does."""
import contextlib
import errno
import json
import os
import pathlib
import pty
import re
import select
import shutil
import signal
import subprocess
import tempfile
import xml.etree.ElementTree

from browser import Browser
from harness import HEAPSPY, LAB, PATIENCE_SECONDS, SystemTest, need, read_terminal, wait_until

XHTML = "{http://www.w3.org/1999/xhtml}"
# What would make malloc another than the predictions are for.
ALTERING = ("MALLOC_TOP_PAD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES", "LD_PRELOAD")


def environment(**variables):
    plain = {name: value for name, value in os.environ.items() if name not in ALTERING}
    return plain | {"LC_ALL": "C.UTF-8"} | variables


def lab(*words, said=None, check=None, **variables):
    done = subprocess.run([HEAPSPY, "lab", *words], capture_output=True, text=True, check=False,
                          stdin=subprocess.DEVNULL if said is None else None, input=said,
                          env=environment(**variables), timeout=PATIENCE_SECONDS)
    if check is not None and done.returncode != check:
        raise AssertionError(f"{words}: status {done.returncode}, not {check}\n"
                             f"{done.stdout}{done.stderr}")
    return done


def listed():
    return json.loads(lab("--json", check=0).stdout)["experiments"]


def lines_of(experiment, **variables):
    done = lab("--json", experiment, **variables)
    return {line["what"]: line for line in json.loads(done.stdout)["lines"]}, done.returncode


class Experiments(SystemTest):
    def test_each_holds_on_this_machine(self):
        for row in listed():
            with self.subTest(row["id"]):
                lesson = json.loads(lab("--json", row["id"], check=0).stdout)
                self.assertEqual((lesson["type"], lesson["schema"]), ("lab", 1))
                self.assertTrue(lesson["holds"])
                self.assertTrue(lesson["lines"])
                for line in lesson["lines"]:
                    self.assertEqual(line["observed"], line["predicted"], line)
                    self.assertTrue(line["holds"], line)
                for source in lesson["sources"]:
                    self.assertTrue(pathlib.Path(source).is_file(), source)
                self.assertTrue(lesson["explanation"])

    def test_each_is_told_in_eighty_columns_without_colour(self):
        for row in listed():
            with self.subTest(row["id"]):
                text = lab(row["id"], check=0).stdout
                for part in (row["title"], "Prediction", "Predicted and observed", "Why", "Words:"):
                    self.assertIn(part, " ".join(text.split()))
                self.assertNotIn("\x1b", text)
                self.assertNotIn("✗", text)
                # The programs are shown as they are.
                wide = [line for line in text.splitlines()
                        if len(line) > 80 and not re.match(r" *\d+ \|", line)]
                self.assertEqual(wide, [])
                words = re.search(r"Words: (.*?)\. Each is explained", " ".join(text.split()))
                for word in words[1].split(", "):
                    self.assertIn(word, lab("glossary", word, check=0).stdout)

    def test_the_list_is_in_order_and_all_of_phase_0_is_there(self):
        rows = listed()
        ids = [row["id"] for row in rows]
        self.assertEqual(ids, sorted(ids, key=lambda i: [int(part) for part in i.split(".")]))
        self.assertEqual([i for i in ids if i.startswith("0.")],
                         ["0.1", "0.2", "0.3", "0.4", "0.5", "0.6"])
        self.assertEqual({i.split(".")[0] for i in ids}, {str(n) for n in range(10)})
        text = lab(check=0).stdout
        for row in rows:
            self.assertRegex(text, rf"(?m)^  {re.escape(row['id'])} +\S")

    def test_the_commands_of_the_reader(self):
        lab("0.1", "--", "sh", "-c", "true", check=0)
        lab("0.6", "sh", "-c", "ls / | wc -l", check=0)

    def test_none_needs_root_nor_a_build_tree(self):
        """As installed, in a folder that LD_PRELOAD cannot name, and as anybody."""
        home = self.open_directory() / "a folder: here"
        programs = home / "libexec/heapspy/lab"
        sources = home / "share/heapspy/lab"
        stages = home / "lib/heapspy/stages"
        for folder in (home / "bin", programs, sources, stages):
            folder.mkdir(parents=True)
        heapspy = pathlib.Path(shutil.copy(HEAPSPY, home / "bin/heapspy"))
        for file in LAB.iterdir():
            if file.is_file() and os.access(file, os.X_OK):
                shutil.copy(file, programs)
        for library in (LAB / "stages").glob("libstage*.so"):
            shutil.copy(library, stages)
        shutil.copytree(LAB / "sources", sources, dirs_exist_ok=True)
        subprocess.run(["chmod", "-R", "a+rX", home], check=True)
        for row in listed():
            with self.subTest(row["id"]):
                done = subprocess.run([*self.as_nobody(), heapspy, "lab", "--json", row["id"]],
                                      capture_output=True, text=True, check=False, cwd="/",
                                      env=environment(), timeout=PATIENCE_SECONDS)
                self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
                for source in json.loads(done.stdout)["sources"]:
                    self.assertTrue(source.startswith(str(sources.resolve())), source)

    def test_a_malloc_that_was_altered_does_not_do_as_predicted(self):
        lines, status = lines_of("0.3", MALLOC_TOP_PAD_="0")
        self.assertEqual(status, 1)
        growth = lines["the heap grows by"]
        self.assertFalse(growth["holds"])
        self.assertLess(growth["observed"], growth["predicted"])
        apart = lines["from the first to the second"]
        self.assertTrue(apart["holds"], "the blocks are where they would be anyway")
        # It says what the matter is.
        text = lab("0.3", MALLOC_TOP_PAD_="0", check=1).stdout
        self.assertIn("✗", text)
        self.assertIn("Your environment has MALLOC_TOP_PAD_=0", " ".join(text.split()))

        lines, status = lines_of("0.3", GLIBC_TUNABLES="glibc.malloc.top_pad=1048576")
        self.assertEqual(status, 1)
        self.assertGreater(lines["the heap grows by"]["observed"], 1 << 20)

    def test_each_alteration_shows_where_it_matters(self):
        lines, status = lines_of("8.1", MALLOC_ARENA_MAX="1")
        self.assertEqual(status, 1)
        self.assertEqual(lines["arenas, with two threads"]["observed"], 1)
        self.assertTrue(lines["first thread's block: in [heap]"]["holds"])

        lines, status = lines_of("6", MALLOC_MMAP_THRESHOLD_="300000")
        self.assertEqual(status, 1)
        found = lines["found, with the stock used up"]
        self.assertGreater(found["observed"], 299_000)
        # The stages do not listen to glibc's variables.
        self.assertTrue(lines["stage 6: found at first"]["holds"])

        lines, status = lines_of("7", GLIBC_TUNABLES="glibc.malloc.tcache_count=2")
        self.assertEqual(status, 1)
        self.assertEqual(lines["24 bytes: in the cache"]["observed"], 2)
        self.assertEqual(lines["24 bytes: in a fast bin"]["observed"], 8)

        # glibc joins neighbours all the time where it has no fast bins and no cache.
        lines, status = lines_of("3", GLIBC_TUNABLES="glibc.malloc.tcache_count=0:"
                                                     "glibc.malloc.mxfast=0")
        self.assertEqual(status, 1)
        self.assertEqual(lines["glibc: of 64, when all is free"]["observed"], 50)
        self.assertTrue(lines["glibc: blocks of 64 in the gaps"]["holds"])

    def test_a_program_that_is_not_there_is_left_out(self):
        lines, status = lines_of("9.2", PATH="/nonexistent")
        self.assertEqual(status, 0)
        self.assertEqual([line["observed"] for line in lines.values()], ["no"])
        self.assertIn("sqlite3 is not installed here",
                      " ".join(lab("9.2", PATH="/nonexistent", check=0).stdout.split()))

    def test_without_unicode(self):
        text = lab("0.3", LC_ALL="C", LANG="C", check=0).stdout
        self.assertTrue(text.isascii(), [line for line in text.splitlines() if not line.isascii()])

    def test_a_signal_that_ends_the_program_ends_the_lab(self):
        """It took that for an experiment that failed, and went on to the next."""
        begun = self.open_directory() / "begun"
        with subprocess.Popen([HEAPSPY, "lab", "0.1", "sh", "-c", f"> {begun}; exec sleep 600"],
                              stdout=subprocess.DEVNULL, env=environment()) as running:
            wait_until(begun.exists, "the program to begin", running)
            running.send_signal(signal.SIGINT)
            self.assertEqual(running.wait(PATIENCE_SECONDS), -signal.SIGINT)

    def test_a_reader_that_has_gone_ends_it_quietly(self):
        read, written = os.pipe()
        os.close(read)
        for words in ((), ("0.2",), ("glossary",)):
            done = subprocess.run([HEAPSPY, "lab", *words], stdout=written, check=False,
                                  stderr=subprocess.PIPE, timeout=PATIENCE_SECONDS)
            self.assertEqual((done.returncode, done.stderr), (-signal.SIGPIPE, b""), words)
        os.close(written)

    def test_wrong_words(self):
        unknown = lab("7.77", check=2)
        self.assertEqual(unknown.stdout, "")
        self.assertEqual(unknown.stderr.count("\n"), 1)
        self.assertIn("'heapspy lab' lists them", unknown.stderr)
        self.assertIn("leave out 'ls'", lab("0.3", "ls", check=2).stderr)
        self.assertIn("--ask", lab("--ask", check=2).stderr)
        self.assertIn("choose one", lab("--ask", "--json", "0.3", check=2).stderr)
        self.assertIn("no such command", lab("0.1", "no-such-command", check=1).stderr)
        script = self.directory / "script"
        script.write_text("#!/bin/sh\n")
        script.chmod(0o755)
        self.assertIn("is a script", lab("0.1", str(script), check=1).stderr)
        self.assertIn("no word 'xyzzy': 'heapspy", lab("glossary", "xyzzy", check=2).stderr)
        self.assertIn("did you mean 'top chunk'?", lab("glossary", "topchunk", check=2).stderr)


class Asking(SystemTest):
    """The reader predicts first."""

    RIGHT = ["1", "132 KiB", "0x6b0", "1008", "0x3f0"]

    def test_answers_in_a_pipe(self):
        done = lab("--ask", "0.3", said="\n".join(self.RIGHT + ["about half", "9"]) + "\n", check=0)
        text = " ".join(done.stdout.split())
        self.assertEqual(text.count(": right"), 5, done.stdout)
        self.assertIn("(type bytes:", text)
        self.assertIn("you said 9 bytes: not so", text)
        # Nothing is given away before the questions.
        self.assertLess(done.stdout.index("Your prediction"), done.stdout.index("Prediction, for"))

    def test_a_wrong_guess_of_the_reader_is_no_failure(self):
        done = lab("--ask", "0.3", said="17\n", check=0)
        self.assertIn("you said 17: not so", done.stdout)

    def test_the_end_of_the_input_passes_the_rest(self):
        for said in ("", "1\n", "\n\n"):
            done = lab("--ask", "0.3", said=said, check=0)
            self.assertIn("Predicted and observed", done.stdout)

    def test_on_a_terminal(self):
        """Each question waits for its answer, which the terminal shows, and we do not repeat."""
        pid, terminal = pty.fork()
        if pid == 0:
            os.execve(HEAPSPY, ["heapspy", "lab", "--ask", "0.3"],
                      environment(TERM="dumb", COLUMNS="80"))
        seen = self.read_until(terminal, b"grow? ")
        for answer, question in zip(self.RIGHT, (b"in sum? ", b"first block? ", b"second block? ",
                                                 b"the third? ", b"at its end? ")):
            os.write(terminal, answer.encode() + b"\n")
            seen += self.read_until(terminal, question)
        os.write(terminal, b"\x04")  # the end of the input
        seen += self.read_until(terminal, None)
        os.close(terminal)
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 0, seen.decode())
        text = " ".join(seen.decode().split())
        self.assertEqual(text.count(": right"), 5, text)
        self.assertEqual(text.count("132 KiB How far apart") + text.count("132 KiB How many"), 1)

    def read_until(self, terminal, mark):
        """Up to the mark; without one, to the end."""
        seen = b""
        while mark is None or mark not in seen:
            if not select.select([terminal], [], [], PATIENCE_SECONDS)[0]:
                self.fail(f"no {mark} after {seen.decode()}")
            some = read_terminal(terminal)
            if not some:
                self.assertIsNone(mark, seen.decode())
                return seen
            seen += some
        return seen


class Site(SystemTest):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="heapspy-lab-")
        cls.site = pathlib.Path(cls.folder.name) / "made/for it"
        cls.done = lab("--html", str(cls.site))

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def test_the_pages(self):
        self.assertEqual(self.done.returncode, 0, self.done.stderr)
        self.assertEqual(self.done.stdout, f"{self.site}/index.html\n")
        pages = {page.name for page in self.site.iterdir()}
        wanted = {row["id"].replace(".", "-") + ".html" for row in listed()}
        wanted |= {f"stage-{n}.html" for n in range(1, 9)}
        wanted |= {f"stage-{n}-to-{n + 1}.html" for n in range(1, 8)}
        wanted |= {"index.html", "stages.html", "stage-family.html", "glossary.html"}
        self.assertEqual(pages, wanted)
        index = (self.site / "index.html").read_text()
        self.assertNotIn("not as predicted", index)
        self.assertEqual(index.count("as predicted"), len(listed()))
        growth = (self.site / "0-3.html").read_text()
        self.assertIn("three_mallocs.c", growth)
        self.assertIn("0x3f0", growth)
        self.assertIn("sbrk", (self.site / "stage-1.html").read_text())

    def test_each_page_is_well_formed(self):
        subprocess.run([need("xmllint", "libxml2-utils"), "--noout", *sorted(self.site.iterdir())],
                       check=True, timeout=PATIENCE_SECONDS)

    def test_each_link_leads_somewhere_and_nothing_needs_a_network(self):
        anchors = {}
        trees = {page.name: xml.etree.ElementTree.parse(page) for page in self.site.iterdir()}
        for name, tree in trees.items():
            anchors[name] = {e.get("id") for e in tree.iter() if e.get("id")}
        linked_terms = 0
        for name, tree in trees.items():
            for element in tree.iter():
                self.assertIsNone(element.get("src"), name)
                self.assertNotIn(element.tag, (XHTML + "script", XHTML + "link"), name)
                target = element.get("href")
                if target is None:
                    continue
                page, _, anchor = target.partition("#")
                self.assertIn(page or name, trees, f"{name}: {target}")
                if anchor:
                    self.assertIn(anchor, anchors[page or name], f"{name}: {target}")
                linked_terms += element.get("class") == "term"
        self.assertGreater(linked_terms, 5 * len(listed()))

    def test_in_a_browser(self):
        """Narrow or wide, dark or light, no page is wider than its window."""
        for width in (360, 1200):
            with Browser(width, 800) as browser:
                for scheme in ("light", "dark"):
                    browser.call("Emulation.setEmulatedMedia", features=[
                        {"name": "prefers-color-scheme", "value": scheme}])
                    for page in ("index.html", "0-3.html", "stage-4-to-5.html", "glossary.html"):
                        browser.open((self.site / page).as_uri())
                        wide = browser.run("document.documentElement.scrollWidth - innerWidth")
                        self.assertLessEqual(wide, 0, (page, width))
                        dark = browser.run("getComputedStyle(document.body).backgroundColor"
                                           ".match(/\\d+/g).map(Number)[0] < 128")
                        self.assertEqual(dark, scheme == "dark", page)

    def test_what_changes_from_stage_to_stage_in_a_browser(self):
        """No line of a source is broken; what goes and what comes are side by side, or one after the other."""
        with Browser(1440, 800) as browser:
            for width, columns in ((360, 1), (1100, 1), (1440, 2)):
                browser.call("Emulation.setDeviceMetricsOverride", width=width, height=800,
                             deviceScaleFactor=1, mobile=False)
                browser.open((self.site / "stage-4-to-5.html").as_uri())
                self.assertLessEqual(browser.run("document.documentElement.scrollWidth - innerWidth"), 0)
                spaces = browser.run("[...document.querySelectorAll('.diff pre')]"
                                     ".map(side => getComputedStyle(side).whiteSpace)")
                self.assertEqual(set(spaces), {"pre"}, width)
                tracks = browser.run("getComputedStyle(document.querySelector('.diff')).gridTemplateColumns")
                self.assertEqual(len(tracks.split()), columns, width)
                lefts = browser.run("['nav a', 'h1'].map(s => document.querySelector(s)"
                                    ".getBoundingClientRect().left)")
                self.assertEqual(lefts[0], lefts[1], width)


class SiteThatIsNotMade(SystemTest):
    def test_a_folder_that_cannot_be_made(self):
        done = lab("--html", "/dev/null/site", check=1)
        self.assertIn("cannot make the folder '/dev/null/site'", done.stderr)

    def test_ended_by_ctrl_c_it_leaves_no_pages(self):
        with tempfile.TemporaryDirectory(prefix="heapspy-lab-") as folder:
            with subprocess.Popen([HEAPSPY, "lab", "--html", folder], stdout=subprocess.DEVNULL,
                                  stderr=subprocess.PIPE, env=environment()) as running:
                self.assertEqual(running.stderr.readline(), b"heapspy lab: 0.1 ...\n")

                def ended():  # one of them comes while an experiment's program can take it
                    running.send_signal(signal.SIGINT)
                    return running.poll() is not None

                wait_until(ended, "it ends")
                self.assertEqual(running.returncode, -signal.SIGINT)
            with contextlib.suppress(ChildProcessError):  # an experiment's program that was ending
                self.wait_for_orphan()
            self.assertEqual(os.listdir(folder), [])

    def test_a_page_that_cannot_be_written_is_said_before_anything_is_run(self):
        with tempfile.TemporaryDirectory(prefix="heapspy-lab-") as folder:
            pathlib.Path(folder, "glossary.html").mkdir()
            done = lab("--html", folder, check=1)
        self.assertEqual(done.stderr, f"heapspy lab: cannot write '{folder}/glossary.html': "
                                      f"{os.strerror(errno.EISDIR)}\n")
