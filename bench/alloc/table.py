#!/usr/bin/python3 -B
"""Renders the results of bench/alloc/run as the tables of docs/benchmarks.md.

bench/alloc/table.py [--check | --renew]: prints them; --check fails where the document differs.
"""
import pathlib
import sys

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "common"))
import report  # noqa: E402
from figures import BASE, GROUPS, RATIOS, Figures, judged  # noqa: E402, F401

BLOCK = report.Block("alloc")


def number(value, digits=2):
    return "" if value is None else f"{value:,.{digits}f}"


def line(*cells):
    return "| " + " | ".join(cells) + " |"


def header(*names):
    return [line(*names), "|---|" + "--:|" * (len(names) - 1)]


def provenance(results):
    host, versions = results["machine"], results["versions"]
    rounds = max((sample["round"] for sample in results["samples"]), default=0)
    names = ", ".join(f"{name} ({version})" for name, version in versions["allocators"].items())
    yield (f"{results['date']}, {host['cpu']}, {host['cpus_count']} CPUs, {host['memory_gib']} GiB; "
           f"Linux {host['kernel']}, transparent huge pages: {host['transparent_huge_pages']}; "
           f"{host['system']}, {host['libc']}.")
    yield f"Allocators: {names}. Commit {versions['commit']}."
    if versions["programs"]:
        yield f"Programs: {', '.join(versions['programs'])}."
    yield (f"Medians of {rounds} interleaved rounds; `{results['command']}`. Other programs used "
           f"{results['other_programs_percent']}% of the processors meanwhile.")


def summary(figures):
    others = [name for name in figures.allocators if name != BASE]
    yield from header("geometric mean over glibc", *others, "best of the others")
    for group in (group for group in GROUPS if figures.rows(group)):
        for what, key in RATIOS.items():
            yield line(f"{what}, {group} ({len(figures.rows(group))} rows)",
                       *(number(figures.mean(group, name, key)) for name in others),
                       number(figures.mean_of_best(group, key)))
    for what, key in (("time", "wall_s"), ("peak RSS", "peak_rss_kib")):
        worst = (figures.worst(name, key) for name in others)
        yield line(f"worst row, {what}", *(f"{found[1]:.2f} {found[0]}" if found else "" for found in worst), "")


def pair(figures, row, allocator):
    if allocator in figures.failed["rows", row]:
        return "FAILED"
    time = figures.ratio(row, allocator, "wall_s")
    memory = figures.ratio(row, allocator, "peak_rss_kib")
    return f"{time:.2f} / {memory:.2f}" if time and memory else ""


def all_rows(figures):
    others = [name for name in figures.allocators if name != BASE]
    yield from header("time / peak RSS over glibc", "glibc, s", "MiB", *others)
    for name in figures.results["rows"]:
        if name in figures.results["skipped"]:
            yield line(f"{name} (skipped: needs {figures.results['skipped'][name]})", *[""] * (2 + len(others)))
            continue
        memory = figures.median("rows", name, BASE, "peak_rss_kib")
        yield line(name, number(figures.median("rows", name, BASE, "wall_s")) or "FAILED",
                   number(memory / 1024 if memory else None, 1),
                   *(pair(figures, name, other) for other in others))


def small_table(figures, table, title, key, digits, also=()):
    columns = [*also, *figures.allocators]
    yield from header(title, *columns)
    for row in figures.rows_of(table):
        failed = figures.failed[table, ""] | figures.failed[table, row]
        yield line(row, *("FAILED" if name in failed else
                          number(figures.median(table, row, name, key), digits) for name in columns))


def small_tables(figures):
    if figures.rows_of("micro"):
        yield from small_table(figures, "micro", "ns a pair of malloc and free", "pair_ns", 1, ("floor",))
        yield ""
    if figures.rows_of("startup"):
        yield from small_table(figures, "startup", "page faults of a small program", "minor_faults", 0)
        yield ""
        yield from small_table(figures, "startup", "peak RSS of the same, KiB", "peak_rss_kib", 0)
        yield ""
    if figures.rows_of("retention"):
        yield from small_table(figures, "retention", "RSS a second later, % of its peak", "percent", 1)
        yield ""


def failures(figures):
    found = {}
    for sample in figures.results["samples"]:
        if "failed" in sample:
            place = f"{sample['row'] or sample['table']} under {sample['allocator']}"
            found.setdefault(place, sample["failed"])
    if found:
        yield from ["Failed:", "", *(f"- {place}: {reason}" for place, reason in found.items()), ""]


def render(results):
    figures = Figures(results)
    lines = [*provenance(results), ""]
    if len(figures.allocators) > 1 and figures.rows("all"):
        lines += [*summary(figures), ""]
    if results["rows"]:
        lines += [*all_rows(figures), ""]
    lines += [*small_tables(figures), *failures(figures)]
    return "\n".join(lines).rstrip() + "\n"


def document(results):
    """What stands in the document: the picture, which plot.py draws, and the tables."""
    return "![Time and peak memory of each allocator over glibc](benchmarks-alloc.svg)\n\n" + render(results)


if __name__ == "__main__":
    sys.exit(BLOCK.main(document, sys.argv[1:]))
