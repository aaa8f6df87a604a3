// Children of this process that do something known with malloc, and what the decoder says of their
// heaps.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <gtest/gtest.h>
#include <malloc.h>
#include <memory>
#include <string>
#include <sys/mman.h>
#include <sys/types.h>
#include <thread>
#include <unistd.h>
#include <vector>

#include "frozen_child.h"
#include "heaps/glibc_heap.h"
#include "recording_sink.h"

namespace mini::heaps {

inline std::uint64_t number(const void* p) {
  return reinterpret_cast<std::uint64_t>(p);
}

// Malloc and free through pointers that a compiler cannot see through: it knows too much of both,
// and the tests do to blocks what no program may.
inline void* (*volatile take)(std::size_t) = std::malloc;
inline void (*volatile give)(void*) = std::free;

inline void* take_numbered(int size) {
  return take(static_cast<std::size_t>(size));
}

/// Does `work` in a thread of its own, whose arena is new: its bins are empty, and blocks come one
/// after the other. The thread stays.
inline void in_a_fresh_arena(FrozenChild::Told& told, const std::function<void()>& work) {
  std::thread([&] {
    work();
    told.words[60] = number(__builtin_thread_pointer());
    __atomic_store_n(&told.words[59], 1, __ATOMIC_SEQ_CST);
    for (;;) pause();
  }).detach();
  while (__atomic_load_n(&told.words[59], __ATOMIC_SEQ_CST) == 0) usleep(1000);
}

/// By a page that is mapped where it would go.
inline void hold_the_break() {
  constexpr int kFlags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE;
  if (mmap(sbrk(0), 4096, PROT_READ | PROT_WRITE, kFlags, -1, 0) == MAP_FAILED) abort();
}

/// Takes blocks where the break cannot be moved, and gives every third back. Into words 0 and 1 one
/// that stays and one that does not, then what malloc says of itself.
inline void take_without_the_break(FrozenChild::Told& t) {
  hold_the_break();
  while (number(take(20000)) < number(sbrk(0))) {  // gaps of what the break had given before
  }
  static std::array<void*, 300> blocks;
  for (void*& block : blocks) block = take(20000);
  t.words[0] = number(blocks[151]);
  t.words[1] = number(blocks[150]);
  for (std::size_t i = 0; i < blocks.size(); i += 3) give(blocks[i]);
  t.words[2] = mallinfo2().arena;
  t.words[3] = mallinfo2().fordblks;
}

struct Maps {
  AddressRange libc_data;
  AddressRange libc_read_only;
  std::vector<AddressRange> writable;
};

inline Maps read_maps(pid_t pid) {
  Maps maps;
  std::ifstream file("/proc/" + std::to_string(pid) + "/maps");
  bool after_libc = false;
  for (std::string line; std::getline(file, line);) {
    unsigned long begin = 0;
    unsigned long end = 0;
    char protection[5] = {};
    std::sscanf(line.c_str(), "%lx-%lx %4s", &begin, &end, protection);
    const AddressRange range{Address{begin}, Address{end}};
    const bool libc = line.find("/libc.so.6") != std::string::npos;
    const bool named = line.find('/') != std::string::npos;
    const bool writable = protection[1] == 'w' && protection[3] == 'p';
    if (libc && maps.libc_read_only.empty()) maps.libc_read_only = range;
    if (libc && protection[1] != 'w') maps.libc_read_only.end = range.end;
    if (libc && writable) maps.libc_data = range;
    if (after_libc && !named && maps.libc_data.end == range.begin) maps.libc_data.end = range.end;
    if (!named && writable) maps.writable.push_back(range);
    after_libc = libc;
  }
  return maps;
}

class GlibcHeapTest : public testing::Test {
 protected:
  void SetUp() override {
    const Maps maps = read_maps(getpid());
    if (maps.libc_data.empty()) GTEST_SKIP() << "not linked to a shared glibc";
    void* p = take(100);
    const bool glibcs = mallinfo2().arena != 0;
    give(p);
    if (!glibcs) GTEST_SKIP() << "another malloc stands before glibc's";
  }

  /// Runs `work` in a child and decodes the child's heap.
  void decode(const std::function<void(FrozenChild::Told&)>& work) {
    child_ = std::make_unique<FrozenChild>(work);
    const Maps maps = read_maps(child_->pid());
    GlibcHints hints;
    hints.data = maps.libc_data;
    hints.version = find_glibc_version(*child_, maps.libc_read_only);
    const auto malloc = locate_glibc(*child_, hints);
    ASSERT_TRUE(malloc.has_value());
    GlibcTarget target{.malloc = *malloc, .threads = {}, .writable = maps.writable};
    const Address own{number(__builtin_thread_pointer())};
    target.threads.push_back({.id = child_->pid(), .thread_pointer = own});
    for (std::size_t i = 60; i < 64 && told(i) != Address{}; ++i) {
      target.threads.push_back({.id = static_cast<std::int64_t>(i), .thread_pointer = told(i)});
    }
    heap_ = read_glibc_heap(*child_, target, sink_);
    target_ = target;
    for (const model::HeapDamage& damage : heap_.damages) {
      damages_ += damage.field + " is " + damage.found + ", not " + damage.expected + "\n";
    }
  }

  Address told(std::size_t i) const { return child_->told(i); }
  model::PieceUse use_at(std::size_t i) const { return sink_.use_of(told(i)); }
  Bytes sum(model::PieceUse use) const { return sink_.sum(use); }

  std::unique_ptr<FrozenChild> child_;
  RecordingSink sink_;
  GlibcTarget target_;
  model::Heap heap_;
  std::string damages_;
};

}  // namespace mini::heaps
