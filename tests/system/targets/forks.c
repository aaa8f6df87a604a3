/* Forks while it has blocks, and its child frees some of them; the child forks once more. Prints,
   for each of the three processes, what it asked for and what it freed of the others'. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { kBlocks = 100, kBytes = 1000, kFreedByChild = 30, kFreedByGrandchild = 20 };

static void* blocks[kBlocks];
static void* childs_block;

static void free_some(int first, int count) {
  for (int i = first; i < first + count; ++i) {
    free(blocks[i]);
    blocks[i] = NULL;
  }
}

static int finish(pid_t child) {
  int status = -1;
  waitpid(child, &status, 0);
  return status == 0 ? 0 : 1;
}

__attribute__((noinline)) static void in_grandchild(void) {
  free_some(kFreedByChild, kFreedByGrandchild);
  free(childs_block);
  free(malloc(10));
}

__attribute__((noinline)) static int in_child(void) {
  free_some(0, kFreedByChild);
  childs_block = malloc(5000);
  const pid_t child = fork();
  if (child == 0) {
    in_grandchild();
    _exit(0);
  }
  free(childs_block);
  return finish(child);
}

__attribute__((noinline)) static void in_parent(void) {
  for (int i = 0; i < kBlocks; ++i) blocks[i] = malloc(kBytes);
}

int main(void) {
  in_parent();
  const pid_t child = fork();
  if (child == 0) _exit(in_child());
  // What the parent does after the fork is none of the child's business.
  void* const later = malloc(77777);
  free_some(0, kBlocks);
  free(later);
  return finish(child);
}
