#!/usr/bin/python3 -B
"""Renders the results of bench/trace/run as the table of docs/benchmarks.md.

bench/trace/table.py [--check | --renew]: prints it; --check fails where the document differs.
"""
import pathlib
import statistics
import sys

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "common"))
import report  # noqa: E402

BLOCK = report.Block("trace")


class Medians:
    def __init__(self, samples):
        self.samples = samples

    def wall(self, workload, tool):
        return statistics.median(s["wall_s"] for s in self.samples
                                 if s["workload"] == workload and s["tool"] == tool)

    def per_call_us(self, tool):
        """What a call of `maps` takes under a tool, over what it takes untraced."""
        if tool == "strace -k":
            few = next(s["calls_count"] for s in self.samples if s["tool"] == tool)
            extra = self.wall("maps", tool) - self.wall("few maps", "untraced")
            return extra / few * 1e6
        many = next(s["calls_count"] for s in self.samples if s["workload"] == "maps")
        return (self.wall("maps", tool) - self.wall("maps", "untraced")) / many * 1e6


def goals(medians):
    calls = medians.wall("calls", "heapspy") / medians.wall("calls", "untraced")
    full, bare = medians.per_call_us("heapspy"), medians.per_call_us("heapspy --no-stacks")
    filtered = medians.per_call_us("strace --seccomp-bpf")
    deep = medians.per_call_us("strace -k")
    yield "calls under heapspy, of untraced", report.with_goal(calls, 1.03, ".3f")
    yield "a map call with its stack, of `strace -k`'s", report.with_goal(full / deep, 1 / 50, ".4f")
    yield ("… of `strace --seccomp-bpf`'s, which has no stacks",
           report.with_goal(full / filtered, 2, ".2f"))
    yield "a map call without its stack, of the same", report.with_goal(bare / filtered, 1, ".2f")


def render(results):
    medians = Medians(results["samples"])
    count = {s["workload"]: s["calls_count"] for s in results["samples"] if s["tool"] == "heapspy"}
    host = results["machine"]
    versions = results["versions"]
    rounds = max(s["round"] for s in results["samples"])
    lines = [
        f"{results['date']}, {host['cpu']}, {host['cpus_count']} CPUs, {host['memory_gib']} GiB; "
        f"Linux {host['kernel']}, {host['system']}, {host['libc']}; {versions['heapspy']} "
        f"({versions['commit']}), {versions['strace']}.",
        f"Medians of {rounds} interleaved rounds; `{results['command']}`.",
        "",
        f"| | {count['calls']:,} other calls, s | {count['maps']:,} map calls, s "
        "| a map call costs, µs more | trace, MB |",
        "|---|--:|--:|--:|--:|",
    ]
    for tool in results["tools"]:
        of_tool = [s for s in results["samples"] if s["tool"] == tool and s["workload"] == "maps"]
        if tool == "strace -k":
            few = of_tool[0]["calls_count"]
            lines.append(f"| {tool} ({few} map calls only) | | {medians.wall('maps', tool):.2f} "
                         f"| {medians.per_call_us(tool):,.0f} | |")
            continue
        cost = "" if tool == "untraced" else f"{medians.per_call_us(tool):.1f}"
        size = "" if tool == "untraced" else f"{of_tool[0]['output_bytes'] / 1e6:.1f}"
        lines.append(f"| {tool} | {medians.wall('calls', tool):.3f} "
                     f"| {medians.wall('maps', tool):.3f} | {cost} | {size} |")
    lines += ["", "| what | is |", "|---|---|"]
    lines += [f"| {what} | {value} |" for what, value in goals(medians)]
    for sample in results["samples"]:
        if sample["workload"] == "memory":
            lines.append(f"| heapspy's peak RSS after {sample['calls_count']:,} events "
                         f"| {sample['peak_rss_kib'] / 1024:.1f} MiB |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(BLOCK.main(render, sys.argv[1:]))
