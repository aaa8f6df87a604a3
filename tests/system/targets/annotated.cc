// Uses every function of <heapspy/annotate.h> in C++.
#include <cstddef>
#include <cstdlib>
#include <heapspy/annotate.h>

namespace {

constexpr std::size_t kBytes = 100;

}  // namespace

int main() {
  heapspy_mark("begin");
  auto* pool = static_cast<char*>(std::malloc(10 * kBytes));
  heapspy_pool_memory(pool);
  for (std::size_t i = 0; i < 10; ++i) heapspy_pool_allocated(pool + i * kBytes, kBytes);
  for (std::size_t i = 0; i < 6; ++i) heapspy_pool_freed(pool + i * kBytes);
  heapspy_name_memory(pool, 10 * kBytes, "no whole page");
  heapspy_mark("end");
  std::free(pool);
}
