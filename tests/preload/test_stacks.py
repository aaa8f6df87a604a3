"""Stacks that are not the usual one, and signals."""
import resource

from harness import PreloadTest, fails_on


class Stacks(PreloadTest):
    def test_contexts_of_the_programs_own(self):
        self.check("contexts")

    def test_smallest_stack_of_a_thread(self):
        self.check("small_stacks")

    @fails_on(mimalloc="not always aligned")
    def test_unlimited_stack(self):
        unlimited = [(resource.RLIMIT_STACK, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))]
        self.check("early", limits=unlimited)
        self.check("model", "--seconds", "1", "--threads", "4", limits=unlimited)

    def test_handlers_that_interrupt_no_allocation(self):
        self.check("signal_handlers")

    def test_handlers_that_interrupt_allocations_do_not_hang_it(self):
        self.check("signal_storm")

    def test_handlers_that_interrupt_allocations_may_ask_for_statistics(self):
        self.check("signal_stats")
