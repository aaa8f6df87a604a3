#!/usr/bin/python3 -B
"""Renders the results of bench/record/run as the table of docs/benchmarks.md.

bench/record/table.py [--check | --renew]: prints it; --check fails where the document differs.
"""
import pathlib
import statistics
import sys

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "common"))
import report  # noqa: E402

BLOCK = report.Block("record")
SAMPLE = "512K"
SAMPLED = "sampled: "  # the workloads that are recorded so
SAMPLED_GOAL = 1.02  # of the CPU time of the program alone
REGEX = "compiler, regex"
PAIRS = ("pairs, 1 thread", "pairs, 4 threads")
# What recording may cost of what it costs with heaptrack: 1/6 where no other is said.
GOALS = dict.fromkeys((*PAIRS, "python"), 1 / 10)
GOAL = 1 / 6
PAIRS_GOAL = 1.5  # of the program's CPU time alone
PAIRS_BYTES_GOAL = 3  # an event
BYTES_GOAL = 6
REPORT_GOAL = 1 / 5  # of heaptrack_print's CPU time


class Medians:
    def __init__(self, samples):
        self.samples = samples

    def of(self, workload, tool, figure):
        return statistics.median(figure(s) for s in self.samples
                                 if s["workload"] == workload and s["tool"] == tool)

    def has(self, workload, tool):
        return any((s["workload"], s["tool"]) == (workload, tool) for s in self.samples)

    def cpu(self, workload, tool):
        return self.of(workload, tool, lambda s: s["cpu_s"])


def cost_row(medians, workload):
    plain = medians.cpu(workload, "unrecorded")
    ours = medians.cpu(workload, "heapspy")
    goal = PAIRS_GOAL if workload in PAIRS else None
    start = f"| {workload} | {plain:.2f} | {report.with_goal(ours / plain, goal, '.2f')} "
    if not medians.has(workload, "heaptrack"):
        return start + "| dies | |"
    theirs = medians.cpu(workload, "heaptrack")
    share = (ours - plain) / (theirs - plain)
    cost = report.with_goal(share, GOALS.get(workload, GOAL), ".2f")
    return start + f"| {theirs / plain:.2f} | {cost} |"


def file_row(medians, workload):
    events = medians.of(workload, "heapspy", lambda s: s["events"])

    def figures(tool):
        if not medians.has(workload, tool):
            return None
        return (medians.of(workload, tool, lambda s: s["file_bytes"]) / events,
                medians.of(workload, tool, lambda s: s["report_cpu_s"]),
                medians.of(workload, tool, lambda s: s["report_peak_kib"]) / 1024)

    size, read, peak = figures("heapspy")
    theirs = figures("heaptrack")
    goal = PAIRS_BYTES_GOAL if workload in PAIRS else BYTES_GOAL
    goal = min(goal, theirs[0]) if theirs else goal
    start = f"| {workload} | {events / 1e6:.1f} | {report.with_goal(size, goal, '.2f')} "
    if theirs is None:
        return start + f"| | {read:.2f} | | | {peak:,.0f} | |"
    of_theirs = report.with_goal(read / theirs[1], REPORT_GOAL if workload in PAIRS else None, ".2f")
    return (start + f"| {theirs[0]:.2f} | {read:.2f} | {theirs[1]:.2f} "
            f"| {of_theirs} | {peak:,.0f} | {theirs[2]:,.0f} |")


def sampled_row(medians, workload):
    plain = medians.cpu(workload, "unrecorded")
    ratio = medians.cpu(workload, "sampled") / plain
    slowdown = report.with_goal(ratio, SAMPLED_GOAL, ".3f")
    return f"| {workload.removeprefix(SAMPLED)} | {plain:.2f} | {slowdown} |"


def render(results):
    medians = Medians(results["samples"])
    host = results["machine"]
    versions = results["versions"]
    rounds = max(s["round"] for s in results["samples"])
    dropped = sum(s.get("dropped_events", 0) for s in results["samples"])
    lines = [
        f"{results['date']}, {host['cpu']}, {host['cpus_count']} CPUs, {host['memory_gib']} GiB; "
        f"Linux {host['kernel']}, {host['system']}, {host['libc']}; {versions['heapspy']} "
        f"({versions['commit']}), {versions['heaptrack']}.",
        f"Medians of {rounds} interleaved rounds; `{results['command']}`. "
        f"Events that heapspy dropped: {dropped:,}.",
        "",
        "| recording | unrecorded, CPU s | heapspy | heaptrack | cost, of heaptrack's |",
        "|---|--:|---|--:|---|",
    ]
    workloads = dict.fromkeys(s["workload"] for s in results["samples"])
    recorded = [each for each in workloads if not each.startswith(SAMPLED)]
    lines += [cost_row(medians, each) for each in recorded]
    lines += [
        "",
        "| reading | million events | bytes each | heaptrack's | report, CPU s | heaptrack_print "
        "| of it | report, MiB | heaptrack_print |",
        "|---|--:|---|--:|--:|--:|---|--:|--:|",
    ]
    lines += [file_row(medians, each) for each in recorded]
    sampled = [each for each in workloads if each.startswith(SAMPLED)]
    if sampled:
        lines += ["", f"| `--sample {SAMPLE}` | unrecorded, CPU s | heapspy |", "|---|--:|---|"]
        lines += [sampled_row(medians, each) for each in sampled]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(BLOCK.main(render, sys.argv[1:]))
