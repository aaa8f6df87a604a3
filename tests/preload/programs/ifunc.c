// A function that the loader resolves by calling us, while it is still relocating the program: some
// resolvers read the environment or allocate. What works with the C library's malloc has to work
// here.
#include "probe.h"

static void* block_of_resolver;

static int answer(void) {
  return 42;
}

// Called with malloc bound already or not, as the linker has it: it is bound in a program that was
// linked without -z now, by the lazy stub.
static int (*resolve(void))(void) {
  block_of_resolver = malloc(1000);
  if (block_of_resolver != NULL) memset(block_of_resolver, 7, 1000);
  free(malloc(64));
  return answer;
}

int chosen(void) __attribute__((ifunc("resolve")));

int main(void) {
  EXPECT_NUMBERS(chosen(), ==, 42);
  EXPECT(block_of_resolver != NULL);
  EXPECT_NUMBERS(((unsigned char*)block_of_resolver)[999], ==, 7);
  free(block_of_resolver);
  free(malloc(1000));
  return ok();
}
