"""fork of a program with threads, and its relatives."""
from harness import PreloadTest, fails_on


class Fork(PreloadTest):
    def test_under_load(self):
        self.check("fork_under_load", "--forks", "300")

    def test_handlers_that_allocate(self):
        self.check("fork_handlers")

    @fails_on(jemalloc="registers its own handlers too late, and hangs", tcmalloc="hangs")
    def test_handlers_registered_before_all_constructors(self):
        self.check("fork_handlers", "early")

    @fails_on(jemalloc="hangs", tcmalloc="the child hangs that goes on")
    def test_in_a_handler_that_interrupted_malloc(self):
        self.check("fork_in_handler", "ends")
        self.check("fork_in_handler", "returns")

    @fails_on(glibc="hangs", jemalloc="hangs", tcmalloc="hangs")
    def test_in_a_handler_that_interrupted_malloc_of_a_program_with_threads(self):
        self.check("fork_in_handler", "threads")

    @fails_on(jemalloc="hangs", tcmalloc="hangs")
    def test_while_a_thread_registers_handlers(self):
        self.check("fork_registers")

    @fails_on(jemalloc="hangs", tcmalloc="hangs")
    def test_handlers_that_lock_what_others_allocate_under(self):
        self.check("fork_locks")

    @fails_on(jemalloc="hangs", tcmalloc="hangs")
    def test_while_a_thread_waits_for_a_stream(self):
        self.check("fork_streams")

    def test_vfork_spawn_popen_system(self):
        self.check("spawn")
