"""The programs that recorders are measured on, by what the tables call them."""
import dataclasses
import typing

import table  # first: it says where to find what the suites share
import redis_server
from table import report

PAIRS = 20_000_000
PYTHON = "print(sum(len(d) for d in ({str(i): [i] for i in range(2000)} for _ in range(150))))"
TEMPLATES = """#include <algorithm>
#include <map>
#include <numeric>
#include <ranges>
#include <set>
#include <string>
#include <tuple>
#include <unordered_map>
#include <variant>
#include <vector>
std::map<std::string, std::vector<std::variant<int, std::string>>> table;
std::unordered_map<std::string, std::set<std::tuple<int, std::string>>> sets;
void put(const std::string& key, int number) {
  table[key].emplace_back(number);
  table[key].emplace_back(key);
  sets[key].emplace(number, key);
}
std::size_t length(std::vector<std::string> words) {
  std::ranges::sort(words);
  return std::accumulate(words.begin(), words.end(), std::size_t{0},
                         [](std::size_t sum, const std::string& word) { return sum + word.size(); });
}
"""
REGEX = """#include <regex>
#include <string>
bool matches(const std::string& text) { return std::regex_match(text, std::regex("(a|b)*c")); }
"""
REDIS = ("redis-benchmark -q -n 200000 -r 100000 -d 100 -P 16 "
         "-t set,get,lpush,lpop,sadd,hset,zadd").split()


def wait(process, folder):
    """What is done from outside to a program that ends by itself: nothing."""
    process.wait()


def load_redis(server, folder):
    redis_server.wait_until_ready(server, folder)
    redis_server.step(REDIS, folder)
    redis_server.shut_down(server, folder)


@dataclasses.dataclass(frozen=True)
class Workload:
    command: list
    variables: dict = dataclasses.field(default_factory=dict)
    # Called with its process and the folder that it was started in, until it has ended.
    attend: typing.Callable = wait


def compile_of(scratch, name, text):
    """Not by g++, which starts the compiler: heaptrack does not follow."""
    source = scratch / f"{name}.cc"
    source.write_text(text)
    compiler = report.first_line("g++", "-print-prog-name=cc1plus")
    return Workload([compiler, "-quiet", "-D_GNU_SOURCE", "-imultiarch", "x86_64-linux-gnu",
                     "-std=c++20", "-O1", str(source), "-o", str(scratch / f"{name}.s")])


def pairs(build, threads, count):
    return Workload([str(build / "bench/record/pairs"), str(threads), str(count)])


def make(build, scratch, count=PAIRS):
    return {
        "pairs, 1 thread": pairs(build, 1, count),
        "pairs, 4 threads": pairs(build, 4, count),
        "python": Workload(["/usr/bin/python3", "-c", PYTHON], {"PYTHONMALLOC": "malloc"}),
        "compiler": compile_of(scratch, "templates", TEMPLATES),
        table.REGEX: compile_of(scratch, "regex", REGEX),
        "redis": Workload(redis_server.command(scratch), {}, load_redis),
    }
