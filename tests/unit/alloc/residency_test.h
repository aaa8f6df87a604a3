// Pages with a policy of memory, without the page heap: how much is in use, the test says.
#pragma once

#include <algorithm>
#include <cstring>
#include <vector>

#include "alloc/check.h"
#include "alloc/free_pages.h"
#include "alloc/options.h"
#include "alloc/residency.h"
#include "alloc_test.h"

namespace mini::alloc {

inline constexpr std::uint64_t kSecond = 1'000'000'000;

constexpr PageCount mebibytes(std::uint32_t count) {
  return {count * static_cast<std::uint32_t>((std::size_t{1} << 20) / kPageBytes)};
}
constexpr PageCount extents(std::uint32_t count) {
  return {count * kExtentPages};
}

class ResidencyTest : public KernelTest {
 protected:
  ~ResidencyTest() override {
    g_options.retained_bytes.store(Options::kByDefault, std::memory_order_relaxed);
    use_huge_pages(HugePageUse::kAuto);
  }

  static void use_huge_pages(HugePageUse use) {
    g_options.huge_pages.store(static_cast<std::size_t>(use), std::memory_order_relaxed);
  }
  static void retain(std::size_t bytes) {
    g_options.retained_bytes.store(bytes, std::memory_order_relaxed);
  }

  /// What is in use beside the runs that the test takes: as large a heap as it wants to be in.
  void set_elsewhere(PageCount count) { elsewhere_ = count; }
  PageCount used() const { return elsewhere_ + taken_; }

  PageRun grow(PageCount count) {
    PageRun fresh{page(0), count};
    if (window_->placed()) {
      EXPECT_TRUE(window_->grow(count, &fresh));
    } else {
      EXPECT_TRUE(window_->place(count));
    }
    memory_.on_growth(fresh);
    free_.put(fresh);
    return fresh;
  }
  PageRun take(PageCount count, Touch touch = Touch::kSoon) {
    PageRun run{{}, count};
    if (!free_.take(count, &run.first)) {
      grow(extents((count.count + kExtentPages - 1) / kExtentPages));
      EXPECT_TRUE(free_.take(count, &run.first));
    }
    return note_taken(run, touch);
  }
  /// That run and no other. REQUIRES: it is free.
  PageRun take_at(PageRun run, Touch touch = Touch::kSoon) {
    EXPECT_TRUE(free_.take_at(run));
    return note_taken(run, touch);
  }
  void put(PageRun run) {
    free_.put(run);
    memory_.on_put(run);
    taken_ -= run.count;
  }
  bool settle() { return memory_.settle(used()); }
  /// Whether all of the run that was taken last reads as zeros.
  bool zeroed() const { return zeroed_; }

  std::byte* address(PageRun run) { return window_->address(run.first); }
  void write(PageRun run) { std::memset(address(run), 0x5a, run.count.bytes()); }
  std::size_t resident(PageRun run) {
    return test::FakeVm::resident_pages(address(run), run.count.bytes());
  }
  Extent& extent_of(PageRun run) { return window_->extent(run.first.extent()); }

  /// `count` extents that were written from end to end and, of each, put again all but the first
  /// `kept` pages.
  std::vector<PageRun> extents_with_pages_in_use(std::uint32_t count, std::uint32_t kept) {
    std::vector<PageRun> runs;
    for (std::uint32_t i = 0; i < count; ++i) {
      runs.push_back(take(extents(1)));
      write(runs.back());
    }
    for (const PageRun& run : runs) put({run.first + pages(kept), run.count - pages(kept)});
    return runs;
  }

  void check() {
    for (std::uint32_t i = 0; i < window_->extent_count(); ++i) {
      Checker::extent(window_->extent(i), i);
    }
    Checker::residency(memory_);
  }
  /// That what is said to have no memory has none, by the kernel's word.
  void check_against_kernel() {
    check();
    for (std::uint32_t i = 0; i < window_->extent_count(); ++i) {
      const Extent& extent = window_->extent(i);
      const std::uint32_t end = std::min(kExtentPages, window_->end().count - i * kExtentPages);
      for (BitRun bits = extent.resident.next_clear_run(0); bits.begin < end;
           bits = extent.resident.next_clear_run(bits.begin + bits.length)) {
        const PageIndex first = page(i * kExtentPages + bits.begin);
        EXPECT_EQ(resident({first, pages(std::min(bits.length, end - bits.begin))}), 0U)
            << "from page " << first.value;
      }
    }
  }

  static std::vector<test::VmRecord> populated() { return vm().records(test::VmCall::kPopulate); }
  static std::size_t discards() { return vm().records(test::VmCall::kDiscard).size(); }
  /// Times that huge pages were asked for.
  static std::size_t huge_requests() {
    std::vector<test::VmRecord> records = vm().records(test::VmCall::kAllowHuge);
    std::erase_if(records, [](const test::VmRecord& record) { return !record.allow; });
    return records.size();
  }

  Residency& memory() { return memory_; }
  Window& window() { return *window_; }

 private:
  PageRun note_taken(PageRun run, Touch touch) {
    taken_ += run.count;
    zeroed_ = memory_.on_take(run, touch, used());
    return run;
  }

  std::unique_ptr<Window> window_ = std::make_unique<Window>();
  FreePages free_{*window_};
  Residency memory_{*window_};
  PageCount elsewhere_;
  PageCount taken_;
  bool zeroed_ = false;
};

}  // namespace mini::alloc
