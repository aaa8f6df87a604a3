"""The rows: each is a workload that every allocator runs, with what it is there for.

A command's words may name {bin}, the folder of our own programs; {scripts}; {data}/NAME, an input that
inputs.py makes; {scratch}, an empty folder of the sample. `counts` picks the lines of the output that
must be those of glibc's run, where a program prints its own timings too.
"""
import dataclasses


@dataclasses.dataclass(frozen=True)
class Row:
    name: str
    group: str  # "real" or "synthetic"
    what: str
    command: tuple
    package: str = ""
    variables: tuple = ()
    counts: str = ""
    server: tuple = ()  # steps of a client: see redis_row.py


def ours(name, command, what):
    return Row(name, "synthetic", what, ("{bin}/" + command.split()[0], *command.split()[1:]))


def real(name, package, command, what, variables=(), counts=""):
    return Row(name, "real", what, command, package, variables, counts)


def redis(name, what, *steps):
    return Row(name, "real", what, ("redis-server",), "redis-tools", (), "", steps)


def benchmark(arguments):
    return ("redis-benchmark", "-q", "-P", "32", "-c", "20", *arguments.split())


def ask(*words):
    return ("redis-cli", *words)


# How many different values a thousand of redis-benchmark's keys have: all are to be the same.
ONE_VALUE = ask("EVAL", "local seen, count = {}, 0 for i = 0, 999 do local value = redis.call('get', "
                "string.format('key:%012d', i)) if value and not seen[value] then seen[value] = true "
                "count = count + 1 end end return count", "0")

# Small tables and one job at a time: with more, its peak is a matter of which flushes meet.
DB_BENCH = ("db_bench", "--db={scratch}/db", "--seed=7", "--compression_type=none",
            "--disable_wal=1", "--write_buffer_size=1048576", "--target_file_size_base=2097152",
            "--max_background_jobs=1")
JQ_FILTER = ("[.[] | select(.active) | {name, score, tags_count: (.tags | length)}] | "
             "group_by(.tags_count) | map({count: length, score: (map(.score) | add)})")

REAL = (
    redis("redis-small", "100-byte values set and read, 150,000 keys",
          benchmark("-t set,get -n 250000 -r 150000 -d 100"), ONE_VALUE),
    redis("redis-lists", "lists pushed to, read by the hundred, and popped",
          benchmark("-t lpush -n 300000 -d 40"), benchmark("-t lrange_100 -n 6000 -d 40"),
          benchmark("-t lpop -n 150000"), ask("LLEN", "mylist")),
    redis("redis-large", "values of 20 KB replaced and read",
          benchmark("-t set,get -n 12000 -r 4000 -d 20000"), ONE_VALUE),
    redis("redis-sessions", "entries that expire, grow, change and are deleted",
          ("redis-cli", "--pipe", "<", "{data}/commands.resp"), ask("DEBUG", "DIGEST")),
    real("sqlite-tables", "sqlite3", ("sqlite3", ":memory:", ".read {scripts}/tables.sql"),
         "tables in memory filled, indexed, thinned out"),
    real("sqlite-queries", "sqlite3", ("sqlite3", ":memory:", ".read {scripts}/queries.sql"),
         "groups, joins, sorts and JSON over a table in memory"),
    real("python-objects", "python3", ("/usr/bin/python3", "{scripts}/objects.py"),
         "small objects, all from malloc", ("PYTHONMALLOC=malloc",)),
    real("python-documents", "python3", ("/usr/bin/python3", "{scripts}/documents.py", "{data}/records.json"),
         "JSON read, grouped and written"),
    real("python-text", "python3", ("/usr/bin/python3", "{scripts}/text.py", "{data}/text.txt"),
         "strings split, joined and replaced"),
    real("lua-trees", "lua5.4", ("lua5.4", "{scripts}/trees.lua"), "binary trees of tables"),
    real("lua-strings", "lua5.4", ("lua5.4", "{scripts}/strings.lua", "{data}/text.txt"),
         "words split, counted, joined"),
    real("perl-hashes", "perl", ("perl", "{scripts}/hashes.pl", "{data}/text.txt"),
         "hashes of hashes and arrays", ("PERL_HASH_SEED=0",)),
    real("perl-text", "perl", ("perl", "{scripts}/text.pl", "{data}/text.txt"),
         "lines split, sorted, substituted", ("PERL_HASH_SEED=0",)),
    real("ruby-objects", "ruby", ("ruby", "--disable-gems", "{scripts}/objects.rb"),
         "objects, strings and hashes under a collector"),
    real("awk-words", "gawk", ("gawk", "-f", "{scripts}/words.awk", "{data}/text.txt"),
         "associative arrays of words and pairs"),
    real("g++-templates", "g++", ("g++", "-std=c++17", "-O1", "-S", "-o", "-", "{data}/templates.cc"),
         "cc1plus on many instances of templates"),
    real("gcc-functions", "g++", ("gcc", "-O2", "-S", "-o", "-", "{data}/functions.c"),
         "cc1 optimising functions full of loops"),
    real("z3-schedule", "z3", ("z3", "{data}/schedule.smt2"), "difference logic, many small clauses"),
    real("z3-factors", "z3", ("z3", "{data}/factors.smt2"), "bit-vectors, turned into a SAT problem"),
    real("jq-group", "jq", ("jq", JQ_FILTER, "{data}/records.json"), "a large JSON array filtered and grouped"),
    real("xmllint-count", "libxml2-utils", ("xmllint", "--xpath", "count(//tag)", "{data}/records.xml"),
         "a large XML document as a tree"),
    real("rocksdb-fill", "rocksdb-tools",
         (*DB_BENCH, "--num=130000",
          "--benchmarks=fillrandom,waitforcompaction,overwrite,waitforcompaction,readseq"),
         "writes at random, with flushes and compactions", counts=r"^Corruption|^Error"),
    real("rocksdb-read", "rocksdb-tools",
         (*DB_BENCH, "--benchmarks=fillrandom,waitforcompaction,readrandom", "--num=80000", "--reads=110000",
          "--cache_size=1048576"), "reads at random through a small cache", counts=r"\(\d+ of \d+ found\)"),
    real("git-log", "git", ("git", "-C", "{data}/repository.git", "log", "-p", "--stat", "-M", "main"),
         "500 commits as patches"),
    real("git-pack", "git",
         ("git", "-C", "{data}/repository.git", "pack-objects", "--all", "--revs", "--stdout", "-q",
          "--threads=1", "--no-reuse-delta", "--no-reuse-object"),
         "objects compared and packed"),
)

SYNTHETIC = (
    ours("server-1", "server 1 10 1000000", "workers replace objects, new ones inherit theirs: 1 thread"),
    ours("server-2", "server 2 10 500000", "the same: 2 threads"),
    ours("server-8", "server 8 10 120000", "the same: 8 threads"),
    ours("handover-1:1", "handover 1 1 4000", "batches of messages freed by another thread: 1 to 1"),
    ours("handover-4:4", "handover 4 4 12000", "the same: 4 to 4"),
    ours("ring", "ring 4000000", "messages through a ring without locks"),
    ours("thread-churn", "thread_churn 7000", "short threads, some objects outlive them"),
    ours("scratch", "scratch 2 2500000", "do threads share cache lines?"),
    ours("private-8", "mixed 20000 8 9000000", "8 threads, each with a working set of its own"),
    ours("mixed-1k", "mixed 1000 1 16000000", "small objects replaced at random: 1,000 of them"),
    ours("mixed-100k", "mixed 100000 1 4000000", "the same: 100,000"),
    ours("mixed-1m", "mixed 1000000 1 1500000", "the same: 1,000,000"),
    ours("grow-many", "grow 5000 30000", "5,000 vectors that grow by realloc"),
    ours("grow-one", "grow 1 50000000", "one vector that grows to 400 MB"),
    ours("large-cycles", "large cycles 3000", "buffers of 64 KiB to 4 MiB made, written, freed"),
    ours("large-mixed", "large mixed 8000", "blocks up to 1 MiB among small ones"),
    ours("buffers-2", "buffers own 2 33000 100000 1500000", "buffers of 33 to 100 KB replaced: 2 threads"),
    ours("buffers-8", "buffers own 8 33000 100000 1500000", "the same: 8 threads"),
    ours("buffers-passed", "buffers passed 4 33000 500000 600000",
         "buffers of 33 to 500 KB, freed by other threads: 4 threads"),
    ours("generations", "generations 2500000", "nine in ten die young, one in a hundred never"),
    ours("phases", "phases 70", "phases with sizes of their own; survivors lie in between"),
    ours("trees", "trees perfect 8000000", "binary trees built and torn down"),
    ours("search-tree", "trees search 900000", "a treap with keys coming and going"),
    ours("graph", "graph 6000000", "nodes with labels and growing lists of neighbours"),
    ours("string-map", "string_map 1000000", "std::unordered_map of strings"),
    ours("documents", "documents 14000", "C++ documents built, copied, dropped"),
    ours("zeroed", "zeroed 1800000", "calloc of records and tables"),
    ours("aligned", "aligned 1800000", "posix_memalign from 32 bytes to 64 KiB"),
    ours("lru", "lru 600000", "a cache of 96 MiB, values of 64 bytes to 64 KiB"),
)

ALL = REAL + SYNTHETIC
