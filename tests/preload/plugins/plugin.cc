// A library to be opened and closed again and again: it allocates in its constructors, has objects
// for each thread whose destructors free, and leaves nothing behind.
#include <cstdlib>
#include <map>
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
std::size_t plugin_work(int number) noexcept;
char* plugin_text() noexcept;
char* plugin_longer(char* text) noexcept;
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
