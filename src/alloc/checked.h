// Whether this is a checked build (MINIMALLOC_CHECKED): one that executes what the headers say
// always holds, and aborts where it does not. In any other build nothing of it is left.
#pragma once

#include <cstdint>

namespace mini::alloc {

#if defined(MINIMALLOC_CHECKED)
inline constexpr bool kChecked = true;
#else
inline constexpr bool kChecked = false;
#endif

/// Locks, the highest first: a thread takes them in this order, and of one rank only one, except
/// while it holds the registry's: fork takes all there are.
enum class LockRank : std::uint8_t {
  kForkHandlers,
  kRegistry,
  kHeapTable,
  kBin,
  kShelf,
  kPages,
  kSpans,
  kRecords,
};

/// A rank where it is checked, nothing where it is not.
#if defined(MINIMALLOC_CHECKED)
class CheckedRank {
 public:
  constexpr explicit CheckedRank(LockRank rank) : rank_(rank) {}
  LockRank value() const { return rank_; }

 private:
  LockRank rank_;
};
#else
class CheckedRank {
 public:
  constexpr explicit CheckedRank(LockRank) {}
  LockRank value() const { return LockRank::kRegistry; }
};
#endif

/// To be called before a lock is taken and after it was released. Checked builds only.
void note_lock(LockRank rank);
void note_unlock(LockRank rank);

}  // namespace mini::alloc
