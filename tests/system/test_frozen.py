"""Processes that stand still with their control group, as docker pause has it: what waits for them
says so or ends when it is asked to, and leaves nothing behind."""
import os
import pathlib
import re
import signal
import subprocess

from harness import HEAPSPY, PATIENCE_SECONDS, TARGETS, SystemTest, need_root, state_of, wait_until

TICKER = TARGETS / "ticker"
# Where groups are, the file that freezes one, with what and what not.
VERSION_1 = ("/sys/fs/cgroup/freezer", "freezer.state", "FROZEN", "THAWED")
VERSION_2 = ("/sys/fs/cgroup/unified", "cgroup.freeze", "1", "0")
VERSION_2_ALONE = ("/sys/fs/cgroup", *VERSION_2[1:])


class Frozen(SystemTest):
    def setUp(self):
        super().setUp()
        need_root()
        self.ticks = self.directory / "ticks"
        with open(self.ticks, "wb") as output:
            self.target = subprocess.Popen([TICKER], stdout=output, env=self.environment)
        self.addCleanup(self.target.wait)
        self.addCleanup(self.target.kill)

    def make_group(self, root, switch, frozen, thawed):
        """Puts the target into a group; returns what freezes it and what lets it go on."""
        group = pathlib.Path(root) / f"heapspy-test-{os.getpid()}"
        try:
            group.mkdir()
        except OSError:
            return None
        self.addCleanup(lambda: wait_until(lambda: self.is_removed(group), "the group is empty"))
        if not (group / switch).exists():
            return None
        (group / "cgroup.procs").write_text(str(self.target.pid))
        self.addCleanup(self.target.wait)
        self.addCleanup(self.target.kill)
        self.addCleanup((group / switch).write_text, thawed)

        def freeze():
            (group / switch).write_text(frozen)
            state = group / ("freezer.state" if switch == "freezer.state" else "cgroup.events")
            wait_until(lambda: re.search("FROZEN|frozen 1", state.read_text()), "it is frozen")
        return freeze, lambda: (group / switch).write_text(thawed)

    def is_removed(self, group):
        try:
            group.rmdir()
        except OSError:
            return False
        return True

    def group(self, *versions):
        for version in versions:
            if made := self.make_group(*version):
                return made
        self.skipTest(f"no group can be made below {versions[0][0]}")

    def heapspy(self, *words):
        return subprocess.run([HEAPSPY, *map(str, words), str(self.target.pid)], text=True,
                              capture_output=True, env=self.environment, check=False,
                              timeout=PATIENCE_SECONDS)

    def check_goes_on(self, thaw):
        thaw()
        before = self.ticks.stat().st_size
        wait_until(lambda: self.ticks.stat().st_size > before + 20, "more ticks", self.target)
        self.assertEqual(state_of(self.target.pid)[1], 0)

    def check_refused(self, word, *words):
        done = self.heapspy(*words)
        if "--agent" in done.stderr:
            return  # a build under a sanitizer has no agent
        self.assertNotEqual(done.returncode, 0)
        self.assertIn(f"process {self.target.pid} is frozen", done.stderr)
        self.assertIn(word, done.stderr)

    def check_joining_is_refused(self):
        self.check_refused("let it go on", "trace", "-q", "-p")
        self.check_refused("let it go on", "record", "-o", self.directory / "out.heapspy", "-p")

    def test_what_would_wait_for_it_says_so(self):
        freeze, thaw = self.group(VERSION_1)
        freeze()
        self.check_joining_is_refused()
        self.check_refused("--no-stop", "inspect")
        self.assertEqual(self.heapspy("inspect", "--no-stop").returncode, 0)
        self.check_goes_on(thaw)

    def test_what_can_be_stopped_all_the_same_is_inspected(self):
        freeze, thaw = self.group(VERSION_2, VERSION_2_ALONE)
        freeze()
        self.check_joining_is_refused()
        self.assertEqual(self.heapspy("inspect").returncode, 0)
        self.check_goes_on(thaw)

    def test_a_trace_of_one_that_freezes_ends_when_it_is_asked_to(self):
        freeze, thaw = self.group(VERSION_1)
        with subprocess.Popen([HEAPSPY, "trace", "-q", "-p", str(self.target.pid)],
                              env=self.environment) as heapspy:
            wait_until(lambda: state_of(self.target.pid)[1] == heapspy.pid, "it is traced", heapspy)
            before = self.ticks.stat().st_size
            wait_until(lambda: self.ticks.stat().st_size > before + 20, "ticks under heapspy",
                       heapspy)
            freeze()
            heapspy.send_signal(signal.SIGINT)
            self.assertEqual(heapspy.wait(PATIENCE_SECONDS), 0)
        self.check_goes_on(thaw)
