// A library to be opened and closed again and again: it allocates in its constructors, has objects
// for each thread whose destructors free, and leaves nothing behind.
#include <cstdlib>
#include <map>
#include <new>
#include <string>
#include <vector>

namespace {

struct Registry {
  std::map<int, std::string> names;
  Registry() {
    for (int i = 0; i < 200; ++i)
      names[i] = "a name that does not fit in the object, " + std::to_string(i);
  }
};
Registry registry;

thread_local std::vector<std::string> words;

char* plain_block;
__attribute__((constructor)) void construct() {
  plain_block = static_cast<char*>(std::malloc(5000));
  if (plain_block != nullptr) plain_block[4999] = 1;
}
__attribute__((destructor)) void destruct() {
  std::free(plain_block);
}

}  // namespace

extern "C" {
void* second_malloc(std::size_t) asm("__libc_malloc");
void* second_calloc(std::size_t, std::size_t) asm("__libc_calloc");
void* second_realloc(void*, std::size_t) asm("__libc_realloc");
void* second_memalign(std::size_t, std::size_t) asm("__libc_memalign");
void* second_valloc(std::size_t) asm("__libc_valloc");
void* second_pvalloc(std::size_t) asm("__libc_pvalloc");
void second_free(void*) asm("__libc_free");

std::size_t plugin_work(int number) noexcept;
char* plugin_text() noexcept;
char* plugin_longer(char* text) noexcept;
char* plugin_replace(char* text, int way) noexcept;
int plugin_is_refused(int form) noexcept;
}

// How many words this thread has given; 0 where something is not as it was left.
std::size_t plugin_work(int number) noexcept {
  if (plain_block == nullptr || plain_block[4999] != 1 || registry.names.size() != 200) return 0;
  words.push_back(registry.names.at(number % 200));
  return words.size();
}

// A block that the library allocates and its caller frees.
char* plugin_text() noexcept {
  const std::string text = registry.names.at(7);
  char* copy = static_cast<char*>(std::malloc(text.size() + 1));
  if (copy != nullptr) text.copy(copy, text.size());
  if (copy != nullptr) copy[text.size()] = '\0';
  return copy;
}

// A block that the caller has allocated, and frees.
char* plugin_longer(char* text) noexcept {
  const std::string longer = std::string(text) + ", and more";
  char* moved = static_cast<char*>(std::realloc(text, longer.size() + 1));
  if (moved != nullptr) longer.copy(moved, longer.size());
  if (moved != nullptr) moved[longer.size()] = '\0';
  return moved;
}

// The text in a block that comes from the C library's second name of a function, one for each way;
// what the caller has allocated is freed by such a name too. Null: no more ways.
char* plugin_replace(char* text, int way) noexcept {
  const std::string copy = text;
  const std::size_t size = copy.size() + 1;
  void* block = nullptr;
  switch (way) {
    case 0:
      block = second_malloc(size);
      break;
    case 1:
      block = second_calloc(1, size);
      break;
    case 2:
      block = second_realloc(text, size);
      text = nullptr;
      break;
    case 3:
      block = second_memalign(64, size);
      break;
    case 4:
      block = second_valloc(size);
      break;
    case 5:
      block = second_pvalloc(size);
      break;
    default:
      break;
  }
  second_free(text);
  char* const out = static_cast<char*>(block);
  if (out != nullptr) copy.copy(out, copy.size());
  if (out != nullptr) out[copy.size()] = '\0';
  return out;
}

// Whether a new that there can be no memory for fails as its form has to: 0 to 3 by an exception, 4
// to 7 by null; -1 where there is no such form.
int plugin_is_refused(int form) noexcept {
  volatile std::size_t bytes = std::size_t{1} << 50;
  constexpr std::align_val_t kLine{64};
  try {
    switch (form) {
      case 0:
        static_cast<void>(::operator new(bytes));
        return 0;
      case 1:
        static_cast<void>(::operator new[](bytes));
        return 0;
      case 2:
        static_cast<void>(::operator new(bytes, kLine));
        return 0;
      case 3:
        static_cast<void>(::operator new[](bytes, kLine));
        return 0;
      case 4:
        return ::operator new(bytes, std::nothrow) == nullptr;
      case 5:
        return ::operator new[](bytes, std::nothrow) == nullptr;
      case 6:
        return ::operator new(bytes, kLine, std::nothrow) == nullptr;
      case 7:
        return ::operator new[](bytes, kLine, std::nothrow) == nullptr;
      default:
        return -1;
    }
  } catch (const std::bad_alloc&) {
    return form < 4;
  }
}
