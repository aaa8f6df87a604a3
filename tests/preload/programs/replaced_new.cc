// A program that brings operators of its own: they are called, also by the C++ library, and by
// those forms that the program did not replace. Compiled twice. With REPLACE_ALL: every form that
// takes no alignment. Without: only the four that every book names. Each block has a header, so
// that one that goes past our operators is noticed at once.
#include <array>
#include <cstdlib>
#include <new>
#include <sstream>
#include <string>
#include <vector>

#include "expect_cxx.h"

namespace {

constexpr std::size_t kHeader = 64;
constexpr unsigned long kOurs = 0x6f757273;
long live_count, total_count;

void* our_allocate(std::size_t size) {
  char* block = static_cast<char*>(std::malloc(size + kHeader));
  if (block == nullptr) throw std::bad_alloc();
  std::memcpy(block, &kOurs, sizeof kOurs);
  ++live_count;
  ++total_count;
  return block + kHeader;
}

void our_free(void* pointer) {
  if (pointer == nullptr) return;
  char* block = static_cast<char*>(pointer) - kHeader;
  unsigned long mark = 0;
  std::memcpy(&mark, block, sizeof mark);
  EXPECT_WITH(static_cast<long long>(mark), mark == kOurs);
  --live_count;
  std::free(block);
}

// Whatever happens in between, as many blocks came as went, and some did.
void expect_ours(long before, long total_before) {
  EXPECT_WITH(live_count - before, live_count == before);
  EXPECT(total_count > total_before);
}

struct Node {
  std::array<long, 20> values;
};

void check_expressions() {
  for (int i = 0; i < 100; ++i) {
    const long before = live_count, total = total_count;
    Node* one = new Node;
    Node* many = new Node[opaque(std::size_t{7})];
    Node* quiet = new (std::nothrow) Node;
    Node* quiet_many = new (std::nothrow) Node[opaque(std::size_t{7})];
    EXPECT_WITH(live_count - before, live_count == before + 4);
    one->values[0] = many[6].values[19] = quiet->values[0] = quiet_many[6].values[19] = i;
    // By the compiler's choice, the sized form.
    delete one;  // NOLINT(clang-analyzer-unix.MismatchedDeallocator): what it ends in is malloc's
    delete[] many;
    delete quiet;
    delete[] quiet_many;
    expect_ours(before, total);
  }
}

void check_sized_forms() {
  const long before = live_count, total = total_count;
  // NOLINTNEXTLINE(clang-analyzer-unix.MismatchedDeallocator)
  ::operator delete(::operator new(100), std::size_t{100});
  ::operator delete[](::operator new[](100), std::size_t{100});
  ::operator delete(::operator new(100, std::nothrow), std::nothrow);
  ::operator delete[](::operator new[](100, std::nothrow), std::nothrow);
  expect_ours(before, total);
}

// Code of libstdc++.so allocates and frees as well.
void check_library() {
  const long before = live_count, total = total_count;
  {
    std::ostringstream text;
    for (int i = 0; i < 1000; ++i) text << "word " << i << ' ';
    std::string copy = text.str();
    copy.append(copy).insert(10, copy);
    std::vector<std::string> parts(100, copy.substr(0, 1000));
  }
  expect_ours(before, total);
}

}  // namespace

void* operator new(std::size_t size) {
  return our_allocate(size);
}
void* operator new[](std::size_t size) {
  return our_allocate(size);
}
void operator delete(void* block) noexcept {
  our_free(block);
}
void operator delete[](void* block) noexcept {
  our_free(block);
}

#ifdef REPLACE_ALL
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  return our_allocate(size);
}
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept {
  return our_allocate(size);
}
void operator delete(void* block, std::size_t) noexcept {
  our_free(block);
}
void operator delete[](void* block, std::size_t) noexcept {
  our_free(block);
}
void operator delete(void* block, const std::nothrow_t&) noexcept {
  our_free(block);
}
void operator delete[](void* block, const std::nothrow_t&) noexcept {
  our_free(block);
}
#endif

int main() {
  check_library();
  check_expressions();
  check_sized_forms();
  return ok();
}
