"""tools/check_layers finds what it should in a tree with one planted violation, and only that."""
import unittest

from tree_check import TreeCheck


class CheckLayers(TreeCheck):
    tool = "check_layers"

    def test_accepts_what_the_table_allows(self):
        self.assert_clean({
            "src/model/event.h": '#include <vector>\n#include "base/units.h"\n'
                                 '#include "model/cause.h"\n#include "unwind/call_stack.h"\n',
            "src/cli/main.cc": '#include "kernel/process.h"\n#include "views/text.h"\n',
        })

    def test_rejects_an_upward_include(self):
        self.assert_error({"src/model/event.h": '\n#include "views/text.h"\n'},
                          'src/model/event.h:2: model may not include "views/text.h"')

    def test_allows_one_header_of_a_module_without_the_others(self):
        self.assert_error({"src/model/event.h": '#include "unwind/unwinder.h"\n'},
                          'src/model/event.h:1: model may not include "unwind/unwinder.h"')

    def test_rejects_an_include_by_bare_file_name(self):
        self.assert_error({"src/model/event.cc": '#include "event.h"\n'},
                          'src/model/event.cc:1: includes "event.h", which is no module of src/ '
                          '(headers are named "module/file.h")')

    def test_rejects_a_file_outside_the_modules(self):
        self.assert_error({"src/misc/x.h": ""},
                          "src/misc/x.h: is in no module that tools/check_layers knows")

    def test_rejects_a_system_call_outside_kernel(self):
        for call in ("mmap(nullptr, 1, 0, 0, -1, 0);", "::ptrace (request);", "x = sbrk(0);"):
            with self.subTest(call):
                status, lines = self.check({"src/sources/trace.cc": f"void f() {{\n  {call}\n}}\n"})
                self.assertEqual(status, 1)
                self.assertRegex(lines[0], r"^src/sources/trace\.cc:2: only kernel/ may call \w+\(\)$")

    def test_rejects_a_file_of_proc_outside_kernel(self):
        self.assert_error({"src/sources/maps.cc": 'auto f = open("/proc/self/maps");\n'},
                          "src/sources/maps.cc:1: only kernel/ may name files of /proc")

    def test_allows_both_inside_kernel(self):
        self.assert_clean({"src/kernel/maps.cc": 'void f() { brk(0); open("/proc/self/maps"); }\n'})

    def test_tells_a_module_inside_another_from_it(self):
        self.assert_clean({"src/alloc/window.cc": '#include "kernel/vm/vm.h"\n'})
        self.assert_error({"src/alloc/window.cc": '#include "kernel/ptrace.h"\n'},
                          'src/alloc/window.cc:1: alloc may not include "kernel/ptrace.h"')

    def test_rejects_a_header_that_allocates_inside_malloc(self):
        self.assert_error({"src/alloc/bin.h": "#include <array>\n#include <vector>\n"},
                          "src/alloc/bin.h:2: alloc runs inside malloc and may not use <vector>")

    def test_is_not_misled_by_comments_strings_and_longer_names(self):
        self.assert_clean({"src/explain/text.cc": '// brk(NULL) asks; "/proc/self/maps" says\n'
                                                  '/* mmap(\n brk( */\n'
                                                  'auto a = "brk(NULL) is a question";\n'
                                                  'auto b = R"(mmap(0))";\n'
                                                  'decode_mmap(1); space.mmap(2); p->brk(3);\n'
                                                  'model::brk(4);\n'})

    def test_tells_a_function_of_the_file_from_the_system_call(self):
        self.assert_error({"src/sources/space.cc": "void brk();\nvoid f() {\n  brk();\n"
                                                   "  ::brk(0);\n  return mmap(0);\n}\n"
                                                   "void Space::mmap();\nbool mmap(int);\n"},
                          "src/sources/space.cc:4: only kernel/ may call brk()")

    def test_counts_lines_past_comments_of_many_lines(self):
        self.assert_error({"src/base/x.h": '/* one\ntwo\n*/\n#include "cli/main.h"\n'},
                          'src/base/x.h:4: base may not include "cli/main.h"')


if __name__ == "__main__":
    unittest.main()
