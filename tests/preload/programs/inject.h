// How a program tells inject.c that from now on its system calls may fail: by a call that means
// nothing to the kernel.
#pragma once

#include <stddef.h>
#include <sys/mman.h>

#define INJECT_BEGIN_ADVICE 0x6d6d

static inline void inject_begin(void) {
  madvise(NULL, 0, INJECT_BEGIN_ADVICE);
}
