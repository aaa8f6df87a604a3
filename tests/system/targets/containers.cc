// Fills containers of the C++ library, through an allocator that counts what it passes on to
// operator new; prints "main: BLOCKS BYTES".
#include <cstddef>
#include <cstdio>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <new>
#include <string>
#include <vector>

namespace {

std::size_t counted_blocks = 0;
std::size_t counted_bytes = 0;

template <typename T>
struct Counting {
  // NOLINTNEXTLINE(bugprone-sizeof-expression): T may be a pointer
  static constexpr std::size_t kEach = sizeof(T);
  using value_type = T;  // NOLINT(readability-identifier-naming): what the library asks for
  Counting() = default;
  template <typename U>
  explicit(false) Counting(const Counting<U>& /*other*/) {}
  T* allocate(std::size_t count) {
    ++counted_blocks;
    counted_bytes += count * kEach;
    return static_cast<T*>(::operator new(count * kEach));
  }
  void deallocate(T* block, std::size_t count) { ::operator delete(block, count * kEach); }
  friend bool operator==(const Counting&, const Counting&) { return true; }
};

using Text = std::basic_string<char, std::char_traits<char>, Counting<char>>;
using Texts = std::vector<Text, Counting<Text>>;
using Index = std::map<int, Texts, std::less<>, Counting<std::pair<const int, Texts>>>;

constexpr int kTexts = 3000;
constexpr int kClasses = 17;

__attribute__((noinline)) Index fill() {
  Index index;
  for (int i = 0; i < kTexts; ++i) {
    index[i % kClasses].emplace_back(static_cast<std::size_t>(20 + i % 100), 'x');
  }
  return index;
}

__attribute__((noinline)) std::size_t sum(const Index& index) {
  std::deque<Text, Counting<Text>> all;
  for (const auto& [number, texts] : index) all.insert(all.end(), texts.begin(), texts.end());
  std::size_t bytes = 0;
  for (const Text& text : all) bytes += text.size();
  return bytes;
}

}  // namespace

int main() {
  std::setvbuf(stdout, nullptr, _IONBF, 0);  // no block but those that are counted
  const std::size_t bytes = sum(fill());
  std::printf("main: %zu %zu\n", counted_blocks, counted_bytes);
  return bytes == 0 ? 1 : 0;
}
