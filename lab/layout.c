// Experiment 0.5: one thing of each kind that a process has, and where.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "look.h"

enum { kSmall = 1000, kLarge = 1024 * 1024 };

static const char kConstant[] = "a constant";
static int initialised = 1;
static int zeroed;

int main(void) {
  int local = initialised + zeroed;
  char* small = malloc(kSmall);
  char* large = malloc(kLarge);

  printf("code: %p\n", (void*)(uintptr_t)main);
  printf("constant: %p\n", (const void*)kConstant);
  printf("initialised variable: %p\n", (void*)&initialised);
  printf("zeroed variable: %p\n", (void*)&zeroed);
  printf("small block: %p\n", (void*)small);
  printf("large block: %p\n", (void*)large);
  printf("library: %p\n", (void*)(uintptr_t)printf);
  printf("local variable: %p\n", (void*)&local);

  look_here("one of each kind is there");
  free(large);
  free(small);
  return 0;
}
