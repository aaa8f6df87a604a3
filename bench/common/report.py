"""What the suites share: the machine, versions, results as JSON, and a document's generated part."""
import json
import os
import pathlib
import platform
import re
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
DOCUMENT = ROOT / "docs/benchmarks.md"


def first_line(*command):
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except OSError:
        return "not found"
    return (done.stdout or done.stderr).partition("\n")[0].strip()


def commit():
    return first_line("git", "-C", ROOT, "describe", "--always", "--dirty")


def first_match(pattern, path):
    try:
        found = re.search(pattern, pathlib.Path(path).read_text())
    except OSError:
        return None
    return found[1] if found else None


def machine():
    pages = "/sys/kernel/mm/transparent_hugepage/enabled"
    return {
        "cpu": first_match(r"model name\s*: (.*)", "/proc/cpuinfo") or platform.machine(),
        "cpus_count": os.cpu_count(),
        "memory_gib": round(int(first_match(r"MemTotal:\s*(\d+)", "/proc/meminfo")) / 2**20, 1),
        "kernel": platform.release(),
        "transparent_huge_pages": first_match(r"\[(\w+)\]", pages) or "unknown",
        "system": first_match(r'PRETTY_NAME="(.*)"', "/etc/os-release") or "unknown",
        "libc": " ".join(platform.libc_ver()),
    }


def with_goal(value, goal, form, goal_form=None):
    """A figure, and what it should be at most, in `form` unless another is said; None: nothing."""
    text = format(value, form)
    if goal is None:
        return text
    missed = "" if value <= goal else ", missed"
    return f"{text} (goal ≤ {format(goal, goal_form or form)}{missed})"


def as_json(results):
    """One sample a line, so that a change of results reads well in a diff."""
    head = {key: value for key, value in results.items() if key != "samples"}
    samples = ",\n".join("    " + json.dumps(sample) for sample in results["samples"])
    return json.dumps(head, indent=2)[:-2] + ',\n  "samples": [\n' + samples + "\n  ]\n}\n"


class Block:
    """The part of the document that a suite writes; the words around it are ours."""

    def __init__(self, suite):
        self.suite = suite
        self.results = ROOT / f"bench/results/{suite}.json"
        self.begin = f"<!-- bench/{suite}: written by bench/{suite}/run --record; do not edit -->\n"
        self.end = f"<!-- bench/{suite}: end -->\n"

    def parts(self):
        before, _, rest = DOCUMENT.read_text().partition(self.begin)
        written, _, after = rest.partition(self.end)
        return before, written, after

    def renew(self, text):
        before, _, after = self.parts()
        DOCUMENT.write_text(before + self.begin + "\n" + text + "\n" + self.end + after)

    def main(self, render, arguments):
        """A suite's table.py: [--check | --renew] the document, or print what it should say."""
        results = json.loads(self.results.read_text())
        if "--renew" in arguments:
            self.renew(render(results))
        elif "--check" in arguments:
            if self.parts()[1].strip() != render(results).strip():
                return (f"{DOCUMENT} does not say what {self.results} has: "
                        f"bench/{self.suite}/table.py --renew")
        else:
            print(render(results))
        return 0
