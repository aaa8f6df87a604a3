// Nobody is in the middle of something while a process forks: its child gets a whole heap.
#include "alloc/inside.h"
#include "kernel/vm/vm.h"

namespace mini::alloc {

constinit thread_local bool t_holds_all_locks __attribute__((tls_model("initial-exec"))) = false;
constinit Lock g_fork_handlers_lock{LockRank::kForkHandlers};

namespace {

// Forks that this thread is in the middle of, one in a signal handler of the other.
constinit thread_local std::uint32_t t_forks_without_locks
    __attribute__((tls_model("initial-exec"))) = 0;

}  // namespace

// All locks but the first three. REQUIRES: the heap table's is held: it is the same heaps each
// time.
template <typename Apply>
void Allocator::for_each_later_lock(Apply&& apply) {
  heaps_.for_each([&](Heap& heap) {
    for (std::uint32_t i = 1; i < kClassCount; ++i) {
      apply(heap.bin(static_cast<ClassIndex>(i)).lock());
    }
  });
  for (std::uint32_t i = 1; i < kClassCount; ++i) {
    apply(heap_.bin(static_cast<ClassIndex>(i)).lock());
  }
  for (SpanShelf& shelf : backing_.pages.shelves()) apply(shelf.lock());
  apply(backing_.pages.lock());
  apply(backing_.spans.lock());
  apply(backing_.records.lock());
}

// No lock is taken by the only thread, since nobody else holds one: with many heaps, to write to
// each lock would be to copy each page in parent and child. Nor by a thread that holds some
// already: a signal handler forks that interrupted it in here, or between the two halves of another
// fork, and would wait for itself. Where there are other threads then, their locks stay in the
// child as they were, so that it may not return from the handler, but end or become another
// program.
void Allocator::before_fork() {
  if (t_thread.inside || t_holds_all_locks || kernel::vm::is_only_thread()) {
    ++t_forks_without_locks;
    return;
  }
  const Inside inside;
  g_fork_handlers_lock.lock();
  registry_lock_.lock();
  heaps_.lock().lock();
  for_each_later_lock([](auto& lock) { lock.lock(); });
  t_holds_all_locks = true;
}

void Allocator::after_fork_in_parent() {
  if (t_forks_without_locks != 0) {
    --t_forks_without_locks;
    return;
  }
  const Inside inside;
  t_holds_all_locks = false;
  for_each_later_lock([](auto& lock) { lock.unlock(); });
  heaps_.lock().unlock();
  registry_lock_.unlock();
  g_fork_handlers_lock.unlock();
}

void Allocator::after_fork_in_child() {
  if (t_forks_without_locks != 0) {
    --t_forks_without_locks;
    return;
  }
  const Inside inside;
  t_holds_all_locks = false;
  for_each_later_lock([](auto& lock) { lock.reset(); });
  heaps_.lock().reset();
  registry_lock_.reset();
  g_fork_handlers_lock.reset();
  backing_.pages.after_fork_in_child();
  // The other threads are gone. One that was interrupted in push or pop leaves its stack with a
  // block too few, or with one that nobody got: each is in order.
  for (ThreadCache* cache = caches_; cache != nullptr;) {
    ThreadCache* const next = cache->next;
    if (cache != t_thread.cache) remove(*cache);
    cache = next;
  }
}

}  // namespace mini::alloc
