/* Asks the kernel for pages and gives some back in ways that fail, move, or are of several mappings
   at once; prints for each function how many bytes it has mapped at the end. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

enum { kPage = 4096, kTurns = 3000, kHeld = 64 };

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif

static char* new_pages(char* at, int count) {
  const int fixed = at != NULL ? MAP_FIXED : 0;
  char* const pages = mmap(at, (size_t)count * kPage, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | fixed, -1, 0);
  if (pages == MAP_FAILED) abort();
  return pages;
}

__attribute__((noinline)) static void refused(void) {
  char* const pages = new_pages(NULL, 100);
  if (munmap(pages + 1, 10 * kPage) == 0 || munmap(pages, 0) == 0 ||
      munmap(pages, (size_t)-kPage) == 0 || munmap(pages, (size_t)1 << 62) == 0 ||
      mremap(pages, 100 * kPage, (size_t)1 << 62, MREMAP_MAYMOVE) != MAP_FAILED) {
    abort();
  }
  printf("refused: %d\n", 100 * kPage);
}

__attribute__((noinline)) static void kept(void) {
  char* const pages = new_pages(NULL, 10);
  char* const copy = mremap(pages, 10 * kPage, 10 * kPage, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, 0);
  printf("kept: %d\n", (copy != MAP_FAILED ? 20 : 10) * kPage);
}

__attribute__((noinline)) static char* left(char* both) {
  return new_pages(both, 10);
}

__attribute__((noinline)) static char* right(char* both) {
  return new_pages(both + 10 * kPage, 10);
}

static void discard(void) {
  char* const both = new_pages(NULL, 20);
  left(both);
  right(both);
  if (madvise(both + 9 * kPage, 11 * kPage, MADV_DONTNEED) != 0) abort();
  if (madvise(both, 100, MADV_DONTNEED) != 0) abort();
  printf("left: %d\nright: %d\n", 10 * kPage, 10 * kPage);
}

static atomic_int is_over;

__attribute__((noinline)) static void* moves(void* unused) {
  for (int i = 0; i < kTurns; ++i) {
    char* pages = new_pages(NULL, 16);
    char* const behind = new_pages(NULL, 1);
    pages = mremap(pages, 16 * kPage, 64 * kPage, MREMAP_MAYMOVE);
    if (pages == MAP_FAILED) abort();
    munmap(pages, 64 * kPage);
    munmap(behind, kPage);
  }
  is_over = 1;
  return unused;
}

__attribute__((noinline)) static void* takes(void* unused) {
  char* held[kHeld] = {NULL};
  size_t bytes = 0;
  for (int i = 0; !is_over || i < kHeld; ++i) {
    char** const place = &held[i % kHeld];
    if (*place != NULL) munmap(*place, 16 * kPage);
    *place = new_pages(NULL, 16);
  }
  for (int i = 0; i < kHeld; ++i) bytes += held[i] != NULL ? 16 * kPage : 0;
  printf("takes: %zu\nmoves: 0\n", bytes);
  return unused;
}

int main(void) {
  refused();
  kept();
  discard();
  pthread_t threads[2];
  if (pthread_create(&threads[0], NULL, takes, NULL) != 0) return 1;
  if (pthread_create(&threads[1], NULL, moves, NULL) != 0) return 1;
  for (int i = 0; i < 2; ++i) pthread_join(threads[i], NULL);
  return 0;
}
