#include "database/mapping_rows.h"

namespace mini::database {

void MappingRows::add(const recording::Mapping& event, std::int64_t id) {
  const auto gone = [this, id](const Begin& begin, AddressRange range) { give(begin, range, id); };
  using Operation = recording::Mapping::Operation;
  const auto unmapped = last_unmapped_.take(event);
  switch (event.operation) {
    case Operation::kMap:
      ranges_.map(event.address, event.bytes, {.stack = event.stack, .id = id}, gone);
      break;
    case Operation::kUnmap:
      last_unmapped_.keep(event, ranges_);
      ranges_.unmap(event.address, event.bytes, gone);
      break;
    case Operation::kRemap: {
      if (unmapped && is_in_place(event)) {
        for (const auto& [old, part] : unmapped->parts) {
          ranges_.map(part.begin, part.size(), {.stack = old.stack, .id = id}, gone);
        }
        break;
      }
      const Begin old = unmapped ? unmapped->owner() : ranges_.owner_of(event.old_address);
      const recording::StackNumber stack = old.id != 0 ? old.stack : event.stack;
      if (!unmapped) ranges_.unmap(event.old_address, event.old_bytes, gone);
      ranges_.map(event.address, event.bytes, {.stack = stack, .id = id}, gone);
      break;
    }
    case Operation::kDiscard:
      break;  // it stays mapped
  }
}

void MappingRows::finish() {
  ranges_.unmap(Address{0}, Bytes{UINT64_MAX},
                [this](const Begin& begin, AddressRange range) { give(begin, range, 0); });
}

void MappingRows::give(const Begin& begin, AddressRange range, std::int64_t ended_id) {
  take_({.address = range.begin,
         .bytes = range.size(),
         .stack = begin.stack,
         .begun_id = begin.id,
         .ended_id = ended_id});
}

}  // namespace mini::database
