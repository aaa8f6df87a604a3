// minimalloc::allocator<T>: the C++ library's containers in malloc's heap, or in a heap of one's
// own, whatever the rest of the program does with operator new.
//
//   std::vector<int, minimalloc::allocator<int>> numbers;                   // malloc's heap
//   std::map<K, V, std::less<K>, minimalloc::allocator<std::pair<const K, V>>> index(heap);
//
// Header only, over the C functions of minimalloc.h. C++17; without exceptions too, where memory that
// there is not ends the program, as with operator new.
#ifndef MINIMALLOC_ALLOCATOR_HPP
#define MINIMALLOC_ALLOCATOR_HPP

#include <cstddef>
#include <cstdlib>
#include <limits>
#include <minimalloc/minimalloc.h>
#include <new>
#include <type_traits>

namespace minimalloc {

/// A handle of a heap: copies allocate in the same, and are equal. Containers take it along when
/// they are moved, swapped or assigned.
///
/// Thread-safe. REQUIRES: the heap outlives all that is allocated in it.
template <typename T>
class allocator {
 public:
  using value_type = T;
  using propagate_on_container_copy_assignment = std::true_type;
  using propagate_on_container_move_assignment = std::true_type;
  using propagate_on_container_swap = std::true_type;
  using is_always_equal = std::false_type;

  /// In malloc's heap.
  allocator() noexcept = default;
  /// In a heap of one's own; null: malloc's.
  allocator(minimalloc_heap* heap) noexcept : heap_(heap) {}
  template <typename U>
  allocator(const allocator<U>& other) noexcept : heap_(other.heap()) {}

  /// Throws std::bad_alloc where there is no memory, and std::bad_array_new_length where that many
  /// cannot be.
  [[nodiscard]] T* allocate(std::size_t count) {
    if (count > std::numeric_limits<std::size_t>::max() / sizeof(T)) {
      fail<std::bad_array_new_length>();
    }
    const std::size_t bytes = count * sizeof(T);
    void* const block = alignof(T) <= alignof(std::max_align_t)
                            ? minimalloc_heap_malloc(heap_, bytes)
                            : minimalloc_heap_aligned_alloc(heap_, alignof(T), bytes);
    if (block == nullptr) fail<std::bad_alloc>();
    return static_cast<T*>(block);
  }

  /// REQUIRES: allocate(count) of an equal allocator returned the block.
  void deallocate(T* block, std::size_t count) noexcept {
    minimalloc_free_sized(block, count * sizeof(T), alignof(T));
  }

  minimalloc_heap* heap() const noexcept { return heap_; }

 private:
  template <typename Exception>
  [[noreturn]] static void fail() {
#if defined(__cpp_exceptions)
    throw Exception();
#else
    std::abort();
#endif
  }

  minimalloc_heap* heap_ = nullptr;
};

template <typename T, typename U>
bool operator==(const allocator<T>& a, const allocator<U>& b) noexcept {
  return a.heap() == b.heap();
}

template <typename T, typename U>
bool operator!=(const allocator<T>& a, const allocator<U>& b) noexcept {
  return !(a == b);
}

}  // namespace minimalloc

#endif
