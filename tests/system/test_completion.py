"""What the shells offer to complete."""
import os
import pathlib
import subprocess
import tempfile
import unittest

from harness import HEAPSPY, PATIENCE_SECONDS, need

COMPLETION = pathlib.Path(__file__).parents[2] / "src/cli/completion"
# What bash has only while it completes, and what bash-completion brings.
BASH = r"""
compopt() { :; }
_command_offset() { COMPREPLY=("command at $1"); }
. "$1"
shift
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
_heapspy
[[ ! ${COMPREPLY[*]} ]] || printf '%s\n' "${COMPREPLY[@]}"
"""
# A locale that is not installed has bash complain.
PATHS = {**os.environ, "PATH": f"{pathlib.Path(HEAPSPY).parent}:{os.environ['PATH']}",
         "LC_ALL": "C.UTF-8"}


class Bash(unittest.TestCase):
    def offered(self, line):
        """`line` as bash splits it: at '=' too."""
        done = subprocess.run([need("bash"), "-c", BASH, "bash", COMPLETION / "heapspy.bash",
                               *line.split(" ")], capture_output=True, text=True, check=False,
                              env=PATHS, timeout=PATIENCE_SECONDS)
        self.assertEqual(done.stderr, "")
        return done.stdout.splitlines()

    def test_values_after_an_equals_sign(self):
        self.assertEqual(self.offered("heapspy trace --filter br"), ["brk"])
        self.assertEqual(self.offered("heapspy trace --filter = br"), ["brk"])
        self.assertEqual(self.offered("heapspy trace --color ="), ["auto", "always", "never"])
        self.assertEqual(self.offered("heapspy report --tree = c"), ["callees", "callers"])
        self.assertEqual(self.offered("heapspy diff --by = m"), ["module"])
        self.assertEqual(self.offered("heapspy inspect --arena = m"), ["main", "mmapped"])
        self.assertEqual(self.offered("heapspy trace --verify = 1"), [])
        self.assertEqual(self.offered("heapspy run --set RETAIN = 6"), [])

    def test_the_command_begins_after_the_options(self):
        self.assertEqual(self.offered("heapspy trace --color = never --su"), ["--summary"])
        for words in ("trace --color = never", "trace --color never", "trace --verify = 5 -q",
                      "run --set RETAIN = 64M", "run --set = RETAIN = 64M", "record --"):
            at = 1 + len(words.split(" "))
            self.assertEqual(self.offered(f"heapspy {words} git clo"), [f"command at {at}"], words)

    def test_of_the_lab(self):
        self.assertIn("0.2", self.offered("heapspy lab --json 0."))
        self.assertEqual(self.offered("heapspy lab --color never 0.1 git clo"), ["command at 5"])
        self.assertIn("thread", self.offered("heapspy lab glossary thr"))


FISH = """
source $argv[1]
complete -c true -x -a clone
complete -C $argv[2]
"""


class Fish(unittest.TestCase):
    def offered(self, line):
        with tempfile.TemporaryDirectory() as home:
            done = subprocess.run([need("fish"), "--no-config", "-c", FISH,
                                   str(COMPLETION / "heapspy.fish"), line],
                                  capture_output=True, text=True, check=False,
                                  env={**PATHS, "HOME": home}, timeout=PATIENCE_SECONDS)
        self.assertEqual(done.stderr, "")
        return [offer.split("\t")[0] for offer in done.stdout.splitlines()]

    def test_fish_the_command_s_own(self):
        for words in ("trace --filter brk", "trace --color=never", "record -o x", "run", "lab 0.1",
                      "run --set RETAIN=64M --library x", "lab --width 80 0.1"):
            self.assertEqual(self.offered(f"heapspy {words} true clo"), ["clone"], words)

    def test_fish_values_after_an_equals_sign(self):
        self.assertEqual(self.offered("heapspy report --tree="), ["--tree=callees", "--tree=callers"])

    def test_fish_of_the_lab(self):
        self.assertIn("0.2", self.offered("heapspy lab --color never 0."))
        self.assertEqual(self.offered("heapspy lab glossary thread"), ["thread cache"])
        self.assertEqual(self.offered("heapspy lab glossary tc"), ["tcache"])
