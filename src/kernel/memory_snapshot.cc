#include "kernel/memory_snapshot.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <fstream>
#include <functional>
#include <string>
#include <sys/mman.h>
#include <system_error>
#include <thread>

#include "base/clock.h"
#include "kernel/own_heap.h"
#include "kernel/process_memory.h"

namespace mini::kernel {
namespace {

constexpr std::uint64_t kPieceBytes = 1 << 20;
constexpr unsigned kMostThreads = 4;
constexpr std::uint64_t kWorthAThread = 8
                                        << 20;  // starting one takes as long as copying half a MiB

std::uint64_t total_of(std::span<const AddressRange> ranges) {
  std::uint64_t total = 0;
  for (const AddressRange& range : ranges) total += range.size().count;
  return total;
}

unsigned threads_for(std::uint64_t bytes) {
  const unsigned processors = std::max(1U, std::thread::hardware_concurrency());
  return static_cast<unsigned>(
      std::clamp<std::uint64_t>(bytes / kWorthAThread, 1, std::min(processors, kMostThreads)));
}

/// False where the system lets us have no more threads.
bool add_helper(std::vector<std::jthread>& helpers, const std::function<void()>& work) {
  try {
    helpers.emplace_back(work);
    return true;
  } catch (const std::system_error&) {
    return false;
  }
}

}  // namespace

Bytes MemorySnapshot::most() {
  constexpr std::uint64_t kMost = 1 << 30;
  std::ifstream file("/proc/meminfo");
  std::string name;
  std::string unit;
  for (std::uint64_t kibibytes = 0; file >> name >> kibibytes; std::getline(file, unit)) {
    if (name == "MemAvailable:") return Bytes{std::min(kMost, kibibytes * 1024 / 4)};
  }
  return Bytes{kMost / 4};
}

MemorySnapshot::~MemorySnapshot() {
  if (room_ != nullptr) ::munmap(room_, room_size_);
}

/// In huge pages where there are any: one first touch for five hundred.
void MemorySnapshot::take_room(Bytes size) {
  if (room_ != nullptr) ::munmap(room_, room_size_);
  room_size_ = (size.count + kHugePage - 1) / kHugePage * kHugePage;
  void* const room = ::mmap(nullptr, std::max(room_size_, kHugePage), PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  room_ = room == MAP_FAILED ? nullptr : static_cast<std::byte*>(room);
  if (room_ == nullptr) {
    room_size_ = 0;
    return;
  }
  ::madvise(room_, room_size_, MADV_HUGEPAGE);
}

/// Lays the pieces out, one behind the other; what there is no room for is left out.
void MemorySnapshot::plan(std::span<const AddressRange> ranges) {
  pieces_.clear();
  std::uint64_t used = 0;
  for (const AddressRange& range : ranges) {
    for (Address at = range.begin; at < range.end;) {
      const std::uint64_t size = std::min((range.end - at).count, kPieceBytes);
      if (room_size_ - used < size) return;
      pieces_.push_back({.range = {at, at + Bytes{size}}, .bytes = room_ + used});
      used += size;
      at = at + Bytes{size};
    }
  }
}

void MemorySnapshot::copy_pieces(std::optional<std::uint64_t> deadline_ns) {
  std::atomic<std::size_t> next = 0;
  const auto work = [&] {
    const ProcessMemory memory(pid_);
    for (std::size_t i = next++; i < pieces_.size(); i = next++) {
      if (deadline_ns && monotonic_ns() > *deadline_ns) return;
      Piece& piece = pieces_[i];
      piece.copied = memory.read(piece.range.begin, {piece.bytes, piece.range.size().count});
    }
  };
  std::uint64_t bytes = 0;
  for (const Piece& piece : pieces_) bytes += piece.range.size().count;
  std::vector<std::jthread> helpers;
  const unsigned wanted = threads_for(bytes);
  while (helpers.size() + 1 < wanted && add_helper(helpers, work)) {
  }
  work();
}

void MemorySnapshot::prepare(std::span<const AddressRange> ranges) {
  const std::uint64_t now = total_of(ranges);
  constexpr std::uint64_t kSlack = 4 << 20;  // the process goes on growing
  take_room(Bytes{now + now / 16 + kSlack});
  plan(ranges);
  copy_pieces({});
  pieces_.clear();
}

Bytes MemorySnapshot::copy(std::span<const AddressRange> ranges,
                           std::optional<std::uint64_t> deadline_ns) {
  if (total_of(ranges) > room_size_) take_room(Bytes{total_of(ranges)});
  plan(ranges);
  copy_pieces(deadline_ns);
  Bytes copied;
  for (const Piece& piece : pieces_) copied += Bytes{piece.copied};
  join_pieces();
  return copied;
}

/// What was copied without a gap becomes one: it is searched for each time that memory is read.
void MemorySnapshot::join_pieces() {
  std::vector<Piece> joined;
  for (const Piece& piece : pieces_) {
    Piece* const last = joined.empty() ? nullptr : &joined.back();
    const bool goes_on = last != nullptr && last->copied == last->range.size().count &&
                         last->range.end == piece.range.begin &&
                         last->bytes + last->copied == piece.bytes;
    if (goes_on) {
      last->range.end = piece.range.end;
      last->copied += piece.copied;
    } else {
      joined.push_back(piece);
    }
  }
  pieces_ = std::move(joined);
}

void MemorySnapshot::begin_keeping() {
  pieces_.clear();
  kept_.clear();
  keeps_ = true;
}

Bytes MemorySnapshot::kept() const {
  Bytes sum;
  for (const auto& [begin, kept] : kept_) sum += Bytes{kept.bytes.size()};
  return sum;
}

std::size_t MemorySnapshot::read(Address from, std::span<std::byte> out) const {
  const std::size_t done = read_copied(from, out);
  if (done == out.size() || from.value + done < from.value) return done;
  return done + read_behind(from + Bytes{done}, out.subspan(done));
}

HeldBytes MemorySnapshot::held_around(Address at) const {
  const auto after = std::ranges::upper_bound(pieces_, at, {},
                                              [](const Piece& piece) { return piece.range.begin; });
  if (after == pieces_.begin()) return {};
  const Piece& piece = *std::prev(after);
  if ((at - piece.range.begin).count >= piece.copied) return {};
  return {piece.range.begin, {piece.bytes, piece.copied}};
}

std::size_t MemorySnapshot::read_copied(Address from, std::span<std::byte> out) const {
  std::size_t done = 0;
  while (done < out.size() && from.value + done >= from.value) {
    const Address at = from + Bytes{done};
    const HeldBytes held = held_around(at);
    if (held.bytes.empty()) break;
    const auto here = held.bytes.subspan((at - held.begin).count);
    const std::size_t count = std::min(out.size() - done, here.size());
    std::memcpy(out.data() + done, here.data(), count);
    done += count;
  }
  return done;
}

/// The same question is answered as it was while reads were kept, and so is one about bytes that
/// were read then. Behind the first unreadable byte of an old answer there may be readable ones.
std::size_t MemorySnapshot::read_behind(Address from, std::span<std::byte> out) const {
  const auto after = kept_.upper_bound(from);
  if (after != kept_.begin()) {
    const auto& [begin, kept] = *std::prev(after);
    const std::uint64_t offset = (from - begin).count;
    const std::uint64_t left = offset < kept.bytes.size() ? kept.bytes.size() - offset : 0;
    if (left >= out.size() || (offset == 0 && out.size() == kept.asked)) {
      const std::size_t count = std::min<std::uint64_t>(out.size(), left);
      std::copy_n(kept.bytes.begin() + static_cast<std::ptrdiff_t>(offset), count, out.begin());
      return count;
    }
  }
  const std::size_t count = behind_.read(from, out);
  if (keeps_) {
    Kept& kept = kept_[from];
    if (kept.asked < out.size()) {
      kept = {out.size(), {out.begin(), out.begin() + static_cast<std::ptrdiff_t>(count)}};
    }
  }
  return count;
}

}  // namespace mini::kernel
