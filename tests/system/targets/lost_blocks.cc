// Loses blocks of which it knows how many: objects of a class with virtual functions that lead to
// each other, plain blocks, a large one; and keeps others by a global, its stack, a thread's stack,
// thread-local storage, another block, an address inside. Then it stands still until its input
// ends.
//
// With "abort" it kills itself then, for a core.
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <pthread.h>
#include <unistd.h>

namespace shop {

class Item {
 public:
  virtual ~Item() = default;
  virtual int price() const { return 1; }
  Item* next = nullptr;
  char rest[80] = {};
};

class Kept {
 public:
  virtual ~Kept() = default;
  char rest[100] = {};
};

}  // namespace shop

namespace {

void* kept_in_global;
void* kept_inside;
thread_local void* kept_in_tls;
std::atomic<bool> ready;

// Of each loss a function of its own, so that nothing of it stays in a register or on the stack.
__attribute__((noinline)) void lose_items() {
  for (int i = 0; i < 10; ++i) {
    auto* const head = new shop::Item;
    head->next = new shop::Item;
    head->next->next = new shop::Item;
  }
}
__attribute__((noinline)) void lose_plain() {
  for (int i = 0; i < 25; ++i) std::memset(std::malloc(1000), 0x5a, 1000);
}
__attribute__((noinline)) void lose_large() {
  std::memset(std::malloc(2 << 20), 0x5a, 2 << 20);
}
// A freed block still says where the other one is.
__attribute__((noinline)) void lose_behind_freed() {
  auto** const freed = static_cast<void**>(std::malloc(600));
  freed[40] = std::malloc(5000);
  std::memset(freed[40], 0x5a, 5000);
  std::free(freed);
}

__attribute__((noinline)) void keep() {
  kept_in_global = std::malloc(700);
  void* const behind = std::malloc(800);
  std::memset(behind, 0x5a, 800);
  std::memcpy(kept_in_global, &behind, sizeof behind);
  auto* const block = static_cast<char*>(std::malloc(900));
  kept_inside = &block[450];
  kept_in_tls = new shop::Kept;
}

__attribute__((noinline)) void wipe_stack() {
  volatile char words[64 << 10];
  for (volatile char& word : words) word = 0;
}

void* on_stack(void*) {
  void* volatile kept = std::malloc(1100);
  wipe_stack();
  ready = true;
  while (kept != nullptr) ::pause();
  return nullptr;
}

}  // namespace

int main(int argc, char** argv) {
  void* volatile kept_on_stack = std::malloc(1200);
  std::setvbuf(stdout, nullptr, _IONBF, 0);
  pthread_t thread;
  ::pthread_create(&thread, nullptr, on_stack, nullptr);
  while (!ready) ::usleep(1000);
  keep();
  lose_items();
  lose_plain();
  lose_large();
  lose_behind_freed();
  wipe_stack();
  ::write(STDOUT_FILENO, "ready\n", 6);
  if (argc > 1 && std::strcmp(argv[1], "abort") == 0) std::abort();
  char byte = 0;
  while (kept_on_stack != nullptr && ::read(STDIN_FILENO, &byte, 1) > 0) {
  }
  ::_exit(0);
}
