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
# What recording may cost of what it costs with heaptrack.
GOALS = {"pairs, 1 thread": 1 / 10, "pairs, 4 threads": 1 / 10, "python": 1 / 10}


class Medians:
    def __init__(self, samples):
        self.samples = samples

    def of(self, workload, tool, figure):
        return statistics.median(figure(s) for s in self.samples
                                 if s["workload"] == workload and s["tool"] == tool)

    def cpu(self, workload, tool):
        return self.of(workload, tool, lambda s: s["cpu_s"])


def row(medians, workload):
    plain = medians.cpu(workload, "unrecorded")
    ours = medians.cpu(workload, "heapspy")
    events = medians.of(workload, "heapspy", lambda s: s["events"])
    measured = {s["tool"] for s in medians.samples if s["workload"] == workload}
    start = f"| {workload} | {plain:.2f} | {ours / plain:.2f} "
    if "heaptrack" not in measured:
        size = medians.of(workload, "heapspy", lambda s: s["file_bytes"]) / events
        read = medians.of(workload, "heapspy", lambda s: s["report_cpu_s"])
        return start + f"| dies | | {events / 1e6:.1f} | {size:.2f} | | {read:.2f} | |"
    theirs = medians.cpu(workload, "heaptrack")
    share = (ours - plain) / (theirs - plain)
    goal = GOALS[workload]
    missed = "" if share <= goal else ", missed"

    def bytes_an_event(tool):
        return medians.of(workload, tool, lambda s: s["file_bytes"]) / events

    def reading(tool):
        return medians.of(workload, tool, lambda s: s["report_cpu_s"])

    return (start + f"| {theirs / plain:.2f} "
            f"| {share:.2f} (goal ≤ {goal:.2f}{missed}) | {events / 1e6:.1f} "
            f"| {bytes_an_event('heapspy'):.2f} | {bytes_an_event('heaptrack'):.2f} "
            f"| {reading('heapspy'):.2f} | {reading('heaptrack'):.2f} |")


def sampled_row(medians, workload):
    plain = medians.cpu(workload, "unrecorded")
    ratio = medians.cpu(workload, "sampled") / plain
    missed = "" if ratio <= SAMPLED_GOAL else ", missed"
    return (f"| {workload.removeprefix(SAMPLED)} | {plain:.2f} "
            f"| {ratio:.3f} (goal ≤ {SAMPLED_GOAL:.2f}{missed}) |")


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
        "| | unrecorded, CPU s | heapspy | heaptrack | cost, of heaptrack's | million events "
        "| bytes each | heaptrack's | report, CPU s | heaptrack_print |",
        "|---|--:|--:|--:|---|--:|--:|--:|--:|--:|",
    ]
    workloads = dict.fromkeys(s["workload"] for s in results["samples"])
    lines += [row(medians, each) for each in workloads if not each.startswith(SAMPLED)]
    sampled = [each for each in workloads if each.startswith(SAMPLED)]
    if sampled:
        lines += ["", f"| `--sample {SAMPLE}` | unrecorded, CPU s | heapspy |", "|---|--:|---|"]
        lines += [sampled_row(medians, each) for each in sampled]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(BLOCK.main(render, sys.argv[1:]))
