"""The programs that recorders are measured on, by what the tables call them."""
import table
from table import report

PAIRS = 4_000_000
PYTHON = "print(sum(len(d) for d in ({str(i): [i] for i in range(2000)} for _ in range(150))))"
TEMPLATES = """#include <map>
#include <regex>
#include <string>
#include <variant>
#include <vector>
std::map<std::string, std::vector<std::variant<int, std::string>>> table;
bool matches(const std::string& text) { return std::regex_match(text, std::regex("(a|b)*c")); }
"""


def make(build, scratch, pairs=PAIRS):
    """Commands; words with "=" before them are variables of the environment."""
    source = scratch / "templates.cc"
    source.write_text(TEMPLATES)
    program = str(build / "bench/record/pairs")
    return {
        "pairs, 1 thread": [program, "1", str(pairs)],
        "pairs, 4 threads": [program, "4", str(pairs)],
        "python": ["PYTHONMALLOC=malloc", "/usr/bin/python3", "-c", PYTHON],
        # Not g++, which starts it: heaptrack does not follow.
        "compiler": [report.first_line("g++", "-print-prog-name=cc1plus"), "-quiet",
                     "-D_GNU_SOURCE", "-imultiarch", "x86_64-linux-gnu", "-std=c++20", "-O1",
                     str(source), "-o", str(scratch / "t.s")],
    }
