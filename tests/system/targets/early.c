// Linked with a library that allocates before main(): prints what that did.
#include <stdio.h>

extern const char* const allocated_early;

int main(void) {
  return puts(allocated_early) < 0;
}
