#!/usr/bin/env python3
"""The shared library shows the names of exports.map, no other, and needs the C library alone.

    exports_test.py LIBRARY EXPORTS_MAP
"""
import re
import subprocess
import sys
import unittest

LIBRARY, MAP = sys.argv[1:3]


def exported():
    """{name: version or None} of what the library defines for others."""
    listed = subprocess.run(
        ["nm", "-D", "--defined-only", LIBRARY], capture_output=True, text=True, check=True
    ).stdout
    names = {}
    for line in listed.splitlines():
        kind, symbol = line.split()[-2:]
        name, _, version = symbol.partition("@@")
        if kind != "A":  # the version's own symbol
            names[name] = version or None
    return names


def mapped():
    """The same, as the map wants it."""
    with open(MAP, encoding="utf-8") as file:
        text = file.read()
    names = {
        name: None
        for line in re.findall(r"^# base: (.*)$", text, re.MULTILINE)
        for name in line.split()
    }
    for version, body in re.findall(r"^(\S+) \{(.*?)^\}", text, re.MULTILINE | re.DOTALL):
        names |= {name: version for name in re.findall(r"^\s+(\w+);", body, re.MULTILINE)}
    return names


class Exports(unittest.TestCase):
    maxDiff = None

    def test_are_those_of_the_map(self):
        self.assertEqual(exported(), mapped())

    def test_own_functions_have_a_version_and_others_none(self):
        for name, version in exported().items():
            self.assertEqual(version is not None, name.startswith("minimalloc_"), name)

    def test_only_the_c_library_is_needed(self):
        dynamic = subprocess.run(
            ["readelf", "--dynamic", "--wide", LIBRARY], capture_output=True, text=True, check=True
        ).stdout
        needed = re.findall(r"\(NEEDED\).*\[(.*)\]", dynamic)
        allowed = re.compile(r"libc\.so\.6|libdl\.so\.2|libpthread\.so\.0|ld-linux.*")
        self.assertEqual([name for name in needed if not allowed.fullmatch(name)], [])

    def test_nothing_of_the_cxx_library_is_needed_at_run_time(self):
        undefined = subprocess.run(
            ["nm", "-D", "--undefined-only", LIBRARY], capture_output=True, text=True, check=True
        ).stdout
        strong = [line.split()[-1] for line in undefined.splitlines() if line.split()[-2] == "U"]
        cxx = [n for n in strong if re.match(r"_Z|__cxa_(?!atexit|finalize)|__gxx|_Unwind", n)]
        self.assertEqual(cxx, [])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
