"""Memory goes back to the system when the program has freed it, and does not grow without need."""
from harness import PreloadTest, fails_on

NEVER = "keeps most of it"
# malloc_trim is not theirs, so glibc's trims glibc's heap.
NO_TRIM = "has no malloc_trim"


class GiveBack(PreloadTest):
    @fails_on(glibc="its fast bins pin it", jemalloc="after ten seconds", tcmalloc=NEVER, mimalloc=NEVER)
    def test_small_idle(self):
        self.check("give_back", "small", "idle")

    @fails_on(jemalloc="after ten seconds", tcmalloc=NEVER, mimalloc=NEVER)
    def test_medium_idle(self):
        self.check("give_back", "medium", "idle")

    @fails_on(jemalloc="after ten seconds", tcmalloc=NEVER, mimalloc=NEVER)
    def test_large_idle(self):
        self.check("give_back", "large", "idle")

    @fails_on(jemalloc="after ten seconds", tcmalloc=NEVER, mimalloc=NEVER)
    def test_mixed_idle(self):
        self.check("give_back", "mixed", "idle")

    @fails_on(glibc="its fast bins pin it", jemalloc="after ten seconds", tcmalloc=NEVER, mimalloc=NEVER)
    def test_small_ticks(self):
        self.check("give_back", "small", "ticks", "--megabytes", "100")

    @fails_on(jemalloc="after ten seconds", tcmalloc=NEVER, mimalloc=NEVER)
    def test_mixed_ticks(self):
        self.check("give_back", "mixed", "ticks", "--megabytes", "100")

    @fails_on(jemalloc=NO_TRIM, tcmalloc=NO_TRIM, mimalloc=NO_TRIM)
    def test_trim(self):
        for kind in "small", "medium", "large", "mixed":
            self.check("give_back", kind, "trim", "--megabytes", "100")

    @fails_on(glibc="its fast bins pin it", jemalloc="after ten seconds", tcmalloc=NEVER, mimalloc=NEVER)
    def test_small_half(self):
        self.check("give_back", "small", "half", "--megabytes", "100")

    @fails_on(jemalloc="after ten seconds", tcmalloc=NEVER, mimalloc=NEVER)
    def test_medium_half(self):
        self.check("give_back", "medium", "half", "--megabytes", "100")

    @fails_on(jemalloc="after ten seconds", tcmalloc=NEVER, mimalloc=NEVER)
    def test_large_half(self):
        self.check("give_back", "large", "half", "--megabytes", "100")

    @fails_on(glibc="its fast bins pin it", jemalloc="after ten seconds", tcmalloc=NEVER, mimalloc=NEVER)
    def test_mixed_half(self):
        self.check("give_back", "mixed", "half", "--megabytes", "100")

    @fails_on(glibc=NEVER, jemalloc="after ten seconds", tcmalloc=NEVER, mimalloc=NEVER)
    def test_small_shuffled(self):
        self.check("give_back", "small", "shuffled", "--megabytes", "400")

    @fails_on(jemalloc="after ten seconds", tcmalloc=NEVER, mimalloc=NEVER)
    def test_medium_shuffled(self):
        self.check("give_back", "medium", "shuffled", "--megabytes", "400")

    @fails_on(glibc=NEVER, jemalloc=NEVER, tcmalloc=NEVER, mimalloc=NEVER)
    def test_small_scattered(self):
        self.check("give_back", "small", "scattered", "--megabytes", "400")

    @fails_on(jemalloc="grows by a quarter in the second half")
    def test_steady_program_does_not_grow(self):
        self.check("steady")
