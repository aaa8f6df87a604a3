// A program in C, without a C++ library of its own, opens a library in C++ that nobody else sees:
// new without memory fails in each form as it has to, and the library can be closed again.
//   hidden_cxx PLUGIN
#include <dlfcn.h>

#include "probe.h"

int main(int argc, char** argv) {
  EXPECT(argc == 2);
  watchdog(60);
  void* library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
  EXPECT_SAYING(library != NULL, "%s", dlerror());
  int (*is_refused)(int) = NULL;
  *(void**)&is_refused = dlsym(library, "plugin_is_refused");
  EXPECT(is_refused != NULL);
  for (int form = 0, result = 0; (result = is_refused(form)) >= 0; ++form) {
    EXPECT_NUMBERS(result, ==, 1);
  }
  dlclose(library);
  EXPECT(dlopen(argv[1], RTLD_NOW | RTLD_NOLOAD) == NULL);
  return ok();
}
