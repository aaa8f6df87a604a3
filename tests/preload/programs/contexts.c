// Many small stacks of the program's own making (makecontext): allocation must neither need much of
// a stack nor care which one it is on.
#include <ucontext.h>

#include "probe.h"

// What is left to malloc is about 12 KiB: enough for glibc's, whose deepest path needs some 2.
enum { kContexts = 200, kStackSize = 16 * 1024, kRounds = 50 };
static ucontext_t main_context, contexts[kContexts];
static void* blocks[kContexts];
static size_t sizes[kContexts];
static size_t current;

static void coroutine(void) {
  const size_t me = current;
  uint64_t random = me;
  for (unsigned round = 0; round < kRounds; ++round) {
    // Frees what another coroutine allocated, on its own stack.
    const size_t victim = random_below(&random, kContexts);
    if (blocks[victim] != NULL) {
      check_filled(blocks[victim], sizes[victim], sizes[victim], victim);
      free(blocks[victim]);
      blocks[victim] = NULL;
    }
    if (blocks[me] == NULL) {
      sizes[me] = 1 + random_size(&random, round % 20 == 0 ? 21 : 12);
      blocks[me] = malloc(sizes[me]);
      EXPECT(blocks[me] != NULL);
    } else {
      sizes[me] = 1 + random_size(&random, 14);
      blocks[me] = realloc(blocks[me], sizes[me]);
      EXPECT(blocks[me] != NULL);
    }
    fill(blocks[me], sizes[me], me);
    swapcontext(&contexts[me], &main_context);
  }
}

static void make_contexts(void) {
  for (size_t i = 0; i < kContexts; ++i) {
    EXPECT_NUMBERS(getcontext(&contexts[i]), ==, 0);
    contexts[i].uc_stack.ss_sp = malloc(kStackSize);
    contexts[i].uc_stack.ss_size = kStackSize;
    contexts[i].uc_link = &main_context;
    EXPECT(contexts[i].uc_stack.ss_sp != NULL);
    makecontext(&contexts[i], coroutine, 0);
  }
}

int main(void) {
  make_contexts();
  // Once more than there are rounds, so that each coroutine returns, by its link.
  for (unsigned round = 0; round <= kRounds; ++round) {
    for (size_t i = 0; i < kContexts; ++i) {
      current = i;
      EXPECT_NUMBERS(swapcontext(&main_context, &contexts[i]), ==, 0);
    }
  }
  for (size_t i = 0; i < kContexts; ++i) {
    free(contexts[i].uc_stack.ss_sp);
    free(blocks[i]);
  }
  return ok();
}
