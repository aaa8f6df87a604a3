/* Asks for large blocks and mappings, uses some pages of each, and prints how many: for each
   function how many bytes it asked for, and how many pages of them were used by whom. */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>

enum { kPage = 4096, kBlockPages = 512, kUsedPages = 100, kMapPages = 64 };
enum { kSmallCount = 5000, kSmallBytes = 1000 };

__attribute__((noinline)) static void use_pages(volatile char* begin, int count) {
  for (int i = 0; i < count; ++i) begin[(long)i * kPage + kPage / 2] = 1;
}

__attribute__((noinline)) static char* half_used(void) {
  return malloc((size_t)kBlockPages * kPage);
}

__attribute__((noinline)) static char* never_used(void) {
  return malloc((size_t)kBlockPages * kPage);
}

__attribute__((noinline)) static char* mapped(void) {
  return mmap(NULL, (size_t)kMapPages * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
              -1, 0);
}

__attribute__((noinline)) static void fill_small(void) {
  for (int i = 0; i < kSmallCount; ++i) {
    char* const block = malloc(kSmallBytes);
    if (block == NULL) abort();
    memset(block, 1, kSmallBytes);
  }
}

int main(void) {
  prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);  // a huge page is one fault
  mallopt(M_MMAP_THRESHOLD, 64 * 1024);
  char* const half = half_used();
  char* const never = never_used();
  char* const pages = mapped();
  if (half == NULL || never == NULL || pages == MAP_FAILED) return 1;
  use_pages(half + kPage, kUsedPages);
  use_pages(pages, kMapPages);
  fill_small();
  printf("half_used: %d\nmapped: %d\nfill_small: %d\n", kUsedPages, kMapPages,
         kSmallCount * (kSmallBytes + 8) / kPage);
  munmap(pages, (size_t)kMapPages * kPage);
  free(half);
  free(never);
  return 0;
}
