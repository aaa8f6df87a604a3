"""What a goal of the Makefile builds, it installs the packages for: seen on a tree never built.

A machine that has all packages would never tell; one that has none but make fails at once.
"""
import itertools
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
TEST_PACKAGES = ("GTest", "nlohmann_json", "Python3")


def presets_that_build_tests():
    presets = json.loads((ROOT / "CMakePresets.json").read_text())["configurePresets"]
    return {preset["name"] for preset in presets
            if preset.get("cacheVariables", {}).get("MINI_BUILD_TESTS", "ON") == "ON"}


def commands_of(goal):
    """What `make GOAL` would run in a fresh checkout, without the environment that it sets."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    with tempfile.TemporaryDirectory() as root:
        for name in ("Makefile", "CMakePresets.json"):
            shutil.copy(ROOT / name, root)
        done = subprocess.run(["make", "--dry-run", goal], cwd=root, env=environment,
                              capture_output=True, text=True, check=True)
    return [list(itertools.dropwhile(lambda word: "=" in word, line.split()))
            for line in done.stdout.splitlines()]


class Makefile(unittest.TestCase):
    def test_a_goal_that_builds_tests_installs_their_packages_first(self):
        for goal in ("demo", "test", "install", "bench", "asan", "ubsan", "tsan", "fuzz", "coverage"):
            with self.subTest(goal):
                installed = set()
                configured = []
                for words in commands_of(goal):
                    if words[0] == "tools/install_packages":
                        installed |= set(words[1:])
                    if words[:2] == ["cmake", "--preset"]:
                        configured.append(words[2])
                        self.assertIn("build", installed)
                        if words[2] in presets_that_build_tests():
                            self.assertIn("test", installed)
                self.assertTrue(configured)

    def test_demo_shows_what_it_has_built(self):
        words = commands_of("demo")
        self.assertIn(["cmake", "--build", "build/release"],
                      [line[:3] for line in words])
        self.assertEqual(words[-1], ["tools/demo", "build/release"])

    def test_the_release_preset_configures_without_the_packages_of_the_tests(self):
        with tempfile.TemporaryDirectory() as build:
            absent = [f"-DCMAKE_DISABLE_FIND_PACKAGE_{name}=ON" for name in TEST_PACKAGES]
            done = subprocess.run(["cmake", "--preset", "release", "-B", build, *absent], cwd=ROOT,
                                  capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)


if __name__ == "__main__":
    unittest.main()
