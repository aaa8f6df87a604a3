"""Threads: they end, leave blocks, free each other's; memory does not grow with their number.

A million of them: build/dev/tests/preload/programs/thread_churn --threads 1000000
"""
from harness import PreloadTest, fails_on


class Threads(PreloadTest):
    @fails_on(tcmalloc="loses its cache when a later key allocates",
              mimalloc="loses its heap when a later key allocates")
    def test_keys_that_allocate_in_their_destructors(self):
        self.check("thread_keys")

    def test_churn(self):
        self.check("thread_churn")

    def test_blocks_outlive_their_thread(self):
        self.check("orphans")

    @fails_on(jemalloc="over 200 KiB a thread", mimalloc="over 200 KiB a thread")
    def test_many_alive(self):
        self.check("many_threads")

    def test_producer_and_consumer(self):
        self.check("producer_consumer")

    def test_producers_of_small_blocks(self):
        self.check("producer_consumer", "--producers", "8", "--bits", "12", "--megabytes", "1024")

    def test_consumers(self):
        self.check("producer_consumer", "--consumers", "8")

    @fails_on(jemalloc="keeps four times what is alive")
    def test_tides(self):
        self.check("tides")
