// Four coroutines on stacks of their own that allocate in turn; prints what they allocated.
#include <stdio.h>
#include <stdlib.h>
#include <ucontext.h>

enum { kCoroutines = 4, kRounds = 50, kStackBytes = 64 << 10 };

static ucontext_t outside, contexts[kCoroutines];

static void* in_coroutine(void) {
  return malloc(70);
}

static void run(int number) {
  for (int i = 0; i < kRounds; ++i) {
    free(in_coroutine());
    swapcontext(&contexts[number], &contexts[(number + 1) % kCoroutines]);
  }
}

int main(void) {
  for (int i = 0; i < kCoroutines; ++i) {
    getcontext(&contexts[i]);
    contexts[i].uc_stack.ss_sp = malloc(kStackBytes);
    contexts[i].uc_stack.ss_size = kStackBytes;
    contexts[i].uc_link = &outside;
    makecontext(&contexts[i], (void (*)(void))run, 1, i);
  }
  swapcontext(&outside, &contexts[0]);
  printf("in_coroutine: %d %d 0\n", kCoroutines * kRounds, kCoroutines * kRounds * 70);
  return 0;
}
