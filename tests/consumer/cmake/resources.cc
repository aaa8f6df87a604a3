// A user of the C++ interface.
#include <cstdlib>
#include <iostream>
#include <map>
#include <minimalloc/allocator.hpp>
#include <minimalloc/memory_resource.hpp>
#include <string>
#include <vector>

namespace {

void expect(bool condition, const char* what) {
  if (condition) return;
  std::cerr << "not so: " << what << "\n";
  std::exit(1);
}

}  // namespace

int main() {
  minimalloc::memory_resource scratch("scratch");
  std::pmr::map<std::pmr::string, std::pmr::vector<int>> lists(&scratch);
  for (int i = 0; i < 1000; ++i) {
    lists[std::pmr::string("a word that is long enough, number ") + std::to_string(i).c_str()]
        .push_back(i);
  }
  expect(minimalloc_heap_of(lists.begin()->second.data()) == scratch.heap(),
         "a list is in the heap");
  minimalloc::memory_resource everybody;
#if defined(__cpp_rtti)
  expect(everybody == minimalloc::memory_resource(), "malloc's heap is one");
#endif
  expect(everybody != scratch, "another is another");

  std::vector<std::string, minimalloc::allocator<std::string>> words(scratch.heap());
  words.assign(5000, "word");
  expect(minimalloc_heap_of(words.data()) == scratch.heap(), "a vector is in the heap");
  return 0;
}
