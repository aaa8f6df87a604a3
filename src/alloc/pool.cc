// A pool is small and never grows: what does not fit is somebody else's to serve.
#include "alloc/pool.h"

namespace mini::alloc {
namespace {

constexpr std::size_t kHeaderBytes = sizeof(std::uint64_t);

}  // namespace

void* Pool::take(std::size_t bytes) {
  if (bytes > bytes_) return nullptr;
  const std::size_t chunk_bytes = usable_size_for(bytes) + kHeaderBytes;
  std::size_t begin = taken_bytes_.load(std::memory_order_relaxed);
  do {
    // The last block ends half a granule before the pool does.
    if (begin + chunk_bytes + kGranule > bytes_) return nullptr;
  } while (
      !taken_bytes_.compare_exchange_weak(begin, begin + chunk_bytes, std::memory_order_relaxed));
  void* const block = memory_ + begin + kGranule;
  header(block).store(chunk_bytes | kInUse, std::memory_order_relaxed);
  return block;
}

Pool::State Pool::state_of(std::uint64_t header, const void* p) const {
  const auto offset = static_cast<std::size_t>(static_cast<const std::byte*>(p) - memory_);
  const std::uint64_t chunk_bytes = header & ~kStateMask;
  if (offset % kGranule != 0 || offset == 0 || chunk_bytes == 0 || chunk_bytes > bytes_ - offset) {
    return State::kNoBlock;
  }
  switch (header & kStateMask) {
    case kInUse:
      return State::kInUse;
    case kFreed:
      return State::kFreed;
    default:
      return State::kNoBlock;
  }
}

Pool::State Pool::state(const void* p) const {
  const auto offset = static_cast<std::size_t>(static_cast<const std::byte*>(p) - memory_);
  if (offset < kGranule || offset % kGranule != 0) return State::kNoBlock;
  return state_of(header(p).load(std::memory_order_relaxed), p);
}

Pool::State Pool::free(void* p) {
  const State before = state(p);
  if (before != State::kInUse) return before;
  std::uint64_t in_use = header(p).load(std::memory_order_relaxed) & ~kStateMask;
  const std::uint64_t freed = in_use | kFreed;
  in_use |= kInUse;
  // Two threads may free it at once: one of them is wrong.
  return header(p).compare_exchange_strong(in_use, freed, std::memory_order_relaxed)
             ? State::kInUse
             : State::kFreed;
}

std::size_t Pool::usable_size_for(std::size_t bytes) {
  return ((bytes + kHeaderBytes + kGranule - 1) & ~(kGranule - 1)) - kHeaderBytes;
}

std::size_t Pool::usable_size(const void* p) {
  return (header(p).load(std::memory_order_relaxed) & ~kStateMask) - kHeaderBytes;
}

std::size_t Pool::used_bytes() const {
  return taken_bytes_.load(std::memory_order_relaxed);
}

}  // namespace mini::alloc
