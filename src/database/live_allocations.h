// Which allocation is live at which address as a recording's events come, and when live bytes were
// the most.
#pragma once

#include <cstdint>
#include <optional>

#include "base/seeded_hash.h"
#include "recording/event.h"

namespace mini::database {

using EventId = std::int64_t;  // 0: none

/// Memory: what is live at once.
class LiveAllocations {
 public:
  struct Peak {
    EventId id = 0;  // of the event that made it
    std::uint64_t bytes = 0;
  };

  /// Returns the allocation that was live there: the free in between is not in the recording.
  EventId allocate(EventId id, Address address, std::uint64_t bytes);
  /// Returns the allocation that it ends.
  EventId free(EventId id, Address address, recording::ThreadNumber thread);
  /// Takes the thread's last free back. Returns its event, or none where the block is live, since
  /// its free was lost; nullopt where the free is not known, or was of another block.
  std::optional<EventId> restore(Address address, recording::ThreadNumber thread);
  /// What was allocated there counts no more, nor did it make the peak unless something has
  /// happened since. Returns that allocation.
  EventId become_pool_memory(Address address);

  const Peak& peak() const { return peak_; }

 private:
  struct Block {
    EventId id = 0;  // of the allocation
    std::uint64_t bytes = 0;
  };
  struct LastFree {
    EventId id = 0;
    Address address;
    Block block;  // id 0: nothing was live there
  };
  void put(Address address, const Block& block);
  Block take(Address address);

  SeededMap<std::uint64_t, Block> blocks_;  // by address
  SeededMap<recording::ThreadNumber, LastFree> last_frees_;
  std::uint64_t bytes_ = 0;
  Peak peak_;
  Peak peak_before_;
  EventId last_id_ = 0;
};

}  // namespace mini::database
