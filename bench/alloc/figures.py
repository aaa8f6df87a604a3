"""Medians, ratios over glibc and geometric means of the samples of bench/alloc/run."""
import collections
import math
import statistics

BASE = "glibc"
OURS = "minimalloc"
GROUPS = {"all": ("real", "synthetic"), "real programs": ("real",), "synthetic": ("synthetic",)}
RATIOS = {"time": "wall_s", "CPU time": "cpu_s", "peak RSS": "peak_rss_kib"}


def judged(samples):
    """The samples, those marked as failed whose output is not what glibc's first run of the row had."""
    expected = {}
    for sample in samples:
        if sample["allocator"] == BASE and "output" in sample:
            expected.setdefault(sample["row"], sample["output"])
    for sample in samples:
        if sample.get("output", "") != expected.get(sample["row"], "") and "failed" not in sample:
            if sample["table"] == "rows":
                sample["failed"] = "its output is not that of glibc's run"
    return samples


def geometric_mean(ratios):
    return math.exp(statistics.fmean(map(math.log, ratios))) if ratios else None


class Figures:
    def __init__(self, results):
        self.results = results
        self.allocators = list(results["versions"]["allocators"])
        self.failed = collections.defaultdict(set)  # (table, row) -> allocators
        values = collections.defaultdict(list)
        for sample in results["samples"]:
            key = sample["table"], sample["row"], sample["allocator"]
            if "failed" in sample:
                self.failed[key[:2]].add(key[2])
            for name, value in sample.items():
                if isinstance(value, (int, float)):
                    values[(*key, name)].append(value)
        self.medians = {key: statistics.median(found) for key, found in values.items()}
        self.texts = {(s["table"], s["row"], s["allocator"]): s for s in results["samples"]}

    def rows(self, group):
        """The rows of a group that were measured."""
        return [name for name, row in self.results["rows"].items()
                if row["group"] in GROUPS[group] and ("rows", name, BASE, "wall_s") in self.medians]

    def median(self, table, row, allocator, name):
        """None where the allocator failed, or was not measured."""
        if allocator in self.failed[table, row]:
            return None
        return self.medians.get((table, row, allocator, name))

    def ratio(self, row, allocator, name):
        value = self.median("rows", row, allocator, name)
        base = self.median("rows", row, BASE, name)
        return value / base if value and base else None

    def ratios(self, group, allocator, name):
        """row -> ratio, for the rows of a group that both have."""
        found = {row: self.ratio(row, allocator, name) for row in self.rows(group)}
        return {row: ratio for row, ratio in found.items() if ratio}

    def mean(self, group, allocator, name):
        return geometric_mean(self.ratios(group, allocator, name).values())

    def mean_of_best(self, group, name):
        """The mean of what the best of the others, glibc with them, makes of each row."""
        others = [allocator for allocator in self.allocators if allocator != OURS]
        best = {}
        for other in others:
            for row, ratio in self.ratios(group, other, name).items():
                best[row] = min(ratio, best.get(row, ratio))
        return geometric_mean(best.values())

    def worst(self, allocator, name):
        found = self.ratios("all", allocator, name)
        return max(found.items(), key=lambda item: item[1]) if found else None

    def rows_of(self, table):
        """The rows of a table of small.py, as they came."""
        return list(dict.fromkeys(s["row"] for s in self.results["samples"]
                                  if s["table"] == table and s["row"]))
