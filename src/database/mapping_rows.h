// Which pages a program had mapped, from which event to which, as rows.
#pragma once

#include <cstdint>
#include <functional>
#include <utility>

#include "recording/event.h"
#include "recording/mapped_ranges.h"

namespace mini::database {

/// Pages of one range that were mapped, and went, together.
struct MappingRow {
  Address address{};
  Bytes bytes{};
  recording::StackNumber stack = 0;  // who mapped it, also where mremap moved it since
  std::int64_t begun_id = 0;
  std::int64_t ended_id = 0;  // 0: it is still there
};

/// Follows the events of mappings. A range that goes in parts, or that another one is mapped over
/// in part, becomes several rows. Memory: what is mapped at once.
class MappingRows {
 public:
  using Take = std::function<void(const MappingRow&)>;
  /// `take` gets each row as it ends, and in finish() those that are left.
  explicit MappingRows(Take take) : take_(std::move(take)) {}

  /// `id`: a number of the event, above 0 and larger than that of the one before.
  void add(const recording::Mapping& event, std::int64_t id);
  void finish();

 private:
  struct Begin {
    recording::StackNumber stack = 0;
    std::int64_t id = 0;  // 0: of no range
  };

  void give(const Begin& begin, AddressRange range, std::int64_t ended_id);

  Take take_;
  recording::MappedRanges<Begin> ranges_;
  recording::LastUnmapped<Begin> last_unmapped_;
};

}  // namespace mini::database
