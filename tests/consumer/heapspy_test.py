"""heapspy as it is installed: what its documents name is there.

    heapspy_test.py CMAKE BUILD SCRATCH       SCRATCH may be written
"""
import pathlib
import re
import shutil
import subprocess
import sys
import unittest

CMAKE, BUILD, SCRATCH = sys.argv[1:4]
PREFIX = pathlib.Path(SCRATCH)
LINK = re.compile(r"\]\(([^)#\s]+)[^)]*\)")


class InstalledHeapspy(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        shutil.rmtree(PREFIX, ignore_errors=True)
        subprocess.run([CMAKE, "--install", BUILD, "--component", "Unspecified", "--prefix", PREFIX,
                        "--strip"], stdout=subprocess.DEVNULL, check=True)

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(PREFIX)

    def test_documents_that_manual_pages_name_are_there(self):
        pages = list((PREFIX / "share/man/man1").glob("*.1"))
        named = {name for page in pages for name in re.findall(r"\S+\.md\b", page.read_text())}
        self.assertIn("share/doc/heapspy/report-format.md", named)
        for name in named:
            self.assertTrue((PREFIX / name).is_file(), name)

    def test_links_of_documents_lead_to_files_that_are_there(self):
        pages = [*(PREFIX / "share/doc/heapspy").rglob("*.md"), PREFIX / "share/heapspy/lab/README.md"]
        self.assertGreater(len(pages), 10)
        for page in pages:
            for target in LINK.findall(page.read_text()):
                # What lies beside docs/ are sources.
                if not re.match(r"https?:|\.\./(bench|include)/", target):
                    self.assertTrue((page.parent / target).exists(), f"{page.name}: {target}")

    def lab(self, *words):
        return subprocess.run([PREFIX / "bin/heapspy", "lab", *words], capture_output=True, text=True,
                              check=False)

    def test_a_program_of_the_lab_runs_where_the_lab_says_that_it_is(self):
        lab = self.lab("0.2")
        self.assertEqual(lab.returncode, 0, lab.stdout)
        source, program = re.search(r"^Program:\s+(\S+), built\s+as\s+(\S+)$", lab.stdout,
                                    re.M).groups()
        self.assertIn("int main", pathlib.Path(source).read_text())
        subprocess.run([program], stdout=subprocess.DEVNULL, check=True)

    def test_a_program_of_the_lab_without_its_lines_is_no_wrong_prediction(self):
        program = PREFIX / "libexec/heapspy/lab/heap_spy"
        whole = program.read_bytes()
        subprocess.run(["strip", program], check=True)
        lab = self.lab("0.2")
        program.write_bytes(whole)
        self.assertEqual(lab.returncode, 1)
        self.assertIn("heap_spy was stripped", lab.stderr)
        self.assertNotIn("\u2717", lab.stdout)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
