// whose_malloc: prints the path of the library whose malloc a program gets. A library that cannot
// be preloaded is ignored by the loader, and glibc would be measured under its name.
#include <dlfcn.h>
#include <stdio.h>

int main(void) {
  Dl_info info;
  void* function = dlsym(RTLD_DEFAULT, "malloc");
  if (function == NULL || dladdr(function, &info) == 0) return 1;
  puts(info.dli_fname);
  return 0;
}
