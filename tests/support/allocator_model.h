// An allocator and what must be true of it: every operation is done on both and compared.
//
// Shared by the randomized unit test and the fuzzer. One real thread plays several: each has a
// ThreadState that is put in place when it is its turn, so that what happens is the same every
// time. What does not hold is thrown as a ModelError.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <stdexcept>
#include <vector>

#include "alloc/allocator.h"

namespace mini::test {

class ModelError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

enum class Action : std::uint8_t {
  kAllocate,
  kAllocateZeroed,
  kAllocateAligned,
  kAllocateInHeap,
  kResize,
  kFree,
  kFreeSized,
  kFreeMany,  // a quarter of all
  kCreateHeap,
  kDestroyHeap,
  kTrim,
  kNextThread,  // another thread's turn
  kEndThread,
  kChooseOption,
  kPassTime,
  kCheck,
};
inline constexpr std::uint32_t kActionCount = 16;

struct Operation {
  Action action = Action::kCheck;
  std::uint32_t which = 0;  // block, heap, thread or option: any number will do
  std::size_t bytes = 0;
  unsigned log2_alignment = 0;
};

class AllocatorModel {
 public:
  /// The fake kernel is as at the start of a process. `has_first_blocks`: whether small blocks come
  /// from a pool at first, as in the library.
  explicit AllocatorModel(bool has_first_blocks);
  AllocatorModel(const AllocatorModel&) = delete;
  AllocatorModel& operator=(const AllocatorModel&) = delete;
  ~AllocatorModel();

  void apply(const Operation& operation);

  /// Whether an operation that needs memory may fail from now on; otherwise each has to succeed.
  void allow_failure(bool allow) { failure_allowed_ = allow; }
  /// Of all blocks, their contents and what the allocator says of them; in a checked build every
  /// invariant.
  void check_all();
  /// Frees everything, ends all threads and sees to it that nothing is left.
  void finish();

  std::size_t block_count() const { return blocks_.size(); }
  std::size_t live_bytes() const { return live_bytes_; }
  /// Operations that failed for want of memory.
  std::size_t failures() const { return failures_; }
  alloc::Allocator& allocator() { return memory_->allocator; }

  static constexpr std::size_t kMostLiveBytes = std::size_t{48} << 20;

 private:
  struct Block {
    std::size_t bytes = 0;  // asked for
    std::size_t usable_bytes = 0;
    std::size_t alignment = 1;
    alloc::HeapId heap = 0;
    std::uint64_t pattern = 0;
  };
  using Blocks = std::map<std::byte*, Block>;
  struct Request {
    std::size_t bytes = 0;
    std::size_t alignment = 1;
    alloc::HeapId heap = 0;
    bool zeroed = false;
  };

  bool fits(std::size_t bytes) const { return live_bytes_ + bytes <= kMostLiveBytes; }
  void allocate(const Request& wanted);
  void* ask(const Request& wanted);
  void add(void* p, const Request& wanted);
  void verify(std::byte* p, const Block& block);
  void resize(Blocks::iterator at, std::size_t number, bool relative);
  void free(Blocks::iterator at, bool sized);
  void free_many(std::uint32_t first);
  void create_heap();
  void destroy_heap(std::uint32_t which);
  void destroy(alloc::Heap& heap);
  void end_thread();
  void next_thread(std::uint32_t which);
  void failed(const char* what, std::size_t bytes);
  void check_walk();
  void check_figures();
  Blocks::iterator pick(std::uint32_t which);

  // Apart from the model's own memory, and all of it new for each.
  struct Memory {
    alignas(alloc::kGranule) std::array<std::byte, std::size_t{16} << 10> emergency{};
    alignas(alloc::kGranule) std::array<std::byte, std::size_t{32} << 10> first{};
    alloc::Pool emergency_pool{emergency.data(), emergency.size()};
    alloc::Pool first_pool{first.data(), first.size()};
    alloc::FirstBlocks first_blocks{first_pool};
    alloc::Allocator allocator;

    explicit Memory(bool has_first_blocks)
        : allocator(emergency_pool, has_first_blocks ? &first_blocks : nullptr) {}
  };

  std::unique_ptr<Memory> memory_;
  Blocks blocks_;
  std::size_t live_bytes_ = 0;
  std::vector<alloc::Heap*> heaps_;
  std::array<alloc::ThreadState, 4> threads_{};
  std::size_t turn_ = 0;
  std::uint64_t next_pattern_ = 1;
  std::size_t failures_ = 0;
  bool failure_allowed_ = false;
};

}  // namespace mini::test
