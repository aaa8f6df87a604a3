"""The beginning and the end of a process, and the ways to bring a library into one."""
import harness
from harness import PreloadTest, fails_on


class Loader(PreloadTest):
    def with_variable(self, name, value):
        return dict(self.environment, **{name: str(value)})

    def test_before_constructors_and_after_main(self):
        self.check("early")

    @fails_on(jemalloc="crashes", mimalloc="crashes")
    def test_resolver_that_allocates(self):
        self.check("ifunc")

    def test_libraries_come_and_go(self):
        self.check("plugins", harness.PROGRAMS / "libplugin.so")

    @fails_on(jemalloc="crashes", tcmalloc="crashes", mimalloc="crashes")
    def test_libraries_that_look_into_libc_first(self):
        self.check("deep_bound", "libplugin.so")

    @fails_on(jemalloc="crashes", tcmalloc="crashes", mimalloc="crashes")
    def test_libraries_that_look_into_libc_first_by_dlmopen(self):
        self.check("deep_bound", "libplugin.so", "dlmopen")

    @fails_on(mimalloc="aborts")
    def test_library_in_cxx_that_is_hidden(self):
        self.check("hidden_cxx", harness.PROGRAMS / "libplugin.so")

    def test_bind_now(self):
        environment = self.with_variable("LD_BIND_NOW", 1)
        for program in "early", "tls_destructors":
            self.check(program, env=environment)
        self.check("plugins", harness.PROGRAMS / "libplugin.so", "--rounds", "20", env=environment)

    @fails_on(jemalloc="too much static TLS for a second namespace")
    def test_auditor(self):
        environment = self.with_variable("LD_AUDIT", harness.PROGRAMS / "libauditor.so")
        for program in "early", "tls_destructors":
            self.check(program, env=environment)
        self.check("plugins", harness.PROGRAMS / "libplugin.so", "--rounds", "20", env=environment)

    @fails_on(jemalloc="too much static TLS")
    def test_opened_by_dlopen(self):
        if not harness.LIBRARY:
            self.skipTest("glibc's malloc is no library of its own")
        self.check("dlopened", harness.LIBRARY, env=self.plain_environment)

    def test_empty_environment(self):
        environment = {"LD_PRELOAD": harness.LIBRARY} if harness.LIBRARY else {"EMPTY": ""}
        for program in "early", "tls_destructors":
            self.check(program, env=environment)


class Static(PreloadTest):
    """The archive linked into the program, without and with position independence."""

    def check_static(self, kind):
        found = sorted(harness.PROGRAMS.glob(f"*_{kind}"))
        if not found:
            self.skipTest("no archive of the library was linked with: this build has none")
        for program in found:
            self.check(program.name, env=self.plain_environment)

    def test_static(self):
        self.check_static("static")

    def test_static_pie(self):
        self.check_static("static_pie")
