// A library opened so that it looks for functions in its own libraries, which the C library is one
// of, before it looks where all others do: blocks come to it and from it, and all are one malloc's.
// It is found by this program's own path for libraries.
//   deep_bound NAME [dlmopen]
#include <dlfcn.h>
#include <malloc.h>
#include <pthread.h>

#include "probe.h"

static char* (*plugin_text)(void);
static size_t (*plugin_work)(int);
static char* (*plugin_longer)(char*);
static char* (*plugin_replace)(char*, int);

// By the second names that the C library has for its malloc's functions.
static void exchange_by_second_names(void) {
  int way = 0;
  for (;; ++way) {
    char* text = malloc(30);
    EXPECT(text != NULL);
    strcpy(text, "a block of ours");
    text = plugin_replace(text, way);
    if (text == NULL) break;
    EXPECT(strcmp(text, "a block of ours") == 0 && malloc_usable_size(text) > strlen(text));
    text = realloc(text, 5000);
    EXPECT(text != NULL && strcmp(text, "a block of ours") == 0);
    free(text);
  }
  EXPECT_NUMBERS(way, ==, 6);
}

static void* work(void* unused) {
  (void)unused;
  for (int i = 0; i < 1000; ++i) {
    EXPECT(plugin_work(i) > 0);
    char* text = plugin_text();
    EXPECT(text != NULL && malloc_usable_size(text) > strlen(text));
    free(text);
    char* own = malloc(20);
    EXPECT(own != NULL);
    strcpy(own, "a block of ours");
    own = plugin_longer(own);
    EXPECT(own != NULL && strcmp(own, "a block of ours, and more") == 0);
    own = realloc(own, 5000);
    EXPECT(own != NULL && strcmp(own, "a block of ours, and more") == 0);
    free(own);
    exchange_by_second_names();
  }
  return NULL;
}

int main(int argc, char** argv) {
  EXPECT(argc == 2 || argc == 3);
  watchdog(60);
  const int mode = RTLD_LAZY | RTLD_GLOBAL | RTLD_DEEPBIND;
  void* library = argc == 2 ? dlopen(argv[1], mode) : dlmopen(LM_ID_BASE, argv[1], mode);
  EXPECT_SAYING(library != NULL, "%s", dlerror());
  *(void**)&plugin_text = dlsym(library, "plugin_text");
  *(void**)&plugin_work = dlsym(library, "plugin_work");
  *(void**)&plugin_longer = dlsym(library, "plugin_longer");
  *(void**)&plugin_replace = dlsym(library, "plugin_replace");
  EXPECT(plugin_text != NULL && plugin_work != NULL && plugin_longer != NULL &&
         plugin_replace != NULL);
  pthread_t thread;
  EXPECT_NUMBERS(pthread_create(&thread, NULL, work, NULL), ==, 0);
  work(NULL);
  pthread_join(thread, NULL);
  EXPECT_NUMBERS(dlclose(library), ==, 0);
  EXPECT(dlopen("no such library", RTLD_NOW | RTLD_DEEPBIND) == NULL && dlerror() != NULL);
  EXPECT(dlmopen(LM_ID_BASE, "no such library", RTLD_NOW) == NULL && dlerror() != NULL);
  return ok();
}
