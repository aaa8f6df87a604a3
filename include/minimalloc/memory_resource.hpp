// minimalloc::memory_resource: std::pmr containers in malloc's heap, or in one of their own.
//
//   minimalloc::memory_resource scratch("scratch");
//   std::pmr::vector<int> numbers(&scratch);
//
// Header only, over the C functions of minimalloc.h. C++17; without exceptions too, where memory that
// there is not ends the program, as with operator new.
#ifndef MINIMALLOC_MEMORY_RESOURCE_HPP
#define MINIMALLOC_MEMORY_RESOURCE_HPP

#include <cstddef>
#include <cstdlib>
#include <memory_resource>
#include <minimalloc/minimalloc.h>
#include <new>

namespace minimalloc {

/// Thread-safe. Allocating throws std::bad_alloc where there is no memory. Two resources are equal if
/// one may free what the other allocated: those over the same heap. Compiled without run-time type
/// information, each equals itself alone.
class memory_resource : public std::pmr::memory_resource {
 public:
  /// Over malloc's heap.
  memory_resource() noexcept = default;

  /// Over a new heap, which is destroyed with the resource, with all that is still in it. Throws
  /// std::bad_alloc where there is no memory for it.
  explicit memory_resource(const char* name) : heap_(minimalloc_heap_create(name)), owned_(true) {
    if (heap_ == nullptr) fail();
  }

  /// Over a heap of the caller's, who destroys it after this resource.
  explicit memory_resource(minimalloc_heap* heap) noexcept : heap_(heap) {}
  /// No heap and no name: over malloc's heap.
  explicit memory_resource(std::nullptr_t) noexcept {}

  memory_resource(const memory_resource&) = delete;
  memory_resource& operator=(const memory_resource&) = delete;

  ~memory_resource() override {
    if (owned_) minimalloc_heap_destroy(heap_);
  }

  /// The heap; null: malloc's.
  minimalloc_heap* heap() const noexcept { return heap_; }

 protected:
  void* do_allocate(std::size_t bytes, std::size_t alignment) override {
    void* const block = alignment <= alignof(std::max_align_t)
                            ? minimalloc_heap_malloc(heap_, bytes)
                            : minimalloc_heap_aligned_alloc(heap_, alignment, bytes);
    if (block == nullptr) fail();
    return block;
  }

  void do_deallocate(void* block, std::size_t bytes, std::size_t alignment) override {
    minimalloc_free_sized(block, bytes, alignment);
  }

  bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override {
#if defined(__cpp_rtti)
    const auto* const same_kind = dynamic_cast<const memory_resource*>(&other);
    return same_kind != nullptr && same_kind->heap_ == heap_;
#else
    return &other == this;
#endif
  }

 private:
  [[noreturn]] static void fail() {
#if defined(__cpp_exceptions)
    throw std::bad_alloc();
#else
    std::abort();
#endif
  }

  minimalloc_heap* heap_ = nullptr;
  bool owned_ = false;
};

}  // namespace minimalloc

#endif
