// A process's slot of the channel, and threads that tell on its rings.
#pragma once

#include <algorithm>
#include <gtest/gtest.h>
#include <initializer_list>

#include "kernel/shared_file.h"
#include "wire/record.h"
#include "wire/ring.h"

namespace mini::sources {

class SlotTest : public testing::Test {
 protected:
  wire::RingWriter ring(std::uint32_t number) {
    wire::RingHead& head = view_.ring(number);
    head.tid = 100 + number;
    head.state = wire::RingState::kOwned;
    view_.slot().rings_taken = std::max(view_.slot().rings_taken.load(), number + 1);
    return {head, view_.words(number)};
  }
  static void put(wire::RingWriter& ring, std::initializer_list<std::uint64_t> words) {
    for (const std::uint64_t word : words) ring.put(word);
    ring.publish();
  }
  static void free(wire::RingWriter& ring, std::uint64_t time, std::uint64_t address) {
    put(ring, {wire::record_word(wire::RecordKind::kTime, time),
               wire::block_word(wire::RecordKind::kFree, address)});
  }

  Result<kernel::SharedFile> file_ = kernel::SharedFile::create("test", wire::kSlotBytes);
  kernel::SharedMapping mapping_ = *file_->map(0, wire::kSlotBytes);
  wire::SlotView view_{mapping_.begin()};
};

}  // namespace mini::sources
