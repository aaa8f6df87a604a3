// Does one thing that no program may do with its heap, after it has printed the address that a
// message should name; then works on for a while, and says so if nobody noticed.
//   misuse WHAT
#include <dlfcn.h>
#include <malloc.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include "probe.h"

static char global_bytes[256];

static void announce(const void* address) {
  char text[40];
  snprintf(text, sizeof text, "%#zx\n", (size_t)(uintptr_t)address);
  say(STDOUT_FILENO, text);
}

// A block with neighbours on both sides, so that it is no edge of anything.
static void* settled_block(size_t size) {
  const size_t touched = size < 4096 ? size : 4096;
  for (unsigned i = 0; i < 20; ++i) memset(malloc(size), 1, touched);
  void* block = malloc(size);
  for (unsigned i = 0; i < 20; ++i) memset(malloc(size), 1, touched);
  return block;
}

static void free_others(size_t size, unsigned count) {
  void* others[64];
  for (unsigned i = 0; i < count; ++i) others[i] = settled_block(size);
  for (unsigned i = 0; i < count; ++i) free(others[i]);
}

static void announce_and_free(void* address) {
  announce(address);
  free(address);
}

static void double_free(size_t size, unsigned others_between) {
  void* block = settled_block(size);
  void* others[64];
  for (unsigned i = 0; i < others_between; ++i) others[i] = settled_block(size);
  free(block);
  for (unsigned i = 0; i < others_between; ++i) free(others[i]);
  announce_and_free(block);
}
static void double_free_at_once(void) {
  double_free(40, 0);
}
static void double_free_after_others(void) {
  double_free(40, 5);
}
static void double_free_medium(void) {
  double_free(3000, 3);
}
static void double_free_large(void) {
  double_free(400000, 0);
}
static void double_free_mapped(void) {
  double_free(80 * MIB, 0);
}

// One of the first blocks of a process, which an allocator may treat in a way of its own.
static void double_free_first(void) {
  void* block = malloc(200);
  free(block);
  announce_and_free(block);
}

static void* free_in_thread(void* block) {
  free(block);
  return NULL;
}
static void double_free_across_threads(void) {
  void* block = settled_block(40);
  pthread_t thread;
  pthread_create(&thread, NULL, free_in_thread, block);
  pthread_join(thread, NULL);
  announce_and_free(block);
  // An allocator that looks at a block only when it leaves the thread's cache sees it now at last.
  enum { OTHERS = 1000 };
  void* others[OTHERS];
  for (int i = 0; i < OTHERS; ++i) others[i] = malloc(40);
  for (int i = 0; i < OTHERS; ++i) free(others[i]);
}

static void interior_small(void) {
  announce_and_free((char*)settled_block(400) + 48);
}
static void interior_medium(void) {
  announce_and_free((char*)settled_block(9000) + 4096);
}
static void interior_large(void) {
  announce_and_free((char*)settled_block(400000) + 65536);
}
// A block that was moved to grow, and perhaps has room to grow on.
static void interior_grown(void) {
  void* block = settled_block(2 * MIB);
  memset(block, 1, 2 * MIB);
  block = realloc(block, 3 * MIB);
  announce_and_free((char*)block + 65536);
}
static void misaligned(void) {
  announce_and_free((char*)settled_block(400) + 8);
}
static void odd(void) {
  announce_and_free((char*)settled_block(400) + 1);
}

static void on_stack(void) {
  _Alignas(16) char bytes[256];
  memset(bytes, 0, sizeof bytes);
  announce_and_free(bytes + opaque(64));
}
static void global(void) {
  announce_and_free(global_bytes + opaque(64));
}
static void code(void) {
  announce_and_free((void*)((uintptr_t)&global & ~(uintptr_t)15));
}
static void* own_mapping(void) {
  return mmap(NULL, 64 * KIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}
static void mapping(void) {
  announce_and_free((char*)own_mapping() + 4096 + 16);
}
static void mapping_start(void) {
  announce_and_free(own_mapping());
}
static void low_address(void) {
  announce_and_free((void*)opaque(0x1230));
}
static void kernel_address(void) {
  announce_and_free((void*)opaque(0xffffffffff600000));
}
static void no_address(void) {
  announce_and_free((void*)opaque(0x4141414141414140));
}

static void realloc_of(void* address) {
  announce(address);
  void* result = realloc(address, 1000);
  EXPECT(result == NULL || result != NULL);
}
static void realloc_interior(void) {
  realloc_of((char*)settled_block(400) + 48);
}
static void realloc_stack(void) {
  _Alignas(16) char bytes[256];
  memset(bytes, 0, sizeof bytes);
  realloc_of(bytes + opaque(64));
}
static void realloc_freed(void) {
  void* block = settled_block(40);
  free(block);
  realloc_of(block);
}

static void* function(const char* name) {
  void* found = dlsym(RTLD_DEFAULT, name);
  if (found == NULL) skip("the library has no such function");
  return found;
}
static void sized_delete(void) {
  void (*operator_delete)(void*, size_t);
  *(void**)&operator_delete = function("_ZdlPvm");
  void* block = settled_block(400);
  announce(block);
  operator_delete(block, 4000);
}
static void free_sized_wrong(void) {
  void (*free_sized)(void*, size_t);
  *(void**)&free_sized = function("free_sized");
  void* block = settled_block(400);
  announce(block);
  free_sized(block, 40);
}
static void free_sized_large(void) {
  void (*free_sized)(void*, size_t);
  *(void**)&free_sized = function("free_sized");
  void* block = settled_block(400000);
  announce(block);
  free_sized(block, 40);
}

// Writes over freed blocks: where the list of free blocks runs through them, the next allocations
// must not hand out what the program wrote there.
static void free_list_overwritten(void) {
  void* blocks[8];
  for (unsigned i = 0; i < 8; ++i) blocks[i] = settled_block(40);
  for (unsigned i = 0; i < 8; ++i) free(blocks[i]);
  announce(blocks[7]);
  for (unsigned i = 0; i < 8; ++i) memset(blocks[i], 0x41, 32);
  for (unsigned i = 0; i < 16; ++i) {
    char* block = malloc(40);
    EXPECT(block != NULL && (uintptr_t)block >> 40 != 0x414141);
    memset(block, 2, 40);
  }
}

static const struct {
  const char* name;
  void (*run)(void);
} kCases[] = {{"double_free_at_once", double_free_at_once},
              {"double_free_after_others", double_free_after_others},
              {"double_free_medium", double_free_medium},
              {"double_free_large", double_free_large},
              {"double_free_mapped", double_free_mapped},
              {"double_free_first", double_free_first},
              {"double_free_across_threads", double_free_across_threads},
              {"interior_small", interior_small},
              {"interior_medium", interior_medium},
              {"interior_large", interior_large},
              {"interior_grown", interior_grown},
              {"misaligned", misaligned},
              {"odd", odd},
              {"on_stack", on_stack},
              {"global", global},
              {"code", code},
              {"mapping", mapping},
              {"mapping_start", mapping_start},
              {"low_address", low_address},
              {"kernel_address", kernel_address},
              {"no_address", no_address},
              {"realloc_interior", realloc_interior},
              {"realloc_stack", realloc_stack},
              {"realloc_freed", realloc_freed},
              {"sized_delete", sized_delete},
              {"free_sized", free_sized_wrong},
              {"free_sized_large", free_sized_large},
              {"free_list_overwritten", free_list_overwritten}};

int main(int argc, char** argv) {
  EXPECT(argc == 2);
  prctl(PR_SET_DUMPABLE, 0);  // no core of it
  free_others(40, 10);
  for (size_t i = 0; i < sizeof kCases / sizeof kCases[0]; ++i) {
    if (strcmp(kCases[i].name, argv[1]) != 0) continue;
    kCases[i].run();
    for (unsigned round = 0; round < 50; ++round) {
      free_others(40, 32);
      free_others(400, 32);
      free_others(3000, 8);
    }
    say(STDOUT_FILENO, "not noticed\n");
    return 3;
  }
  FAIL("no case %s", argv[1]);
}
