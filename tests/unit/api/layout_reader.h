// Reads the blocks of another process: by layout.h, the note, and nothing else.
//
// The steps are those of docs/minimalloc-layout.md. A reader for real use needs more care with what
// a hostile process may claim; this one trusts its target.
#pragma once

#include <cstdint>
#include <minimalloc/layout.h>
#include <optional>
#include <string>
#include <sys/types.h>
#include <unordered_set>
#include <vector>

namespace mini::api {

/// Memory of a process, by its addresses.
class RemoteMemory {
 public:
  explicit RemoteMemory(pid_t pid) : pid_(pid) {}

  /// False, and *out zero-filled, where not all of it can be read.
  bool read(std::uint64_t address, void* out, std::size_t bytes) const;
  template <typename T>
  T get(std::uint64_t address) const {
    T value{};
    read(address, &value, sizeof value);
    return value;
  }

 private:
  pid_t pid_;
};

struct RemoteBlock {
  enum class State : std::uint8_t { kLive, kCached, kInDepot, kFree };
  std::uint64_t address = 0;
  std::uint64_t usable_bytes = 0;
  State state = State::kLive;
  std::uint32_t heap = 0;
  std::uint32_t size_class = 0;

  friend bool operator==(const RemoteBlock&, const RemoteBlock&) = default;
};

class LayoutReader {
 public:
  /// Finds the layout of a process; nullopt where it has none.
  static std::optional<LayoutReader> find(pid_t pid);

  const minimalloc_layout_table& table() const { return table_; }
  /// All blocks of all heaps, in no particular order.
  std::vector<RemoteBlock> blocks() const;
  /// What is counted: the target's own opinion.
  std::uint32_t used_pages() const { return get<std::uint32_t>(table_.used_pages); }
  std::uint32_t cached_pages() const { return get<std::uint32_t>(table_.cached_pages); }
  /// Of those of the used pages that are free on shelves.
  std::uint32_t pages_on_shelves() const;
  /// Pages of the spans of that kind, counted.
  std::uint32_t pages_of_kind(std::uint8_t kind) const;
  std::uint32_t thread_count() const { return get<std::uint32_t>(table_.thread_count); }
  std::string heap_name(std::uint32_t id) const;

 private:
  using Addresses = std::unordered_set<std::uint64_t>;
  using Record = std::vector<std::byte>;

  LayoutReader(RemoteMemory memory, const minimalloc_layout_table& table)
      : memory_(memory), table_(table) {}

  template <typename T>
  T get(minimalloc_address at) const {
    return memory_.get<T>(reinterpret_cast<std::uint64_t>(at));
  }
  Record read_record(std::uint64_t address, std::size_t bytes) const;
  std::vector<std::uint64_t> heaps() const;
  void add_cached(Addresses& out) const;
  void add_depots(Addresses& out) const;
  void add_span(const std::byte* span, const Addresses& cached, const Addresses& in_depots,
                std::vector<RemoteBlock>& out) const;
  void add_pools(std::vector<RemoteBlock>& out) const;

  RemoteMemory memory_;
  minimalloc_layout_table table_;
};

}  // namespace mini::api
