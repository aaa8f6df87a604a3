// Two coroutines, one after the other, on stacks at the same place: the second one is smaller. What
// their first function would return to is a function with a frame larger than all that is left of
// the stack: nothing to go by beyond the stack's end.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

enum { kLarge = 64 << 10, kSmall = 32 << 10, kFrame = 4 << 10 };

static ucontext_t outside, coroutine;

// Never runs.
__attribute__((noinline, used)) static void with_large_frame(void) {
  char frame[kFrame];
  memset(frame, 0, sizeof frame);
  __asm__ volatile(".globl after_a_call\nafter_a_call: nop" : : "r"(frame) : "memory");
  puts("unreachable");
  abort();
}
extern char after_a_call[];

static void body(void) {
  void* volatile block = malloc(100);
  free(block);
  setcontext(&outside);
}

static void run_on(void* stack, size_t bytes) {
  getcontext(&coroutine);
  coroutine.uc_stack.ss_sp = stack;
  coroutine.uc_stack.ss_size = bytes;
  coroutine.uc_link = NULL;
  makecontext(&coroutine, body, 0);
#if defined(__x86_64__)
  // Where body() finds its return address.
  uint64_t* const top = (uint64_t*)stack + bytes / sizeof(uint64_t) - 1;
  *top = (uint64_t)after_a_call + 1;
  coroutine.uc_mcontext.gregs[REG_RSP] = (greg_t)top;
#endif
  volatile int is_back = 0;
  getcontext(&outside);
  if (!is_back) {
    is_back = 1;
    setcontext(&coroutine);
  }
}

int main(void) {
  char* const place = mmap(NULL, 2 * kLarge, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (place == MAP_FAILED || munmap(place, 2 * kLarge) != 0) return 1;
  const int sizes[] = {kLarge, kSmall};
  for (int i = 0; i < 2; ++i) {
    const int bytes = sizes[i];
    if (mmap(place, (size_t)bytes, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) != place) {
      return 1;
    }
    run_on(place, (size_t)bytes);
    munmap(place, (size_t)bytes);
  }
  puts("both ran");
  return 0;
}
