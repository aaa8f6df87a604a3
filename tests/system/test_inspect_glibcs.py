"""heapspy inspect on glibcs of other releases than this machine's, where tools/fetch_glibcs has put them:
programs are run by the loader of each, and what inspect says is checked as on this machine's own."""
import os
import pathlib
import subprocess

from harness import PATIENCE_SECONDS
from test_inspect import KnownHeapChecks, Target, inspect_json

GLIBCS = pathlib.Path(os.environ.get("HEAPSPY_GLIBCS", ""))
PERL = "my @kept = map { 'x' x (10 + $_ % 900) } 1 .. 20000; @kept = @kept[grep { $_ % 3 } 0 .. $#kept];" \
       "$| = 1; print \"ready\\n\"; <STDIN>;"


class OtherGlibcs(KnownHeapChecks):
    def unpacked(self, version):
        folder = GLIBCS / version
        if not os.environ.get("HEAPSPY_GLIBCS") or not folder.exists():
            self.skipTest(f"no glibc {version} in {GLIBCS}: tools/fetch_glibcs {GLIBCS} puts it there")
        loader = next(path for name in ("ld-linux-x86-64.so.2", "ld-2.31.so")
                      for path in sorted(folder.rglob(name)) if path.is_file())
        libraries = {str(path.parent) for path in folder.rglob("libc.so.6")}
        libraries |= {str(path.parent) for path in folder.rglob("libcrypt.so.1")}
        return folder, [loader, "--library-path", ":".join(sorted(libraries))]

    def check_version(self, version):
        _, run = self.unpacked(version)
        with Target(program="known_heap", run_by=run) as target:
            report = inspect_json("--chunks", "--top", "all", target.pid)
        self.assertEqual(report["heap"]["version"], version)
        self.assertEqual(report["damages"], [])
        self.check_blocks(target, report["chunks"])
        self.check_statistics(target, report)
        self.check_malloc_info(target, report)
        self.check_ledger(report)
        cached = {bin["thread"] for bin in report["bins"] if bin["kind"] == "cached"}
        self.assertEqual(len(cached), 3, "of main and of two threads")

    def test_2_41(self):
        self.check_version("2.41")

    def test_2_43(self):
        self.check_version("2.43")

    def test_2_31(self):
        """Programs of today do not start there: its own perl, whose blocks are not known one by one."""
        folder, run = self.unpacked("2.31")
        child = subprocess.Popen([*run, folder / "usr/bin/perl", "-e", PERL], stdin=subprocess.PIPE,
                                 stdout=subprocess.PIPE, text=True,
                                 env={"PERL5LIB": str(folder / "usr/lib/x86_64-linux-gnu/perl-base")})
        try:
            self.assertEqual(child.stdout.readline(), "ready\n")
            report = inspect_json(child.pid)
        finally:
            child.stdin.close()
            child.wait(timeout=PATIENCE_SECONDS)
            child.stdout.close()
        self.assertEqual(report["heap"]["version"], "2.31")
        self.assertEqual(report["damages"], [])
        self.assertGreater(report["heap"]["live_blocks"], 13000)
        self.assertGreater(sum(bin["chunks"] for bin in report["bins"] if bin["kind"] == "cached"), 0)
        self.check_ledger(report)
