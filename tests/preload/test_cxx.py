"""The C++ operators, and what the C++ library does with them."""
from harness import PreloadTest, fails_on


class Cxx(PreloadTest):
    def test_new_and_delete(self):
        self.check("new_delete")

    @fails_on(mimalloc="throws through noexcept")
    def test_new_handler_and_bad_alloc(self):
        self.check("new_failure")

    @fails_on(jemalloc="gives blocks that are not aligned", tcmalloc="gives blocks that are not aligned",
              mimalloc="throws through noexcept")
    def test_alignments_that_are_none(self):
        self.check("new_failure", "alignment")

    def test_replaced_operators(self):
        self.check("replaced_new_all")

    @fails_on(jemalloc="its sized delete takes the program's blocks",
              tcmalloc="its sized delete takes the program's blocks",
              mimalloc="its sized delete takes the program's blocks")
    def test_replaced_operators_of_which_some_are_missing(self):
        self.check("replaced_new_some")

    def test_thread_local_destructors(self):
        self.check("tls_destructors")
