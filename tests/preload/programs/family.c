// Every function of the family comes from one library: a program that gets malloc from one and
// memalign from another frees blocks that nobody knows.
//   family [--from FILE]    FILE: the library that it must be, as the loader names it
#include <dlfcn.h>
#include <limits.h>

#include "probe.h"

// What glibc 2.36 exports, short of what is only found by version (cfree).
static const char* const kFamily[] = {
    "malloc",   "free",      "calloc",       "realloc",        "reallocarray",      "aligned_alloc",
    "memalign", "valloc",    "pvalloc",      "posix_memalign", "malloc_trim",       "mallopt",
    "mallinfo", "mallinfo2", "malloc_stats", "malloc_info",    "malloc_usable_size"};

static const char* home_of(const char* name) {
  void* function = dlsym(RTLD_DEFAULT, name);
  EXPECT_SAYING(function != NULL, "%s", name);
  Dl_info info;
  EXPECT_SAYING(dladdr(function, &info) != 0, "%s", name);
  return info.dli_fname;
}

int main(int argc, char** argv) {
  const char* home = home_of("malloc");
  if (argc == 3 && strcmp(argv[1], "--from") == 0) {
    static char expected[PATH_MAX], found[PATH_MAX];
    EXPECT(realpath(argv[2], expected) != NULL);
    EXPECT_SAYING(realpath(home, found) != NULL, "%s", home);
    EXPECT_SAYING(strcmp(expected, found) == 0, "malloc is %s's", found);
  }
  for (size_t i = 0; i < sizeof kFamily / sizeof kFamily[0]; ++i) {
    const char* other = home_of(kFamily[i]);
    EXPECT_SAYING(strcmp(other, home) == 0, "%s is %s's, malloc %s's", kFamily[i], other, home);
  }
  return ok();
}
