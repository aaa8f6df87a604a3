/* Says whose malloc, free, calloc and realloc it got. */
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static void say(uintptr_t function) {
  Dl_info info;
  puts(dladdr((const void*)function, &info) == 0 ? "nobody" : info.dli_fname);
}

int main(void) {
  say((uintptr_t)malloc);
  say((uintptr_t)free);
  say((uintptr_t)calloc);
  say((uintptr_t)realloc);
  return 0;
}
