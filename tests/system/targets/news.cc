// Asks for blocks by every operator new, and prints what it counted: for each function how many
// blocks, how many bytes, and how many stay.
//   news [fails]
//         and for more than there is
//   news large
//         nothing but for 64 MiB that stay
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <dlfcn.h>
#include <new>

namespace {

constexpr int kRounds = 50;

struct alignas(64) Aligned {
  char bytes[128];
};

void* volatile kept;

template <typename T>
T* seen(T* block) {
  kept = block;
  return static_cast<T*>(kept);
}

}  // namespace

extern "C" {
void plain();
void aligned();
void kept_ones();
int fails();

__attribute__((noinline)) void plain() {
  for (int i = 0; i < kRounds; ++i) {
    delete seen(new long(i));
    delete[] seen(new char[100]);
    delete seen(new (std::nothrow) long(i));
    delete[] seen(new (std::nothrow) char[100]);
  }
}

__attribute__((noinline)) void aligned() {
  for (int i = 0; i < kRounds; ++i) {
    delete seen(new Aligned);
    delete[] seen(new Aligned[2]);
    delete seen(new (std::nothrow) Aligned);
  }
}

__attribute__((noinline)) void kept_ones() {
  for (int i = 0; i < kRounds; ++i) seen(new int(i));
}

__attribute__((noinline)) int fails() {
  const volatile std::size_t too_much = static_cast<std::size_t>(-1) / 4;
  int caught = 0;
  for (int i = 0; i < kRounds; ++i) {
    try {
      seen(static_cast<char*>(::operator new(too_much)));
    } catch (const std::bad_alloc&) {
      ++caught;
    }
    if (::operator new(too_much, std::nothrow) == nullptr) ++caught;
  }
  return caught;
}
}

int main(int argc, char** argv) {
  if (argc > 1 && std::strcmp(argv[1], "large") == 0) {
    for (int i = 0; i < 64; ++i) seen(new char[1 << 20]);
    return 0;
  }
  // The first operators of all must not take away what dlerror() has to say.
  if (dlsym(RTLD_DEFAULT, "mini_that_nobody_has") != nullptr) return 8;
  delete seen(new char);
  if (dlerror() == nullptr) return 9;
  if (argc > 1 && fails() != 2 * kRounds) return 1;
  plain();
  aligned();
  kept_ones();
  std::printf("plain: %d %d %d\n", 4 * kRounds, 2 * kRounds * (8 + 100), 0);
  std::printf("aligned: %d %d %d\n", 3 * kRounds, 4 * kRounds * 128, 0);
  std::printf("kept_ones: %d %d %d\n", kRounds, kRounds * 4, kRounds);
  return 0;
}
