// The heap of a process that is about to fill tables: its pages by the hundred, where otherwise
// each costs a fault.
#pragma once

#include <cstddef>

#include "base/units.h"

namespace mini::kernel {

inline constexpr std::size_t kHugePage = std::size_t{2} << 20;

/// What of the heap's addresses, from where it ends now, is given memory how.
struct HeapPlan {
  Bytes resident{};    // so many bytes at once
  Bytes huge_begin{};  // behind so many, in huge pages, where the kernel has some
  Bytes huge_end{};    // up to so many
};

/// Has this process's heap take these addresses, and keep what it has: freed blocks are for later
/// ones. Large blocks have mappings of their own. In vain where malloc is not the C library's, or
/// the kernel refuses; where addresses are limited, all but the first of these is left.
void prepare_heap(const HeapPlan& plan);

/// Asks for huge pages for a block that is just allocated, if it is large enough for some.
void use_huge_pages(void* block, std::size_t bytes);

}  // namespace mini::kernel
