"""The C functions: what C17, C23, POSIX and glibc's manual say of each."""
import xml.etree.ElementTree

import harness
from harness import PreloadTest, fails_on


class CFamily(PreloadTest):
    @fails_on(jemalloc="no reallocarray, pvalloc, malloc_trim, …",
              tcmalloc="no reallocarray, malloc_info", mimalloc="no malloc_trim, mallinfo, …")
    def test_all_functions_are_one_librarys(self):
        arguments = ["--from", harness.LIBRARY] if harness.LIBRARY else []
        self.check("family", *arguments)

    def test_alignment(self):
        self.check("alignment")

    def test_usable_size(self):
        self.check("usable_size")

    @fails_on(jemalloc="realloc sets no errno", mimalloc="realloc(p, 0) keeps the block")
    def test_realloc_rules(self):
        self.check("realloc_rules")

    def test_realloc_contents(self):
        self.check("realloc_contents")

    @fails_on(jemalloc="realloc sets no errno", tcmalloc="pvalloc wraps around",
              mimalloc="errno is not ENOMEM")
    def test_overflow(self):
        self.check("overflow")

    @fails_on(jemalloc="memalign of size 0 is not aligned", mimalloc="256 bytes are not aligned")
    def test_aligned(self):
        self.check("aligned")

    @fails_on(jemalloc="no pvalloc, and glibc's is found")
    def test_page_aligned(self):
        self.check("page_aligned")

    @fails_on(glibc="aligned_alloc rounds up before 2.38", jemalloc="no EINVAL from memalign",
              tcmalloc="rounds nothing up", mimalloc="no EINVAL from memalign")
    def test_aligned_invalid(self):
        self.check("aligned_invalid")

    def test_zeroed(self):
        self.check("zeroed")

    def test_errno_kept_by_free(self):
        self.check("errno_kept")

    def test_free_sized(self):
        self.required("sized_free", "free_sized")

    @fails_on(glibc="only for programs linked before 2.26")
    def test_cfree(self):
        self.required("sized_free", "cfree")

    @fails_on(jemalloc="has none of them, and glibc's are found")
    def test_second_names(self):
        self.check("second_names")

    @fails_on(jemalloc="no mallinfo", tcmalloc="no mallinfo2", mimalloc="no mallinfo")
    def test_introspection(self):
        output = self.check("introspection")
        root = xml.etree.ElementTree.fromstring(output[output.index("<"):output.rindex(">") + 1])
        self.assertEqual(root.tag, "malloc")
