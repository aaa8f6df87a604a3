// Makes glibc ask the kernel for memory by many of its services.
#include <dlfcn.h>
#include <locale.h>
#include <netdb.h>
#include <pthread.h>
#include <pwd.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

static int compare(const void* a, const void* b) {
  return memcmp(a, b, 8);
}

static void* allocates(void* argument) {
  void* blocks[200];
  for (size_t i = 0; i < 200; ++i) blocks[i] = malloc(1000 * (i + 1));
  for (size_t i = 0; i < 200; ++i) free(blocks[i]);
  return argument;
}

static void grows_blocks(void) {
  char* block = malloc(10);
  for (size_t size = 1000; size < (1U << 22); size *= 2) {
    char* bigger = realloc(block, size);
    if (bigger == NULL) break;
    block = bigger;
  }
  free(block);
  void* aligned = NULL;
  if (posix_memalign(&aligned, 1U << 16, 300000) == 0) free(aligned);
  free(calloc(1000, 1000));
}

int main(void) {
  setlocale(LC_ALL, "");
  printf("services\n");
  grows_blocks();
  FILE* file = fopen("/proc/self/status", "r");
  char* line = NULL;
  size_t capacity = 0;
  while (file != NULL && getline(&line, &capacity, file) > 0) {
  }
  if (file != NULL) fclose(file);
  free(line);
  getpwnam("root");
  char* array = malloc(8U * 300000);
  if (array != NULL) {
    memset(array, 7, 8U * 300000);
    qsort(array, 300000, 8, compare);
  }
  free(array);
  regex_t expression;
  if (regcomp(&expression, "(a|b)*c{2,300}", REG_EXTENDED) == 0) regfree(&expression);
  pthread_t thread;
  if (pthread_create(&thread, NULL, allocates, NULL) == 0) pthread_join(thread, NULL);
  void* library = dlopen("libm.so.6", RTLD_NOW);
  if (library != NULL) dlclose(library);
  return 0;
}
