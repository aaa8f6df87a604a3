// The kernel as src/kernel/vm/vm.h offers it, for tests: real memory, but answers by order.
//
// A test program links fake_vm.cc instead of the module kernel/vm. Pages are real and the addresses
// are those asked for, so blocks can be written; whether a call succeeds, what lies in the way,
// what the clock says and how the system treats huge pages, the test decides. A call that breaks
// the interface's own rules (an address of somebody else, half a page) ends the program.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "kernel/vm/vm.h"
#include "support/address_ranges.h"

namespace mini::test {

/// What can fail.
enum class VmCall : std::uint8_t {
  kMapAt,
  kReserve,
  kMapOver,
  kLengthen,
  kUnmap,
  kDiscard,
  kPopulate,
  kAllowHuge,
  kMovePages,
  kBreakUp,
};
inline constexpr std::size_t kVmCallCount = 10;
inline constexpr std::array kVmCalls = {
    VmCall::kMapAt,   VmCall::kReserve,  VmCall::kMapOver,   VmCall::kLengthen,  VmCall::kUnmap,
    VmCall::kDiscard, VmCall::kPopulate, VmCall::kAllowHuge, VmCall::kMovePages, VmCall::kBreakUp};
const char* name(VmCall call);

struct VmRecord {
  VmCall call;
  std::byte* at = nullptr;
  std::size_t bytes = 0;
  bool succeeded = false;
  bool allow = false;  // of kAllowHuge
};

/// Thread-safe. One exists: fake_vm().
class FakeVm {
 public:
  /// Forgets all that was asked and ordered, and unmaps everything: as at the start of a process on
  /// a machine that gives all.
  void reset();

  /// Says of each call whether it fails: by its kind, its number among its kind and its number
  /// among all, both from 1 on since this was set.
  using Failure = std::function<bool(VmCall call, std::uint64_t of_kind, std::uint64_t of_all)>;
  void fail_where(Failure failure);
  void fail_all_of(VmCall call);
  void fail_nth(VmCall call, std::uint64_t n);
  void fail_never() { fail_where(nullptr); }

  /// A range that somebody else has.
  void occupy(const void* at, std::size_t bytes);
  /// Whether map_at() finds no place at all, as where a sanitizer owns most addresses.
  void refuse_places(bool refuse);
  /// As RLIMIT_AS would, but for what reserve() holds.
  void limit_mapped(std::size_t bytes);
  /// As vm.max_map_count would, where so many of ours are all that a process may have: then nothing
  /// can be mapped, not even what would be part of one of them.
  void limit_mappings(std::size_t count);

  /// Where a move_pages() that fails does so: by default after it has unmapped the target, as Linux
  /// before 6.17; after it has moved so many bytes, as later ones may; or at once.
  static constexpr std::size_t kAtOnce = SIZE_MAX;
  void fail_moves_after(std::size_t moved_bytes);
  /// Whether the kernel discards several ranges by one call.
  void discard_many_at_once(bool can);
  void set_huge_pages(kernel::vm::HugePages mode);
  void set_now(std::uint64_t ns);
  void advance(std::uint64_t ns);
  /// What populating a page takes by the clock.
  void set_populate_ns(std::uint64_t ns_a_page);
  /// The same of the pages of what was allowed last to be huge.
  void set_huge_populate_ns(std::uint64_t ns_a_page);

  std::uint64_t count(VmCall call);
  /// Calls since the last forget_records(), oldest first.
  std::vector<VmRecord> records();
  std::vector<VmRecord> records(VmCall call);
  void forget_records();
  /// What was written to standard error; it goes there too.
  std::string errors();

  std::size_t mapped_bytes();
  std::vector<std::pair<std::byte*, std::size_t>> mapped_ranges();
  /// Pages of [at, at + bytes) that have memory, by the real kernel's word.
  static std::size_t resident_pages(const void* at, std::size_t bytes);

  // What the functions of vm.h do.
  kernel::vm::MapResult map_at(void* at, std::size_t bytes);
  void* reserve(std::size_t bytes);
  kernel::vm::MapResult map_over(void* at, std::size_t bytes);
  bool lengthen(void* end, std::size_t bytes);
  bool unmap(void* at, std::size_t bytes);
  bool discard(void* at, std::size_t bytes);
  bool discards_many_at_once();
  std::uint32_t discard_all(const kernel::vm::Range* ranges, std::uint32_t count);
  bool populate(void* at, std::size_t bytes);
  bool allow_huge_pages(void* at, std::size_t bytes, bool allow);
  bool break_up_huge_page(void* page, std::size_t bytes);
  static std::uint32_t resident_share(const void* at, std::size_t bytes);
  bool move_pages(void* from, void* to, std::size_t bytes);
  std::size_t mapped_bytes(void* at, std::size_t bytes);
  kernel::vm::HugePages huge_pages();
  std::uint64_t now_ns();
  void write_error(const char* text, std::size_t length);

  /// Held around fork(), so that the child's is in order.
  std::mutex& mutex() { return mutex_; }

 private:
  bool fails(VmCall call);
  bool has_room(std::size_t bytes) const;
  bool may_map(std::size_t bytes) const;
  void note(const VmRecord& record);

  std::mutex mutex_;
  AddressRanges ranges_;
  Failure failure_;
  std::array<std::uint64_t, kVmCallCount> since_failure_set_{};
  std::uint64_t all_since_failure_set_ = 0;
  std::array<std::uint64_t, kVmCallCount> counts_{};
  std::vector<VmRecord> records_;
  std::string errors_;
  std::size_t mapped_limit_ = SIZE_MAX;
  std::size_t mapping_limit_ = SIZE_MAX;
  bool refuses_places_ = false;
  bool discards_many_ = true;
  std::size_t moved_before_failing_ = 0;
  kernel::vm::HugePages huge_pages_ = kernel::vm::HugePages::kOnAdvice;
  std::uint64_t now_ns_ = 0;
  std::uint64_t populate_ns_a_page_ = 0;
  std::uint64_t huge_populate_ns_a_page_ = 0;
  const std::byte* last_huge_ = nullptr;
};

FakeVm& fake_vm();

/// Whether memory can be had at addresses of our choice: a thread sanitizer owns most of them.
#if defined(__SANITIZE_THREAD__)
inline constexpr bool kPlacesAreOurs = false;
#else
inline constexpr bool kPlacesAreOurs = true;
#endif

}  // namespace mini::test
