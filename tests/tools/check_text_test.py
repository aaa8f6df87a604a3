"""tools/check_text finds what it should in a tree with one planted violation, and only that."""
import unittest

from tree_check import TreeCheck


class CheckText(TreeCheck):
    tool = "check_text"

    def test_accepts_links_and_paths_that_resolve(self):
        self.assert_clean({
            "README.md": "# Top\n[a](docs/a.md) [b](docs/a.md#the-heap-in-short) [c](#top)\n"
                         "[d](docs/a.md#brk) [e](https://example.org/x#y) `src/model/event`\n",
            "docs/a.md": 'See docs/a.md and docs/decisions/NNNN-title.md.\n'
                         '## The heap, in short\n<a id="brk"></a>\n',
            "src/model/event.h": "",
        })

    def test_rejects_a_link_to_no_file(self):
        self.assert_error({"README.md": "one\n[a](docs/gone.md)\n"},
                          "README.md:2: links to docs/gone.md, which does not exist")

    def test_rejects_a_link_to_no_heading(self):
        self.assert_error({"a.md": "[a](b.md#heap)\n", "b.md": "# Stack\n```\n# heap\n```\n"},
                          "a.md:1: links to b.md#heap, which has no such heading or anchor")

    def test_resolves_links_from_the_page_they_stand_on(self):
        self.assert_error({"docs/a.md": "[x](docs/a.md)\n"},
                          "docs/a.md:1: links to docs/a.md, which does not exist")

    def test_rejects_a_path_that_is_gone(self):
        self.assert_error({"CHANGELOG.md": "the list in `tools/list.txt`.\n"},
                          "CHANGELOG.md:1: names tools/list.txt, which does not exist")

    def test_needs_no_git(self):
        self.environment = {"PATH": "/nonexistent"}
        self.assert_error({"a.txt": "x", "build/b.txt": "x"}, "a.txt: does not end with a newline")

    def test_rejects_a_directory_of_one_machine(self):
        self.assert_error({"src/a.cc": "// as in /home/someone/x\n"},
                          "src/a.cc:1: names a directory of one machine")

    def test_accepts_a_process_root_directory(self):
        self.assert_clean({"src/a.cc": '// "/proc/123/root/usr", "{}/root/usr"\n'})

    def test_rejects_a_task_without_its_issue(self):
        self.assert_error({"src/a.cc": "// TODO(#7): this\n// TODO: that\n"},
                          "src/a.cc:2: a task without its issue: write TODO(#12)")

    def test_rejects_conflict_markers_and_carriage_returns(self):
        self.assert_error({"a.txt": "<<<<<<< ours\n"}, "a.txt:1: a merge conflict's marker")
        self.assert_error({"a.txt": "x\r\n"}, "a.txt:1: a carriage return")

    def test_rejects_two_decisions_of_one_number(self):
        self.assert_error({"docs/decisions/0001-a.md": "", "docs/decisions/0001-b.md": ""},
                          "docs/decisions/0001-b.md: has the number of docs/decisions/0001-a.md")

    def test_rejects_a_missing_last_newline(self):
        self.assert_error({"a.txt": "x"}, "a.txt: does not end with a newline")

    def test_leaves_test_data_alone(self):
        self.assert_clean({"tests/fuzz/corpus/elf/a": "TODO\r"})


if __name__ == "__main__":
    unittest.main()
