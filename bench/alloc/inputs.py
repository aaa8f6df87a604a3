"""The input files of the real programs, made from a fixed seed: the same on every machine.

make(folder, name) makes one where it is missing; a change of this file makes all anew.
"""
import hashlib
import json
import os
import pathlib
import random
import shutil
import subprocess

SYLLABLES = "ba ce di fo gu ha je ki lo mu na pe qui ro su ta ve wi xo yu za bre cli dra flo".split()


def words(dice, count):
    """A vocabulary, whose first words are used far more often than its last."""
    return ["".join(dice.choices(SYLLABLES, k=dice.randint(1, 5))) for _ in range(count)]


def sentence(dice, vocabulary, length):
    size = len(vocabulary)
    return " ".join(vocabulary[int(size * dice.random() ** 3)] for _ in range(length))


def records(dice, count):
    vocabulary = words(dice, 20000)
    for number in range(count):
        yield {
            "id": number,
            "name": sentence(dice, vocabulary, 2).title(),
            "score": round(dice.random() * 1000, 3),
            "tags": [dice.choice(vocabulary) for _ in range(dice.randint(0, 6))],
            "address": {"street": sentence(dice, vocabulary, 2), "number": dice.randint(1, 400),
                        "position": [round(dice.uniform(-90, 90), 5), round(dice.uniform(-180, 180), 5)]},
            "active": dice.random() < 0.7,
            "comment": sentence(dice, vocabulary, dice.randint(0, 25)) or None,
        }


def make_text(path):
    dice = random.Random(1)
    vocabulary = words(dice, 60000)
    with open(path, "w") as out:
        for _ in range(120_000):
            out.write(sentence(dice, vocabulary, dice.randint(4, 24)) + "\n")


def make_json(path):
    path.write_text(json.dumps(list(records(random.Random(2), 26_000))) + "\n")


def make_xml(path):
    with open(path, "w") as out:
        out.write("<records>\n")
        for record in records(random.Random(3), 110_000):
            tags = "".join(f"<tag>{tag}</tag>" for tag in record["tags"])
            address = record["address"]
            out.write(f'<record id="{record["id"]}" active="{record["active"]}">'
                      f'<name score="{record["score"]}">{record["name"]}</name><tags>{tags}</tags>'
                      f'<address number="{address["number"]}">{address["street"]}</address>'
                      f'<comment>{record["comment"] or ""}</comment></record>\n')
        out.write("</records>\n")


def make_templates(path):
    """A C++ file of many instances of templates, which is what a compiler's heap is mostly made of."""
    lines = ["#include <algorithm>", "#include <functional>", "#include <map>", "#include <memory>",
             "#include <string>", "#include <tuple>", "#include <variant>", "#include <vector>",
             "template <int N> struct Tag { static constexpr int value = N; };",
             "template <typename... Ts> struct List {};",
             "template <int N, typename... Ts> struct Build : Build<N - 1, Tag<N>, Ts...> {};",
             "template <typename... Ts> struct Build<0, Ts...> {",
             "  static constexpr int sum = (Ts::value + ... + 0); using type = List<Ts...>; };"]
    for i in range(4):
        lines += [
            f"struct Item{i} {{ int key; std::string name; std::vector<Tag<{i}>> tags; }};",
            f"int use{i}(std::map<std::string, Item{i}>& items, std::vector<Item{i}> list) {{",
            f"  static_assert(Build<{40 + i}>::sum == {(40 + i) * (41 + i) // 2});",
            f"  std::variant<int, std::string, std::unique_ptr<Item{i}>> any = {i};",
            f"  std::function<bool(const Item{i}&, const Item{i}&)> less =",
            "      [](const auto& a, const auto& b) {",
            "        return std::tie(a.key, a.name) < std::tie(b.key, b.name); };",
            "  std::sort(list.begin(), list.end(), less);",
            f"  for (auto& item : list) items[item.name] = item;",
            f"  return std::visit([](auto& held) {{ return int(sizeof held); }}, any) + int(items.size());",
            "}"]
    path.write_text("\n".join(lines) + "\n")


def make_functions(path):
    """A C file of many functions with loops and branches, for the optimiser."""
    dice = random.Random(5)
    lines = ["extern int input[1024]; extern int output[1024];"]
    for i in range(40):
        lines.append(f"int function{i}(int a, int b, int *p) {{ int sum = {i};")
        for j in range(dice.randint(3, 9)):
            left, right = dice.choice("ab"), dice.randint(1, 99)
            lines.append(
                f"  for (int i{j} = 0; i{j} < {left}; ++i{j}) {{ if (input[i{j} & 1023] > {right}) "
                f"sum += p[i{j}] * {right}; else sum ^= output[(i{j} + {left}) & 1023] {dice.choice('+-|')} b; "
                f"switch (sum & 7) {{ case 1: p[{j}] = sum; break; case 2: a -= {right}; break; "
                f"case 5: output[{right}] += a; break; default: b += sum >> 3; }} }}")
        lines.append(f"  return sum {'+ function%d(b, sum, p)' % dice.randrange(i) if i else ''}; }}")
    path.write_text("\n".join(lines) + "\n")


def make_schedule(path):
    """36 jobs of ten steps on ten machines: difference logic, and many small clauses."""
    dice = random.Random(4)
    jobs, machines, deadline = 36, 10, 520
    lines = ["(set-logic QF_IDL)"]
    steps = {}
    for job in range(jobs):
        for step, machine in enumerate(dice.sample(range(machines), machines)):
            steps[job, step] = machine, dice.randint(1, 20)
            lines += [f"(declare-const s{job}_{step} Int)", f"(assert (>= s{job}_{step} 0))"]
            if step > 0:
                before = steps[job, step - 1][1]
                lines.append(f"(assert (>= (- s{job}_{step} s{job}_{step - 1}) {before}))")
        lines.append(f"(assert (<= s{job}_{machines - 1} {deadline - steps[job, machines - 1][1]}))")
    for (job, step), (machine, length) in steps.items():
        for (other, other_step), (other_machine, other_length) in steps.items():
            if job < other and machine == other_machine:
                a, b = f"s{job}_{step}", f"s{other}_{other_step}"
                lines.append(f"(assert (or (>= (- {a} {b}) {other_length}) (>= (- {b} {a}) {length})))")
    path.write_text("\n".join(lines + ["(check-sat)"]) + "\n")


def make_factors(path):
    """The two prime factors of a number, as a question about 48 bits."""
    def below(name, limit):
        return f"(assert (bvult {name} (_ bv{limit} 48)))"

    path.write_text("\n".join([
        "(set-logic QF_BV)", "(declare-const a (_ BitVec 48))", "(declare-const b (_ BitVec 48))",
        f"(assert (= (bvmul a b) (_ bv{16777213 * 16777199} 48)))", below("a", 1 << 24),
        below("b", 1 << 24), "(assert (bvugt a (_ bv1 48)))", "(assert (bvule a b))", "(check-sat)",
        "(get-value (a b))"]) + "\n")


def make_repository(path):
    """500 commits over 300 files, each of which changes a few lines of some."""
    dice = random.Random(6)
    vocabulary = words(dice, 5000)
    files = {f"folder{i % 17}/file{i}.txt": [sentence(dice, vocabulary, 8) for _ in range(150)]
             for i in range(300)}
    stream = []
    for number in range(500):
        message = sentence(dice, vocabulary, 6)
        stream.append(f"commit refs/heads/main\ncommitter A <a@b.example> {1700000000 + number * 60} +0000\n"
                      f"data {len(message)}\n{message}\n")
        for name in dice.sample(sorted(files), 300 if number == 0 else 8):
            lines = files[name]
            for _ in range(dice.randint(1, 12)):
                lines[dice.randrange(len(lines))] = sentence(dice, vocabulary, 8)
            content = "\n".join(lines) + "\n"
            stream.append(f"M 644 inline {name}\ndata {len(content)}\n{content}\n")
    environment = dict(os.environ, GIT_CONFIG_NOSYSTEM="1", GIT_CONFIG_GLOBAL=os.devnull)
    shutil.rmtree(path, ignore_errors=True)
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", path], check=True, env=environment)
    subprocess.run(["git", "-C", path, "fast-import", "--quiet"], input="".join(stream).encode(),
                   check=True, env=environment)


def command(*arguments):
    """A command of redis's protocol."""
    parts = [str(argument).encode() for argument in arguments]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)


def make_commands(path):
    """What a cache and session store is asked: entries that expire, grow, change and are deleted."""
    dice = random.Random(7)
    with open(path, "wb") as out:
        for number in range(260_000):
            key = int(60_000 * dice.random() ** 2)
            text = "v" * int(8 * 200 ** (dice.random() ** 2))
            kind = dice.randrange(10)
            if kind < 3:
                out.write(command("SET", f"page:{key}", text, "EX", 100_000))
            elif kind < 5:
                out.write(command("DEL", f"page:{dice.randrange(60_000)}"))
            elif kind == 5:
                out.write(command("HSET", f"session:{key}", f"field{number % 13}", text))
            elif kind == 6:
                out.write(command("APPEND", f"log:{key % 5000}", text))
            elif kind == 7:
                out.write(command("ZADD", f"rank:{key % 300}", number, f"member{key}"))
            elif kind == 8:
                out.write(command("LPUSH", f"queue:{key % 1000}", text))
                out.write(command("LTRIM", f"queue:{key % 1000}", 0, 100))
            else:
                out.write(command("DEL", f"session:{dice.randrange(60_000)}", f"log:{key % 5000}"))


MAKERS = {
    "text.txt": make_text,
    "records.json": make_json,
    "records.xml": make_xml,
    "templates.cc": make_templates,
    "functions.c": make_functions,
    "schedule.smt2": make_schedule,
    "factors.smt2": make_factors,
    "repository.git": make_repository,
    "commands.resp": make_commands,
}


def make(folder, name):
    """Returns the path of an input, and makes it where this version of it is not there."""
    version = hashlib.sha256(pathlib.Path(__file__).read_bytes()).hexdigest()[:16]
    path, mark = folder / name, folder / f".{name}.version"
    if path.exists() and mark.exists() and mark.read_text() == version:
        return path
    folder.mkdir(parents=True, exist_ok=True)
    mark.unlink(missing_ok=True)
    MAKERS[name](path)
    mark.write_text(version)
    return path
