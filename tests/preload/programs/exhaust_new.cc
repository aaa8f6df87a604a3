// exhaust.c's for C++: std::bad_alloc where there is no more, which itself has to be allocated; and
// all is well again once the containers are gone.
//   exhaust_new MEGABYTES
#include <cstdlib>
#include <list>
#include <new>
#include <string>
#include <vector>

#include "expect_cxx.h"

namespace {

std::size_t fill_list() {
  std::size_t count = 0;
  try {
    for (std::list<std::string> strings;; ++count) {
      strings.emplace_back(opaque(std::size_t{1000}), 'x');
      if (strings.back().size() != 1000) return 0;
    }
  } catch (const std::bad_alloc&) {
    return count;
  }
}

std::size_t fill_vector() {
  std::vector<std::vector<int>> rows;
  try {
    for (;;) rows.emplace_back(opaque(std::size_t{50000}), 7);
  } catch (const std::bad_alloc&) {
    for (const auto& row : rows) EXPECT(row.front() + row.back() == 14);
    return rows.size();
  }
}

// Nothing left, not even for the message: nothrow forms say null, the others throw all the same.
std::size_t fill_nothrow() {
  struct Node {
    Node* next;
    char bytes[120];
  };
  Node* list = nullptr;
  std::size_t count = 0;
  while (Node* node = new (std::nothrow) Node) {
    node->next = list;
    list = node;
    ++count;
  }
  unsigned thrown = 0;
  for (int i = 0; i < 1000; ++i) {
    try {
      ::operator delete(::operator new(opaque(std::size_t{1} << 40)));
    } catch (const std::bad_alloc&) {
      ++thrown;
    }
  }
  EXPECT(thrown == 1000);
  while (list != nullptr) {
    Node* next = list->next;
    delete list;
    list = next;
  }
  return count;
}

}  // namespace

int main(int argc, char** argv) {
  EXPECT(argc == 2);
  const std::size_t limit = std::strtoul(argv[1], nullptr, 10) << 20;
  for (int round = 0; round < 2; ++round) {
    EXPECT(fill_list() * 1000 > limit / 3);
    EXPECT(fill_vector() * 50000 * sizeof(int) > limit / 3);
    EXPECT(fill_nothrow() * 128 > limit / 3);
  }
  return ok();
}
