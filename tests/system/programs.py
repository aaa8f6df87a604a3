"""The real programs, and our own difficult ones, that heapspy must get right."""
import os

from harness import LAB, build_target, need

CXX_SOURCE = """
#include <map>
#include <string>
#include <vector>
int main() {
  std::map<std::string, std::vector<int>> words;
  for (int i = 0; i < 100; ++i) words[std::to_string(i % 7)].push_back(i);
  return static_cast<int>(words["3"].size()) % 3;
}
"""


def command(program, *arguments, package=None):
    """A program of the system."""
    return lambda directory: [need(program, package), *arguments]


def target(name, *arguments):
    return lambda directory: [build_target(name), *arguments]


def compiler(directory):
    """g++ with its children cc1plus, as, collect2 and ld."""
    source = directory / "words.cc"
    source.write_text(CXX_SOURCE)
    return [need("g++"), "-O1", "-o", directory / "words", source]


# What to run, by name; each is given a directory to write to.
PROGRAMS = {
    "ls": command("ls", "-l", "/usr", package="coreutils"),
    "python3": command("python3", "-c", "import json; print(len(json.dumps(list(range(9999)))))"),
    "shell_pipeline": command("sh", "-c", "ls / | sort | uniq -c | wc -l; exit 5"),
    "compiler": compiler,
    "go_binary": command("fzf", "--version"),
    "go_filter": command("sh", "-c", "seq 20000 | fzf --filter 1234"),
    "rust_binary": command("rg", "--no-config", "--sort", "path", "-c", "root", "/etc/passwd",
                           package="ripgrep"),
    "node": command("node", "-e", "console.log([...Array(99999).keys()].reduce((a, b) => a + b))",
                    package="nodejs"),
    "java": command("java", "-version", package="default-jre-headless"),
    "heap_spy": lambda directory: [LAB / "heap_spy"],
    "hidden_sbrk": lambda directory: [LAB / "hidden_sbrk"],
    "mmap_threshold": lambda directory: [LAB / "mmap_threshold"],
    "pie": target("allocates"),
    "non_pie": target("allocates_non_pie"),
    "static": target("allocates_static"),
    "static_pie": target("allocates_static_pie"),
    "stripped": target("allocates_stripped"),
    "musl": target("allocates_musl"),
    "threads": target("threads", "64"),
    "threads_static": target("threads_static", "64"),
    "main_ends": target("main_ends"),
    "children": target("children", "200"),
    "waits_by_pidfd": target("waits_by_pidfd"),
    "exec_self": target("exec_self"),
    "exec_fails_late": target("exec_fails_late"),
    "vfork_shared": target("vfork_shared"),
    "untraced": target("untraced"),
    "memory_calls": target("memory_calls"),
    "odd_calls": target("odd_calls"),
    "own_maps": target("own_maps"),
    "killed_by_sigsegv": target("killed", "11"),
    "killed_by_sigterm_in_thread": target("killed", "-15"),
    "killed_by_sigkill": target("killed", "9"),
    "traps": target("traps"),
    "many_mmaps": target("many_mmaps", "50000"),
}

# How many events apart the model is compared with the kernel's list, where each takes too long.
VERIFY_EVERY = {"many_mmaps": 5000, "node": 50, "java": 20, "children": 20, "threads": 20,
                "threads_static": 20, "compiler": 50, "go_filter": 20}

# What need not be written of those whose trace is long: hundreds of thousands of calls.
OPTIONS = {"many_mmaps": ["--filter", "brk"]}

# Those that print addresses: the same in two runs only where nothing is placed at random.
ADDRESSES = {"heap_spy", "hidden_sbrk", "mmap_threshold", "pie", "non_pie", "static", "static_pie",
             "stripped", "musl", "memory_calls", "own_maps"}


def without_random_addresses(argv):
    return [need("setarch", "util-linux"), os.uname().machine, "--addr-no-randomize", *argv]
