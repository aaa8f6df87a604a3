// dlopen and dlclose of a library that allocates in its constructors and has thread_local objects,
// from the main thread and from others that end before and after it is closed.
//   plugins PLUGIN [--rounds N]
#include <dlfcn.h>
#include <pthread.h>

#include "probe.h"

static const char* path;
static size_t unloaded_count;

typedef struct {
  void* library;
  size_t (*work)(int);
  char* (*text)(void);
} Plugin;

static Plugin open_plugin(int flags) {
  Plugin plugin;
  plugin.library = dlopen(path, flags);
  EXPECT_SAYING(plugin.library != NULL, "%s", dlerror());
  *(void**)&plugin.work = dlsym(plugin.library, "plugin_work");
  *(void**)&plugin.text = dlsym(plugin.library, "plugin_text");
  EXPECT(plugin.work != NULL && plugin.text != NULL);
  return plugin;
}

static void use(const Plugin* plugin) {
  const size_t first = plugin->work(1);
  EXPECT(first > 0);
  EXPECT_NUMBERS(plugin->work(2), ==, first + 1);
  char* text = plugin->text();
  EXPECT(text != NULL && strstr(text, "does not fit") != NULL);
  free(text);
}

static void* use_in_thread(void* plugin) {
  use(plugin);
  return NULL;
}

static void* open_in_thread(void* unused) {
  (void)unused;
  const Plugin plugin = open_plugin(RTLD_NOW | RTLD_LOCAL);
  use(&plugin);
  dlclose(plugin.library);
  return NULL;
}

static void run(size_t rounds) {
  for (size_t i = 0; i < rounds; ++i) {
    pthread_t one, two;
    Plugin plugin = open_plugin(i % 2 == 0 ? RTLD_NOW | RTLD_LOCAL : RTLD_LAZY | RTLD_GLOBAL);
    EXPECT_NUMBERS(pthread_create(&one, NULL, use_in_thread, &plugin), ==, 0);
    EXPECT_NUMBERS(pthread_create(&two, NULL, open_in_thread, NULL), ==, 0);
    pthread_join(one, NULL);
    if (i % 2 == 0) pthread_join(two, NULL);
    EXPECT_NUMBERS(dlclose(plugin.library), ==, 0);
    if (i % 2 == 1) pthread_join(two, NULL);
    void* still_there = dlopen(path, RTLD_NOW | RTLD_NOLOAD);
    if (still_there == NULL) ++unloaded_count;
    if (still_there != NULL) dlclose(still_there);
  }
}

int main(int argc, char** argv) {
  EXPECT(argc > 1);
  path = argv[1];
  watchdog(100);
  const size_t rounds = option(argc, argv, "--rounds", 200);
  run(rounds);
  const size_t before = rss_bytes();
  run(rounds);
  EXPECT_NUMBERS(rss_bytes(), <, before + 2 * MIB);
  // Else its constructors and destructors would have run only once. Where the last to close it is a
  // thread that still has objects in it, it stays until the next round.
  EXPECT_NUMBERS(unloaded_count, >=, rounds);
  // From now on it cannot be unloaded: the main thread has objects in it, for exit to destroy.
  const Plugin plugin = open_plugin(RTLD_NOW | RTLD_LOCAL);
  use(&plugin);
  dlclose(plugin.library);
  return ok();
}
