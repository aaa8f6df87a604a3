// heapspy's operator new: malloc, with huge pages for large tables. Arrays and the forms that do
// not throw come here, too.
#include <algorithm>
#include <cstdlib>
#include <new>

#include "kernel/own_heap.h"

namespace {

constexpr std::size_t round_up(std::size_t bytes, std::size_t alignment) {
  return (bytes + alignment - 1) & ~(alignment - 1);
}

void* allocate(std::size_t bytes, std::size_t alignment) {
  const std::size_t whole = round_up(bytes == 0 ? 1 : bytes, alignment);
  if (whole < bytes) throw std::bad_alloc();
  // Where a huge page begins: else none is used of up to 2 MiB at either end.
  if (whole >= mini::kernel::kHugePage) alignment = std::max(alignment, mini::kernel::kHugePage);
  while (true) {
    void* const block = alignment <= __STDCPP_DEFAULT_NEW_ALIGNMENT__
                            ? std::malloc(whole)
                            : std::aligned_alloc(alignment, whole);
    if (block != nullptr) {
      mini::kernel::use_huge_pages(block, whole);
      return block;
    }
    const std::new_handler handler = std::get_new_handler();
    if (handler == nullptr) throw std::bad_alloc();
    handler();
  }
}

}  // namespace

void* operator new(std::size_t bytes) {
  return allocate(bytes, 1);
}
void* operator new(std::size_t bytes, std::align_val_t alignment) {
  return allocate(bytes, static_cast<std::size_t>(alignment));
}

void operator delete(void* block) noexcept {
  std::free(block);
}
void operator delete(void* block, std::size_t) noexcept {
  std::free(block);
}
void operator delete(void* block, std::align_val_t) noexcept {
  std::free(block);
}
void operator delete(void* block, std::size_t, std::align_val_t) noexcept {
  std::free(block);
}
