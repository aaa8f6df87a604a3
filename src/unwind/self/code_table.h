// What a process's code says about its frames: the modules and the rows compiled from them.
#pragma once

#include <atomic>
#include <cstdint>
#include <span>

#include "unwind/self/module_table.h"
#include "unwind/self/row_cache.h"

namespace mini::unwind::self {

/// One a process, shared by all its threads; constant-initialised.
class CodeTable {
 public:
  constexpr CodeTable() = default;
  CodeTable(const CodeTable&) = delete;
  CodeTable& operator=(const CodeTable&) = delete;

  /// Finds out what is loaded and tells the listener what has changed. For the start of the
  /// process, and after each dlopen and dlclose. Only where the thread may wait for the loader's
  /// lock: never from malloc. Allocates nothing from the heap.
  ///
  /// Another thread that is in it already does this call's work, too, perhaps after it returned.
  void refresh(const ModuleListener& listener = {});

  /// In the child of a fork, where the other threads do not exist.
  void reset_after_fork() { requests_.store(0, std::memory_order_relaxed); }

  const ModuleList& modules() const { return modules_.list(); }

  const RowCache& rows() const { return rows_; }

  /// The row for an instruction that rows() does not have; it has afterwards. `buffer` is for the
  /// slow paths to work in.
  Row compile(std::uintptr_t pc, std::span<char> buffer);

  /// Whether compile() has read pages of modules since they were last discarded.
  bool has_read_pages() const { return read_modules_.load(std::memory_order_relaxed) != 0; }
  /// Takes those out of the process's memory, if they may be more than `kept_bytes` and nothing was
  /// compiled for a while. To be called now and then, with times of any clock that all threads
  /// share; false where nothing was done.
  bool discard_read_pages(std::uint64_t now, std::uint64_t kept_bytes);
  /// Not to be done again before.
  void discard_no_pages_until(std::uint64_t time) {
    next_discard_.store(time, std::memory_order_relaxed);
  }

 private:
  Row compile_uncached(std::uintptr_t pc, std::span<char> buffer);
  bool find_sections(std::uintptr_t pc, EhFrame* sections) const;

  ModuleTable modules_;
  RowCache rows_;
  std::atomic<std::uint32_t> requests_{0};
  std::atomic<std::uint64_t> compiled_count_{0};
  std::atomic<std::uint64_t> seen_compiled_count_{0};
  std::atomic<std::uint64_t> seen_compiled_at_{0};
  std::atomic<std::uint64_t> discarded_count_{0};  // what compiled_count_ was at the last discard
  std::atomic<std::uint64_t> next_discard_{0};
  std::atomic<std::uint64_t> read_modules_{0};  // a bit each, by index modulo 64
};

}  // namespace mini::unwind::self
