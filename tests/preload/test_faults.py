"""System calls that fail: a program gets NULL and ENOMEM, or what it asked for, and never crashes."""
import errno
import unittest

import harness
from harness import PreloadTest, fails_on

# Number and name of each piece of advice that an allocator may give.
ADVICE = {4: "DONTNEED", 8: "FREE", 14: "HUGEPAGE", 15: "NOHUGEPAGE", 16: "DONTDUMP", 21: "PAGEOUT",
          22: "POPULATE_READ", 23: "POPULATE_WRITE", 25: "COLLAPSE"}
# What a sandbox may refuse that an allocator could call at its start.
SANDBOXED = "madvise,mremap,mincore,prctl,getrandom,membarrier,sched_getaffinity,getcpu,sysinfo"
ALL = "mmap,munmap,madvise,mprotect,mremap,brk"


class Faults(PreloadTest):
    def inject(self, calls, *how, program=("survive", "--steps", "1500", "--threads", "2")):
        command = [harness.PROGRAMS / "inject", "--calls", calls, *how, "--preload", harness.LIBRARY,
                   "--", harness.PROGRAMS / program[0], *program[1:]]
        done = self.run_command(command, env=self.plain_environment)
        self.expect_ok(done, f"inject --calls {calls} {' '.join(map(str, how))} {program[0]}")

    def sweep(self, calls):
        """Every third, every second, and all from the K-th on; every failure is named."""
        ways = [("--every", 3), ("--every", 2)]
        ways += [("--from", k) for k in (1, 2, 3, 4, 5, 6, 8, 11, 15, 21, 30, 60)]
        failures = []
        for way in ways:
            try:
                self.inject(calls, *way)
            except unittest.SkipTest:
                raise
            except AssertionError as failure:
                failures.append(str(failure))
        self.assertEqual(failures, [], "\n".join(failures))

    @fails_on(jemalloc="crashes")
    def test_mmap(self):
        self.sweep("mmap")

    def test_munmap(self):
        self.sweep("munmap")

    @fails_on(mimalloc="free does not keep errno")
    def test_madvise(self):
        self.sweep("madvise")

    @fails_on(mimalloc="hangs")
    def test_mprotect(self):
        self.sweep("mprotect")

    def test_mremap(self):
        self.sweep("mremap")

    def test_brk(self):
        self.sweep("brk")

    @fails_on(jemalloc="crashes", tcmalloc="aborts", mimalloc="free does not keep errno")
    def test_all_of_them(self):
        self.sweep(ALL)

    @fails_on(jemalloc="crashes", tcmalloc="aborts")
    def test_from_before_the_constructors(self):
        for calls in "mmap", "brk", "mmap,brk", ALL:
            for how in ("--from", 1), ("--from", 2), ("--every", 2):
                self.inject(calls, *how, program=("survive", "early", "--steps", "500"))

    def test_kernel_without_some_advice(self):
        for number, name in ADVICE.items():
            with self.subTest(name):
                for error in errno.ENOSYS, errno.EINVAL:
                    self.inject("madvise", "--advice", number, "--errno", error, "--always")

    def test_sandbox(self):
        for error in errno.ENOSYS, errno.EPERM:
            self.inject(SANDBOXED, "--errno", error, "--always")
            self.inject(SANDBOXED, "--errno", error, "--always", program=("early",))
            self.inject(SANDBOXED, "--errno", error, "--always", program=("tls_destructors",))
