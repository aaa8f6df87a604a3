#!/usr/bin/python3 -B
"""Renders the results of bench/inspect/run as the table of docs/benchmarks.md.

bench/inspect/table.py [--check | --renew]: prints it; --check fails where the document differs.
"""
import pathlib
import statistics
import sys

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "common"))
import report  # noqa: E402

BLOCK = report.Block("inspect")
# CPU seconds of a walk, and milliseconds that the process stands still.
CPU_GOALS = {("1 million chunks", "heapspy --no-stop"): 0.2,
             ("10 million chunks", "heapspy --no-stop"): 2.0}
PAUSE_GOALS = {("300 MB", "heapspy"): 50.0}


def row(samples, heap, tool):
    mine = [s for s in samples if (s["heap"], s["tool"]) == (heap, tool)]

    def median(key, scale=1.0):
        return statistics.median(s[key] for s in mine) * scale

    chunks = f"{median('chunks') / 1e6:.2f}" if "chunks" in mine[0] else ""
    size = f"{median('heap_bytes') / 2**20:,.0f}" if "heap_bytes" in mine[0] else ""
    pause = ""
    if mine[0].get("pause_ns"):
        pause = report.with_goal(median("pause_ns", 1e-6), PAUSE_GOALS.get((heap, tool)), ".1f", "g")
    elif tool in ("gcore", "gdb"):
        pause = f"{median('wall_s', 1e3):.0f}"
    cpu = report.with_goal(median("cpu_s"), CPU_GOALS.get((heap, tool)), ".2f", "g")
    return (f"| {heap} | {tool} | {chunks} | {size} | {cpu} | {median('wall_s'):.2f} | {pause} "
            f"| {median('peak_rss_kib') / 1024:,.0f} |")


def render(results):
    samples = results["samples"]
    host = results["machine"]
    versions = results["versions"]
    rounds = max(s["round"] for s in samples)
    lines = [
        f"{results['date']}, {host['cpu']}, {host['cpus_count']} CPUs, {host['memory_gib']} GiB; "
        f"Linux {host['kernel']}, {host['system']}, {host['libc']}; {versions['heapspy']} "
        f"({versions['commit']}), {versions['gdb']}.",
        f"Medians of {rounds} interleaved rounds; `{results['command']}`.",
        "",
        "| heap | tool | million chunks walked | MiB | CPU s | wall s | the process stands still, ms "
        "| peak RSS, MiB |",
        "|---|---|--:|--:|--:|--:|--:|--:|",
    ]
    pairs = dict.fromkeys((s["heap"], s["tool"]) for s in samples)
    lines += [row(samples, heap, tool) for heap, tool in pairs]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(BLOCK.main(render, sys.argv[1:]))
