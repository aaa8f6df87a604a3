// Parts of a process's memory as they were while it was stopped, copied so quickly that it need not
// stand still for long.
//
// process_vm_readv pins and copies page after page: some 0.2 ms a MiB, so several threads share the
// work. Far dearer is the first touch of each page, theirs and ours; so all of it is copied once
// before the process is stopped, and what that copy holds does not matter.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <sys/types.h>
#include <vector>

#include "base/memory_view.h"

namespace mini::kernel {

/// Reads from the copy; what is not in it, from `behind`, the process as it is now. Not
/// thread-safe.
class MemorySnapshot final : public MemoryView {
 public:
  MemorySnapshot(pid_t pid, const MemoryReader& behind) : pid_(pid), behind_(behind) {}
  ~MemorySnapshot() override;

  /// How much to copy at most: a gibibyte, and a quarter of what is free on this machine.
  static Bytes most();

  /// To be called while the process runs, with about the ranges that will be copied.
  void prepare(std::span<const AddressRange> ranges);

  /// Copies the ranges in their order, as far as it gets by then; once. Returns how much that was.
  /// REQUIRES: the ranges are sorted and disjoint.
  Bytes copy(std::span<const AddressRange> ranges, std::optional<std::uint64_t> deadline_ns);

  /// Forgets all that it has; from now on what is read stays as it was read.
  void begin_keeping();
  void end_keeping() { keeps_ = false; }
  /// How much that was.
  Bytes kept() const;

  std::size_t read(Address from, std::span<std::byte> out) const override;
  HeldBytes held_around(Address at) const override;

 private:
  /// A piece of one range, and where its copy is; once copied, as much of it as has no gap.
  struct Piece {
    AddressRange range;
    std::byte* bytes = nullptr;
    std::size_t copied = 0;
  };

  void take_room(Bytes size);
  void plan(std::span<const AddressRange> ranges);
  void copy_pieces(std::optional<std::uint64_t> deadline_ns);
  void join_pieces();
  std::size_t read_copied(Address from, std::span<std::byte> out) const;
  std::size_t read_behind(Address from, std::span<std::byte> out) const;

  pid_t pid_;
  const MemoryReader& behind_;
  std::byte* room_ = nullptr;
  std::size_t room_size_ = 0;
  std::vector<Piece> pieces_;  // by address
  bool keeps_ = false;
  struct Kept {
    std::size_t asked = 0;
    std::vector<std::byte> bytes;
  };
  mutable std::map<Address, Kept> kept_;
};

}  // namespace mini::kernel
