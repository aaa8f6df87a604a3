"""Little memory: limits from the start, and what happens when they are reached."""
import os
import pathlib
import re

import harness
from harness import MIB, PreloadTest, fails_on, limit, need, need_root
from settings import Settings, read

SAYS_SO = "says on standard error that there is no more"


class AddressSpace(PreloadTest):
    def exhaust(self, megabytes, *kinds):
        self.check("exhaust", "--limit", megabytes, *kinds, limits=[limit("AS", megabytes * MIB)])

    @fails_on(jemalloc="after small blocks only half is to be had again", tcmalloc=SAYS_SO)
    def test_128_mib(self):
        self.exhaust(128, "small", "medium", "large", "huge")

    @fails_on(jemalloc="after small blocks only half is to be had again", tcmalloc=SAYS_SO)
    def test_128_mib_calloc_and_aligned(self):
        self.exhaust(128, "calloc", "aligned")

    def test_128_mib_realloc(self):
        self.exhaust(128, "realloc")

    @fails_on(tcmalloc=SAYS_SO)
    def test_128_mib_threads(self):
        self.exhaust(128, "threads", "threads")

    @fails_on(jemalloc="nothing is to be had after bad_alloc", tcmalloc=SAYS_SO,
              mimalloc="crashes in bad_alloc")
    def test_128_mib_new(self):
        self.check("exhaust_new", 128, limits=[limit("AS", 128 * MIB)])

    @fails_on(tcmalloc=SAYS_SO)
    def test_512_mib(self):
        self.exhaust(512, "medium", "large", "huge")

    def test_4_gib(self):
        self.exhaust(4096, "large", "huge")


class Data(PreloadTest):
    """RLIMIT_DATA counts what is writable and private, as strict overcommit does."""

    LIMITS = [limit("DATA", 64 * MIB)]

    @fails_on(jemalloc="after small blocks only a third is to be had again",
              tcmalloc=SAYS_SO, mimalloc="less than half is to be had")
    def test_64_mib(self):
        self.check("exhaust", "--limit", 64, "small", "medium", "large", limits=self.LIMITS)

    @fails_on(jemalloc="after small blocks only half is to be had again",
              tcmalloc=SAYS_SO, mimalloc="less than half is to be had")
    def test_64_mib_calloc_and_aligned(self):
        self.check("exhaust", "--limit", 64, "calloc", "aligned", limits=self.LIMITS)

    def test_64_mib_realloc(self):
        self.check("exhaust", "--limit", 64, "realloc", limits=self.LIMITS)

    @fails_on(tcmalloc=SAYS_SO)
    def test_64_mib_threads(self):
        self.check("exhaust", "--limit", 64, "threads", limits=self.LIMITS)

    @fails_on(jemalloc="nothing is to be had after bad_alloc", tcmalloc=SAYS_SO,
              mimalloc="crashes in bad_alloc")
    def test_64_mib_new(self):
        self.check("exhaust_new", 64, limits=self.LIMITS)


class System(PreloadTest):
    @harness.alone
    def test_strict_overcommit(self):
        """No more is promised than there is. For as short as may be, and with some GiB of room: all other
        programs of this system are under it as well."""
        need_root("set vm.overcommit_memory")
        mode, ratio, kbytes = (f"/proc/sys/vm/overcommit_{name}" for name in ("memory", "ratio", "kbytes"))
        if read(kbytes) != "0":
            self.skipTest("somebody has set vm.overcommit_kbytes: left as it is")
        committed = int(re.search(r"Committed_AS: +(\d+)", pathlib.Path("/proc/meminfo").read_text())[1])
        room = Settings((kbytes, str(committed + (8 << 20))), (mode, "2"),
                        back=[(mode, read(mode)), (ratio, read(ratio))])
        commands = [["early"], ["tls_destructors"], ["give_back", "mixed", "trim", "--megabytes", "20"]]
        if harness.ALLOCATOR in harness.PEERS:
            commands.pop()
        with room:
            done = [self.run_command([harness.PROGRAMS / name, *rest]) for name, *rest in commands]
        for result, command in zip(done, commands):
            self.expect_ok(result, f"under strict overcommit: {' '.join(command)}")

    def test_mappings_used_up(self):
        self.check("map_count")

    @fails_on(glibc="refuses what needs more of a heap", jemalloc="refuses what needs a mapping")
    def test_begins_with_mappings_used_up(self):
        self.check("map_count", "begin")

    @fails_on(glibc="refuses what needs more of a heap", jemalloc="refuses what needs a mapping",
              tcmalloc=SAYS_SO)
    def test_grows_with_mappings_used_up(self):
        self.check("map_count", "grow")

    def test_memory_cgroup(self):
        """Within 64 MiB a program that needs 40 must not be killed."""
        with memory_cgroup(64 * MIB) as enter:
            self.check("steady", "--rounds", "1500", through=[*enter])
            self.check("give_back", "medium", "idle", "--megabytes", "40", through=[*enter])

    @fails_on(jemalloc="has no malloc_trim", tcmalloc="has no malloc_trim", mimalloc="has no malloc_trim")
    def test_charged_for_parts_of_huge_pages(self):
        cgroup = memory_cgroup(1024 * MIB)
        with cgroup as enter:
            usage = cgroup.usage_file()
            for huge in "auto", "always":
                env = self.plain_environment | {"MINIMALLOC_HUGE_PAGES": huge}
                self.check("charged", usage, through=[*enter], env=env)

    @fails_on(mimalloc="not always aligned")
    def test_one_processor(self):
        taskset = [need("taskset", "util-linux"), "-c", str(min(os.sched_getaffinity(0)))]
        self.check("model", "--seconds", "1", "--threads", "4", through=taskset)
        self.check("producer_consumer", "--producers", "4", "--megabytes", "256", through=taskset)

    @fails_on(mimalloc="not always aligned")
    def test_addresses_not_random(self):
        self.check("early", through=[need("setarch", "util-linux"), "-R"])
        self.check("model", "--seconds", "1", through=[need("setarch", "util-linux"), "-R"])

    @fails_on(mimalloc="not always aligned")
    def test_legacy_layout(self):
        """Mappings grow upwards from a third of the address space: little room above the break."""
        self.check("early", through=[need("setarch", "util-linux"), "-R", "-L"])
        self.check("model", "--seconds", "1", through=[need("setarch", "util-linux"), "-R", "-L"])

    @fails_on(mimalloc="not always aligned")
    def test_no_proc_and_no_sys(self):
        unshare = [need("unshare", "util-linux"), "-m"]
        if os.geteuid() != 0:
            unshare.append("-r")
        hide = "mount -t tmpfs none /proc && mount -t tmpfs none /sys && exec \"$@\""
        through = [*unshare, "sh", "-c", hide, "sh"]
        tried = self.run_command([*through, "true"], env=self.plain_environment)
        if tried.returncode != 0:
            self.skipTest(f"no mount namespace is to be had here: {tried.stderr.strip()}")
        self.check("early", through=through)
        self.check("model", "--seconds", "1", "--threads", "4", through=through)


class memory_cgroup:  # pylint: disable=invalid-name
    """A cgroup with a limit, below our own (or beside it, of version 2, which wants processes in leaves
    only); what to put before a command."""

    def __init__(self, byte_count):
        self.byte_count = byte_count
        self.path = None

    def candidates(self):
        """(parent, name of the file that limits)"""
        own = {}
        for line in pathlib.Path("/proc/self/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            for controller in controllers.split(","):
                own[controller] = path
        for mount in pathlib.Path("/proc/self/mounts").read_text().splitlines():
            _, directory, kind, options, *_ = mount.split()
            if kind == "cgroup" and "memory" in options.split(",") and "memory" in own:
                yield pathlib.Path(directory + own["memory"]), "memory.limit_in_bytes"
            if kind == "cgroup2" and "" in own:
                here = pathlib.Path(directory + own[""])
                yield here, "memory.max"
                if own[""] != "/":
                    yield here.parent, "memory.max"

    def usage_file(self):
        """Of what the kernel charges it for."""
        current = self.path / "memory.current"
        return current if current.exists() else self.path / "memory.usage_in_bytes"

    def __enter__(self):
        for parent, limit_file in self.candidates():
            path = parent / f"minimalloc-test-{os.getpid()}"
            try:
                if limit_file == "memory.max" and \
                        "memory" not in (parent / "cgroup.subtree_control").read_text().split():
                    continue
                path.mkdir()
            except OSError:
                continue
            self.path = path
            try:
                (path / limit_file).write_text(str(self.byte_count))
                if (path / "memory.swap.max").exists():
                    (path / "memory.swap.max").write_text("0")
            except OSError:
                self.__exit__()
                continue
            return ["sh", "-c", f"echo $$ > {path}/cgroup.procs && exec \"$@\"", "sh"]
        raise harness.unittest.SkipTest("no cgroup with a memory controller is ours")

    def __exit__(self, *unused):
        if self.path:
            self.path.rmdir()
            self.path = None
