"""Every kind of finding that the sources can make is in the document of its format."""
import pathlib
import re
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
# The sources that make findings, and how many kinds there are at least in each document.
DOCUMENTS = {
    "report-format.md": (14, "heap_findings.cc", "leak_findings.cc", "memory_use_findings.cc"),
    "inspect-format.md": (15, "memory_findings.cc", "memory_most_findings.cc"),
    "diff-format.md": (16, "diff_findings.cc", "inspection_diff.cc"),
}
KINDS = [re.compile(r'(?:push_back\(\s*\{|return \{|[ .{]kind =)\s*(?:\.kind = )?"([a-z_-]+)"'),
         re.compile(r'\{Measure::k\w+, "([a-z-]+-growth)"'),
         re.compile(r'\{Measure::k\w+, "[a-z-]+", "([a-z-]+-shrinkage)"')]


class FindingsDocumentedTest(unittest.TestCase):
    def test_each_kind_is_named(self):
        for document, (least, *sources) in DOCUMENTS.items():
            text = (ROOT / "docs" / document).read_text()
            kinds = {kind for source in sources for form in KINDS
                     for kind in form.findall((ROOT / "src" / "explain" / source).read_text())}
            self.assertGreaterEqual(len(kinds), least, document)
            self.assertEqual([kind for kind in sorted(kinds) if f"`{kind}`" not in text], [], document)


if __name__ == "__main__":
    unittest.main()
