"""What is installed is not asked for again, under whichever of its names, and needs neither network nor root.

The script runs beside lists of its own, over dpkg's real database; apt-get is replaced by one that fails, so
that a test that reaches it changes nothing.
"""

import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

SCRIPT = pathlib.Path(__file__).parents[2] / "tools" / "install_packages"


@unittest.skipUnless(shutil.which("dpkg-query"), "packages are looked up in dpkg's database")
class InstallPackages(unittest.TestCase):
    def run_over(self, package_list: str, dpkg: str = "") -> subprocess.CompletedProcess:
        with tempfile.TemporaryDirectory() as directory:
            tree = pathlib.Path(directory)
            shutil.copy(SCRIPT, tree)
            (tree / "packages.txt").write_text(package_list)
            (tree / "bin").mkdir()
            for name in ("apt-get", "apt-cache", "sudo", "dpkg"):
                stand_in = tree / "bin" / name
                own = dpkg if name == "dpkg" else ""
                stand_in.write_text(f"#!/bin/sh\necho {name} \"$@\" >&2\n{own}\nexit 1\n")
                stand_in.chmod(0o755)
            environment = dict(os.environ, PATH=f"{tree / 'bin'}:{os.environ['PATH']}")
            environment.pop("HEAPSPY_SKIP_PACKAGES", None)
            return subprocess.run([tree / SCRIPT.name, "wanted"], env=environment, text=True,
                                  capture_output=True, check=False)

    def test_what_is_there_is_not_installed_again(self):
        done = self.run_over("wanted dpkg # the one package of every machine that has dpkg-query\n")
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))

    def test_one_of_several_names_suffices(self):
        for names in ("dpkg|no-such-package", "no-such-package|dpkg"):
            done = self.run_over(f"wanted {names}\n")
            self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""), names)

    def test_what_cannot_be_installed_is_named(self):
        done = self.run_over("wanted dpkg\nwanted no-such-package\nother neither-this\n")
        self.assertEqual(done.returncode, 1)
        self.assertIn("Installing 1 packages: no-such-package", done.stdout)
        self.assertIn("apt-get could not install: no-such-package", done.stderr)
        self.assertNotIn("neither-this", done.stdout + done.stderr)

    def test_an_interrupted_installation_is_finished_before_another_begins(self):
        done = self.run_over("wanted no-such-package\n", dpkg='[ "$1" = --audit ] && echo "half configured"')
        called = [line for line in done.stderr.splitlines() if line.startswith(("dpkg", "apt-get"))]
        self.assertEqual(called[0], "dpkg --configure -a", done.stderr)
        self.assertIn("update", called[1], done.stderr)


if __name__ == "__main__":
    unittest.main()
