#include "support/fake_vm.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace mini::test {
namespace {

using kernel::vm::MapResult;
using Use = AddressRanges::Use;

constexpr std::size_t kPage = 4096;
constexpr std::uint64_t kFirstNow = 1'000'000'000'000;
constexpr int kReadWrite = PROT_READ | PROT_WRITE;
constexpr int kAnonymous = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;

std::byte* byte_pointer(const void* p) {
  return const_cast<std::byte*>(static_cast<const std::byte*>(p));
}

void require(bool holds, const char* rule, const void* at, std::size_t bytes) {
  if (holds) return;
  std::fprintf(stderr, "fake_vm: %s: %p, %zu bytes\n", rule, at, bytes);
  std::abort();
}

void require_pages(const void* at, std::size_t bytes) {
  require(reinterpret_cast<std::uintptr_t>(at) % kPage == 0 && bytes % kPage == 0 && bytes != 0,
          "not whole pages", at, bytes);
}

// Not through libc's wrappers: a sanitizer keeps books of those, a terabyte long here. Pages are
// small whatever the system is set to: which of them have memory is for the test to know.
void* real_map(void* at, std::size_t bytes, int protection, int flags) {
  // NOLINTNEXTLINE(google-runtime-int)
  const long result = ::syscall(SYS_mmap, at, bytes, protection, kAnonymous | flags, -1, 0);
  if (result == -1) return nullptr;
  ::syscall(SYS_madvise, result, bytes, MADV_NOHUGEPAGE);
  return reinterpret_cast<void*>(result);
}

bool real_unmap(void* at, std::size_t bytes) {
  return ::syscall(SYS_munmap, at, bytes) == 0;
}

bool real_advice(void* at, std::size_t bytes, int advice) {
  return ::syscall(SYS_madvise, at, bytes, advice) == 0;
}

}  // namespace

const char* name(VmCall call) {
  static constexpr std::array<const char*, kVmCallCount> kNames = {
      "map_at",  "reserve",  "map_over",   "lengthen",   "unmap",
      "discard", "populate", "allow_huge", "move_pages", "break_up"};
  return kNames[static_cast<std::size_t>(call)];
}

FakeVm& fake_vm() {
  static FakeVm vm;
  static const int at_fork = [] {
    return ::pthread_atfork([] { vm.mutex().lock(); }, [] { vm.mutex().unlock(); },
                            [] { vm.mutex().unlock(); });
  }();
  static_cast<void>(at_fork);
  return vm;
}

void FakeVm::reset() {
  const std::scoped_lock locked(mutex_);
  for (const auto& [at, range] : ranges_.all()) {
    if (range.use != Use::kOccupied) real_unmap(at, range.bytes);
  }
  ranges_ = {};
  failure_ = nullptr;
  since_failure_set_ = {};
  all_since_failure_set_ = 0;
  counts_ = {};
  records_.clear();
  errors_.clear();
  mapped_limit_ = mapping_limit_ = SIZE_MAX;
  refuses_places_ = !kPlacesAreOurs;
  huge_pages_ = kernel::vm::HugePages::kOnAdvice;
  discards_many_ = true;
  moved_before_failing_ = 0;
  now_ns_ = kFirstNow;
  populate_ns_a_page_ = huge_populate_ns_a_page_ = 0;
  last_huge_ = nullptr;
}

void FakeVm::fail_where(Failure failure) {
  const std::scoped_lock locked(mutex_);
  failure_ = std::move(failure);
  since_failure_set_ = {};
  all_since_failure_set_ = 0;
}

void FakeVm::fail_all_of(VmCall call) {
  fail_where([call](VmCall made, std::uint64_t, std::uint64_t) { return made == call; });
}

void FakeVm::fail_nth(VmCall call, std::uint64_t n) {
  fail_where([call, n](VmCall made, std::uint64_t of_kind, std::uint64_t) {
    return made == call && of_kind == n;
  });
}

void FakeVm::occupy(const void* at, std::size_t bytes) {
  const std::scoped_lock locked(mutex_);
  require(ranges_.is_free(byte_pointer(at), bytes), "occupies what is in use", at, bytes);
  ranges_.set(byte_pointer(at), bytes, Use::kOccupied);
}

void FakeVm::refuse_places(bool refuse) {
  const std::scoped_lock locked(mutex_);
  refuses_places_ = refuse || !kPlacesAreOurs;
}

void FakeVm::limit_mapped(std::size_t bytes) {
  const std::scoped_lock locked(mutex_);
  mapped_limit_ = bytes;
}

void FakeVm::limit_mappings(std::size_t count) {
  const std::scoped_lock locked(mutex_);
  mapping_limit_ = count;
}

void FakeVm::set_huge_pages(kernel::vm::HugePages mode) {
  const std::scoped_lock locked(mutex_);
  huge_pages_ = mode;
}

void FakeVm::set_now(std::uint64_t ns) {
  const std::scoped_lock locked(mutex_);
  now_ns_ = ns;
}

void FakeVm::advance(std::uint64_t ns) {
  const std::scoped_lock locked(mutex_);
  now_ns_ += ns;
}

void FakeVm::set_populate_ns(std::uint64_t ns_a_page) {
  const std::scoped_lock locked(mutex_);
  populate_ns_a_page_ = ns_a_page;
}

void FakeVm::set_huge_populate_ns(std::uint64_t ns_a_page) {
  const std::scoped_lock locked(mutex_);
  huge_populate_ns_a_page_ = ns_a_page;
}

std::uint64_t FakeVm::count(VmCall call) {
  const std::scoped_lock locked(mutex_);
  return counts_[static_cast<std::size_t>(call)];
}

std::vector<VmRecord> FakeVm::records() {
  const std::scoped_lock locked(mutex_);
  return records_;
}

std::vector<VmRecord> FakeVm::records(VmCall call) {
  std::vector<VmRecord> all = records();
  std::erase_if(all, [call](const VmRecord& record) { return record.call != call; });
  return all;
}

void FakeVm::forget_records() {
  const std::scoped_lock locked(mutex_);
  records_.clear();
}

std::string FakeVm::errors() {
  const std::scoped_lock locked(mutex_);
  return errors_;
}

std::size_t FakeVm::mapped_bytes() {
  const std::scoped_lock locked(mutex_);
  return ranges_.bytes(Use::kMapped);
}

std::vector<std::pair<std::byte*, std::size_t>> FakeVm::mapped_ranges() {
  const std::scoped_lock locked(mutex_);
  std::vector<std::pair<std::byte*, std::size_t>> result;
  for (const auto& [at, range] : ranges_.all()) {
    if (range.use == Use::kMapped) result.emplace_back(at, range.bytes);
  }
  return result;
}

std::size_t FakeVm::resident_pages(const void* at, std::size_t bytes) {
  std::vector<unsigned char> pages(bytes / kPage);
  require(::syscall(SYS_mincore, at, bytes, pages.data()) == 0, "not mapped", at, bytes);
  return static_cast<std::size_t>(
      std::count_if(pages.begin(), pages.end(), [](unsigned char p) { return (p & 1) != 0; }));
}

MapResult FakeVm::map_at(void* at, std::size_t bytes) {
  const std::scoped_lock locked(mutex_);
  require_pages(at, bytes);
  VmRecord record{.call = VmCall::kMapAt, .at = byte_pointer(at), .bytes = bytes};
  MapResult result = MapResult::kMapped;
  if (fails(VmCall::kMapAt) || refuses_places_ || !may_map(bytes)) {
    result = MapResult::kRefused;
  } else if (!ranges_.is_free(record.at, bytes) ||
             real_map(at, bytes, kReadWrite, 0x100000) != at) {
    result = MapResult::kTaken;
  } else {
    ranges_.set(record.at, bytes, Use::kMapped);
  }
  record.succeeded = result == MapResult::kMapped;
  note(record);
  return result;
}

void* FakeVm::reserve(std::size_t bytes) {
  const std::scoped_lock locked(mutex_);
  VmRecord record{.call = VmCall::kReserve, .bytes = bytes};
  if (!fails(VmCall::kReserve) && may_map(0)) {
    record.at = static_cast<std::byte*>(real_map(nullptr, bytes, PROT_NONE, 0));
    record.succeeded = record.at != nullptr;
    if (record.succeeded) ranges_.set(record.at, bytes, Use::kReserved);
  }
  note(record);
  return record.at;
}

MapResult FakeVm::map_over(void* at, std::size_t bytes) {
  const std::scoped_lock locked(mutex_);
  require_pages(at, bytes);
  VmRecord record{.call = VmCall::kMapOver, .at = byte_pointer(at), .bytes = bytes};
  // It may replace what is mapped, but an allocator has no reason to: that would be its own memory.
  require(ranges_.is_all(Use::kReserved, record.at, bytes), "map_over() of no reservation", at,
          bytes);
  record.succeeded = !fails(VmCall::kMapOver) && may_map(bytes) &&
                     real_map(at, bytes, kReadWrite, MAP_FIXED) == at;
  if (record.succeeded) ranges_.set(record.at, bytes, Use::kMapped);
  note(record);
  return record.succeeded ? MapResult::kMapped : MapResult::kRefused;
}

bool FakeVm::lengthen(void* end, std::size_t bytes) {
  const std::scoped_lock locked(mutex_);
  require_pages(end, bytes);
  VmRecord record{.call = VmCall::kLengthen, .at = byte_pointer(end), .bytes = bytes};
  require(ranges_.is_all(Use::kMapped, record.at - kPage, kPage),
          "lengthen() of what is not mapped", end, bytes);
  record.succeeded = !fails(VmCall::kLengthen) && ranges_.is_free(record.at, bytes) &&
                     has_room(bytes) && real_map(end, bytes, kReadWrite, 0x100000) == end;
  if (record.succeeded) ranges_.set(record.at, bytes, Use::kMapped);
  note(record);
  return record.succeeded;
}

bool FakeVm::unmap(void* at, std::size_t bytes) {
  const std::scoped_lock locked(mutex_);
  require_pages(at, bytes);
  VmRecord record{.call = VmCall::kUnmap, .at = byte_pointer(at), .bytes = bytes};
  record.succeeded = !fails(VmCall::kUnmap) && real_unmap(at, bytes);
  if (record.succeeded) ranges_.erase(record.at, bytes);
  note(record);
  return record.succeeded;
}

bool FakeVm::discard(void* at, std::size_t bytes) {
  const std::scoped_lock locked(mutex_);
  require_pages(at, bytes);
  VmRecord record{.call = VmCall::kDiscard, .at = byte_pointer(at), .bytes = bytes};
  require(ranges_.is_all(Use::kMapped, record.at, bytes), "discard() of what is not mapped", at,
          bytes);
  record.succeeded = !fails(VmCall::kDiscard) && real_advice(at, bytes, MADV_DONTNEED);
  note(record);
  return record.succeeded;
}

void FakeVm::discard_many_at_once(bool can) {
  const std::scoped_lock locked(mutex_);
  discards_many_ = can;
}

bool FakeVm::discards_many_at_once() {
  const std::scoped_lock locked(mutex_);
  return discards_many_;
}

std::uint32_t FakeVm::discard_all(const kernel::vm::Range* ranges, std::uint32_t count) {
  std::uint32_t done = 0;
  while (done < count && discard(ranges[done].at, ranges[done].bytes)) ++done;
  return done;
}

bool FakeVm::populate(void* at, std::size_t bytes) {
  const std::scoped_lock locked(mutex_);
  require_pages(at, bytes);
  VmRecord record{.call = VmCall::kPopulate, .at = byte_pointer(at), .bytes = bytes};
  require(ranges_.is_all(Use::kMapped, record.at, bytes), "populate() of what is not mapped", at,
          bytes);
  record.succeeded = !fails(VmCall::kPopulate);
  if (record.succeeded && !real_advice(at, bytes, MADV_POPULATE_WRITE)) {
    for (std::size_t i = 0; i < bytes; i += kPage) {
      std::byte* const byte = record.at + i;
      *static_cast<volatile std::byte*>(byte) = *byte;
    }
  }
  if (record.succeeded) {
    now_ns_ +=
        bytes / kPage * (record.at == last_huge_ ? huge_populate_ns_a_page_ : populate_ns_a_page_);
  }
  note(record);
  return record.succeeded;
}

bool FakeVm::allow_huge_pages(void* at, std::size_t bytes, bool allow) {
  const std::scoped_lock locked(mutex_);
  require_pages(at, bytes);
  VmRecord record{
      .call = VmCall::kAllowHuge, .at = byte_pointer(at), .bytes = bytes, .allow = allow};
  record.succeeded = !fails(VmCall::kAllowHuge) &&
                     ranges_.is_all(Use::kMapped, record.at, bytes);  // as the kernel
  if (record.succeeded && allow) last_huge_ = record.at;
  note(record);
  return record.succeeded;
}

bool FakeVm::break_up_huge_page(void* page, std::size_t bytes) {
  const std::scoped_lock locked(mutex_);
  require_pages(page, bytes);
  VmRecord record{.call = VmCall::kBreakUp, .at = byte_pointer(page), .bytes = bytes};
  require(ranges_.is_all(Use::kMapped, record.at, bytes), "breaks up what is not mapped", page,
          bytes);
  record.succeeded = !fails(VmCall::kBreakUp);
  note(record);
  return record.succeeded;
}

std::uint32_t FakeVm::resident_share(const void* at, std::size_t bytes) {
  return static_cast<std::uint32_t>(resident_pages(at, bytes) * 256 / (bytes / kPage));
}

bool FakeVm::move_pages(void* from, void* to, std::size_t bytes) {
  const std::scoped_lock locked(mutex_);
  require_pages(from, bytes);
  require_pages(to, bytes);
  require(ranges_.is_all(Use::kMapped, byte_pointer(from), bytes), "moves no pages of ours", from,
          bytes);
  require(ranges_.is_all(Use::kMapped, byte_pointer(to), bytes), "moves to no pages of ours", to,
          bytes);
  VmRecord record{.call = VmCall::kMovePages, .at = byte_pointer(from), .bytes = bytes};
  record.succeeded = !fails(VmCall::kMovePages);
  const std::size_t moved =
      record.succeeded ? bytes : (moved_before_failing_ == kAtOnce ? 0 : moved_before_failing_);
  if (moved != 0) {
    std::memcpy(to, from, moved);
    require(real_advice(from, moved, MADV_DONTNEED), "cannot be emptied", from, moved);
  }
  if (!record.succeeded && moved_before_failing_ != kAtOnce) {
    std::byte* const gone = byte_pointer(to) + moved;
    require(real_map(gone, bytes - moved, PROT_NONE, MAP_FIXED) == gone, "cannot be unmapped", gone,
            bytes - moved);
    ranges_.set(gone, bytes - moved, Use::kReserved);
  }
  note(record);
  return record.succeeded;
}

void FakeVm::fail_moves_after(std::size_t moved_bytes) {
  const std::scoped_lock locked(mutex_);
  moved_before_failing_ = moved_bytes;
}

std::size_t FakeVm::mapped_bytes(void* at, std::size_t bytes) {
  const std::scoped_lock locked(mutex_);
  std::size_t mapped = 0;
  while (mapped < bytes && ranges_.is_all(Use::kMapped, byte_pointer(at) + mapped, kPage)) {
    mapped += kPage;
  }
  return mapped;
}

kernel::vm::HugePages FakeVm::huge_pages() {
  const std::scoped_lock locked(mutex_);
  return huge_pages_;
}

std::uint64_t FakeVm::now_ns() {
  const std::scoped_lock locked(mutex_);
  return now_ns_;
}

void FakeVm::write_error(const char* text, std::size_t length) {
  const std::scoped_lock locked(mutex_);
  errors_.append(text, length);
  static_cast<void>(!::write(STDERR_FILENO, text, length));
}

bool FakeVm::fails(VmCall call) {
  const auto kind = static_cast<std::size_t>(call);
  ++counts_[kind];
  ++since_failure_set_[kind];
  ++all_since_failure_set_;
  return failure_ && failure_(call, since_failure_set_[kind], all_since_failure_set_);
}

bool FakeVm::has_room(std::size_t bytes) const {
  return ranges_.bytes(Use::kMapped) + bytes <= mapped_limit_;
}

bool FakeVm::may_map(std::size_t bytes) const {
  return has_room(bytes) && ranges_.all().size() < mapping_limit_;
}

void FakeVm::note(const VmRecord& record) {
  constexpr std::size_t kMostRecords = 1 << 16;  // a test that makes more does not look at them
  if (records_.size() < kMostRecords) records_.push_back(record);
}

}  // namespace mini::test

// The interface itself.
namespace mini::kernel::vm {

MapResult map_at(void* at, std::size_t bytes) {
  return test::fake_vm().map_at(at, bytes);
}
void* reserve(std::size_t bytes) {
  return test::fake_vm().reserve(bytes);
}
MapResult map_over(void* at, std::size_t bytes) {
  return test::fake_vm().map_over(at, bytes);
}
bool lengthen(void* end, std::size_t bytes) {
  return test::fake_vm().lengthen(end, bytes);
}
bool unmap(void* at, std::size_t bytes) {
  return test::fake_vm().unmap(at, bytes);
}
bool discard(void* at, std::size_t bytes) {
  return test::fake_vm().discard(at, bytes);
}
bool discards_many_at_once() {
  return test::fake_vm().discards_many_at_once();
}
std::uint32_t discard_all(const Range* ranges, std::uint32_t count) {
  return test::fake_vm().discard_all(ranges, count);
}
bool populate(void* at, std::size_t bytes) {
  return test::fake_vm().populate(at, bytes);
}
bool allow_huge_pages(void* at, std::size_t bytes, bool allow) {
  return test::fake_vm().allow_huge_pages(at, bytes, allow);
}
bool break_up_huge_page(void* page, std::size_t bytes) {
  return test::fake_vm().break_up_huge_page(page, bytes);
}
std::uint32_t resident_share(const void* at, std::size_t bytes) {
  return test::FakeVm::resident_share(at, bytes);
}
bool move_pages(void* from, void* to, std::size_t bytes) {
  return test::fake_vm().move_pages(from, to, bytes);
}
std::size_t mapped_bytes(void* at, std::size_t bytes) {
  return test::fake_vm().mapped_bytes(at, bytes);
}
HugePages huge_pages() {
  return test::fake_vm().huge_pages();
}
std::uint64_t coarse_now_ns() {
  return test::fake_vm().now_ns();
}
std::uint64_t now_ns() {
  return test::fake_vm().now_ns();
}
std::uint32_t processor() {
  return static_cast<std::uint32_t>(::sched_getcpu());
}
void wait(std::uint32_t* word, std::uint32_t expected) {
  ::syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, expected, nullptr);
}
void wake_one(std::uint32_t* word) {
  ::syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1);
}
void nap() {
  ::usleep(50);
}
void write_error(const char* text, std::size_t length) {
  test::fake_vm().write_error(text, length);
}

}  // namespace mini::kernel::vm
