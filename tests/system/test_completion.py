"""What the shells offer to complete."""
import os
import pathlib
import re
import shlex
import subprocess
import tempfile
import unittest

from harness import HEAPSPY, PATIENCE_SECONDS, Terminal, need

COMPLETION = pathlib.Path(__file__).parents[2] / "src/cli/completion"
COMMANDS = ("trace", "record", "report", "diff", "inspect", "run", "lab")
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


def options_of(command):
    """The long options in a command's help, and what of each stands behind them: "", " FILE", "[=N]"."""
    text = subprocess.run([HEAPSPY, "help", command], capture_output=True, text=True, check=True,
                          timeout=PATIENCE_SECONDS).stdout
    return dict(re.findall(r"^  (?:-\w,|   ) (--[a-z-]+)( [A-Z]\S*|\[=[A-Z]+\]|)", text, re.MULTILINE))


class Shell(unittest.TestCase):
    def offered(self, line):
        """What is offered for the last word of a line."""
        raise NotImplementedError

    def check_options(self):
        for command in COMMANDS:
            with self.subTest(command):
                offers = {offer.rstrip("=") for offer in self.offered(f"heapspy {command} --")}
                self.assertEqual(offers, set(options_of(command)))


class Bash(Shell):
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

    def test_options_of_each_command(self):
        self.check_options()

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


class Fish(Shell):
    def offered(self, line):
        with tempfile.TemporaryDirectory() as home:
            done = subprocess.run([need("fish"), "--no-config", "-c", FISH,
                                   str(COMPLETION / "heapspy.fish"), line],
                                  capture_output=True, text=True, check=False,
                                  env={**PATHS, "HOME": home}, timeout=PATIENCE_SECONDS)
        self.assertEqual(done.stderr, "")
        return [offer.split("\t")[0] for offer in done.stdout.splitlines()]

    def test_fish_options_of_each_command(self):
        self.check_options()

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


# Offers are printed, and not put into the line. compadd without -O, -A or -D is what offers.
ZSH = r"""
PS1='ready> '
bindkey -e
fpath=(COMPLETION $fpath)
autoload -Uz compinit
compinit -D -u
zstyle ':completion:*' completer _complete _approximate
compadd() {
  local -a fits
  if [[ ! ${@[1,(i)--]} == (*' '|)-[a-zA-Z]#[OAD](|' '*) ]]; then
    builtin compadd -A fits "$@"
    offers+=($fits)
  fi
  builtin compadd "$@"
}
offer() {
  offers=()
  _main_complete
  compstate[insert]= compstate[list]=
  print -r -- "offers:${(pj:\t:)offers}:end"
}
zle -C offer complete-word offer
bindkey '^I' offer
"""


class Zsh(Shell):
    def setUp(self):
        home = tempfile.TemporaryDirectory()
        self.addCleanup(home.cleanup)
        rc = pathlib.Path(home.name) / ".zshrc"
        rc.write_text(ZSH.replace("COMPLETION", shlex.quote(str(COMPLETION))))
        self.terminal = Terminal([need("zsh"), "-d", "-i"], cwd=home.name,
                                 env={**PATHS, "HOME": home.name, "ZDOTDIR": home.name, "TERM": "dumb"})
        self.addCleanup(self.terminal.close)
        self.terminal.read_until(b"ready> ")

    def offered(self, line):
        at = len(self.terminal.text)
        self.terminal.type(line.encode() + b"\t")
        offers = self.terminal.read_until(rb"offers:([^\n]*):end", start=at)[1].decode()
        self.terminal.type(b"\x15")  # clears the line
        return offers.split("\t") if offers else []

    def test_zsh_options_of_each_command(self):
        self.check_options()

    def test_zsh_options_in_one_word_with_their_values(self):
        """They are known then, and not offered again, unless they may be there more than once or
        have two values."""
        for command in COMMANDS:
            for option, value in options_of(command).items():
                if value and option not in ("--filter", "--cause", "--set", "--between"):
                    with self.subTest(command, option=option):
                        offers = self.offered(f"heapspy {command} {option}=1 --")
                        self.assertIn("--help", offers)
                        self.assertNotIn(option, offers)

    def test_zsh_commands(self):
        self.assertEqual(self.offered("heapspy re"), ["record", "report"])
        self.assertEqual(self.offered("heapspy help re"), ["record", "report"])
        self.assertEqual(self.offered("heapspy --v"), ["--version"])

    def test_zsh_the_command_s_own(self):
        for words in ("trace --filter brk", "trace --color=never", "record -o x", "run", "lab 0.1",
                      "run --set RETAIN=64M --library x", "lab --width 80 0.1", "lab 0.1 --json",
                      "record --", "trace -- env"):
            self.assertIn("truncate", self.offered(f"heapspy {words} trunc"), words)

    def test_zsh_values(self):
        for words, values in (("trace --filter br", ["brk"]), ("trace --filter=brk,mm", ["mmap"]),
                              ("trace --color=", ["auto", "always", "never"]),
                              ("report --tree=", ["callees", "callers"]),
                              ("report --export=pp", ["pprof"]), ("diff --by m", ["module"]),
                              ("inspect --arena=m", ["main", "mmapped"]),
                              ("run --set HUGE_PAGES=n", ["never"]), ("run --set=RET", ["RETAIN"])):
            self.assertEqual(self.offered(f"heapspy {words}"), values, words)

    def test_zsh_of_the_lab(self):
        self.assertIn("0.2", self.offered("heapspy lab --color never 0."))
        self.assertEqual(self.offered("heapspy lab 0.1 --co"), ["--color"])
        self.assertEqual(self.offered("heapspy lab glossary tca"), ["tcache"])
