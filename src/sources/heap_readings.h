// What readings of the heap of a process that runs have in common.
//
// A thread that is stopped in the middle of malloc leaves places that do not fit together, most
// often where it has just touched a page for the first time: the stop comes when the kernel returns
// from that fault. Such places are gone when the process has run on; damage stays. What a program
// does in a loop may leave the same place again and again, but at the same instruction each time.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <tuple>
#include <vector>

#include "model/inspection.h"

namespace mini::sources {

/// Whether some damage is in an arena that no thread was changing, as one reading tells: where
/// there are several threads, who changes an arena has its lock.
bool has_damage_at_rest(const model::Heap& heap, std::span<const model::InspectedThread> threads);

class HeapReadings {
 public:
  /// So many tell all that readings can tell.
  static constexpr std::uint32_t kMost = 8;

  /// One more, all of one moment; between the last one and this the process was let run. It counts
  /// where a thread went on meanwhile.
  void add(const model::Heap& heap, std::span<const model::InspectedThread> threads);

  std::uint32_t count() const { return count_; }
  /// Whether another one would add nothing: in the last one all fits together, or no thread was
  /// changing anything, or there is damage beyond doubt.
  bool is_settled() const;
  /// Whether something may be damage: it was there nearly each time.
  bool has_suspects() const;

  /// Leaves of the last reading, which `inspection` has, what is no motion, and says how sure that
  /// is. REQUIRES: there was one.
  void conclude(model::Inspection& inspection) const;

 private:
  using Place = std::tuple<Address, std::string, std::string>;  // where, which field, its content
  struct Seen {
    std::uint32_t times = 0;
    std::uint32_t last = 0;           // the reading
    bool was_unlocked = false;        // no thread was changing the arena that it is in
    std::vector<std::uint64_t> code;  // that threads were at each time, sorted
  };

  static Place place_of(const model::HeapDamage& damage);
  static Place place_of(const model::HeapCounter& counter);
  static bool is_counter(const Place& place) { return std::get<Address>(place) == Address{}; }
  Seen& note(const Place& place);
  bool is_often(const Seen& seen) const;
  bool has_proven() const;
  bool is_kept(const model::HeapDamage& damage) const;
  bool was_always(const model::HeapCounter& counter) const;

  std::uint32_t count_ = 0;
  bool is_clean_ = true;  // the last one
  bool is_new_ = false;   // all that it has is tops that are not written yet
  bool waits_ = false;    // every thread did, at the last one
  std::vector<std::uint64_t> code_;
  std::map<std::int64_t, std::vector<std::uint64_t>> registers_;  // of threads that do not wait
  std::map<Place, Seen> seen_;
};

}  // namespace mini::sources
