#include "database/live_allocations.h"

#include <utility>

namespace mini::database {

EventId LiveAllocations::allocate(EventId id, Address address, std::uint64_t bytes) {
  last_id_ = id;
  const Block before = take(address);
  put(address, {.id = id, .bytes = bytes});
  return before.id;
}

EventId LiveAllocations::free(EventId id, Address address, recording::ThreadNumber thread) {
  last_id_ = id;
  const Block block = take(address);
  last_frees_[thread] = {.id = id, .address = address, .block = block};
  return block.id;
}

std::optional<EventId> LiveAllocations::restore(Address address, recording::ThreadNumber thread) {
  if (blocks_.contains(address.value)) return 0;
  const auto last = last_frees_.find(thread);
  if (last == last_frees_.end() || last->second.address != address) return std::nullopt;
  const LastFree free = last->second;
  last_frees_.erase(last);
  if (free.block.id != 0) put(address, free.block);
  return free.id;
}

EventId LiveAllocations::become_pool_memory(Address address) {
  const auto block = blocks_.find(address.value);
  if (block == blocks_.end()) return 0;
  const EventId id = block->second.id;
  bytes_ -= std::exchange(block->second.bytes, 0);
  if (peak_.id == id && peak_.id == last_id_) peak_ = peak_before_;
  return id;
}

// REQUIRES: nothing is live at the address.
void LiveAllocations::put(Address address, const Block& block) {
  blocks_[address.value] = block;
  bytes_ += block.bytes;
  if (bytes_ <= peak_.bytes) return;
  peak_before_ = peak_;
  peak_ = {.id = last_id_, .bytes = bytes_};
}

// Returns what was live at the address.
LiveAllocations::Block LiveAllocations::take(Address address) {
  const auto at = blocks_.find(address.value);
  if (at == blocks_.end()) return {};
  const Block block = at->second;
  bytes_ -= block.bytes;
  blocks_.erase(at);
  return block;
}

}  // namespace mini::database
