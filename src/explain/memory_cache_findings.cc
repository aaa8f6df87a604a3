// What threads keep in their caches for themselves.
#include <cstdint>

#include "base/text.h"
#include "explain/memory_finding_words.h"

namespace mini::explain {

void find_cached(const model::Inspection& inspection, std::vector<Finding>& out) {
  const model::PieceTotals cached =
      inspection.account.total().at(static_cast<std::size_t>(model::PieceUse::kCached));
  if (cached.resident < kWorthATry || share_of(inspection, cached.resident) < kNoticeable) return;
  const bool is_minimalloc = inspection.heap && inspection.heap->allocator == "libminimalloc";
  out.push_back(
      {.kind = "thread_caches",
       .statement = fmt::format("{} is free in threads' caches, where no other thread can use it.",
                                format_bytes(cached.resident)),
       .evidence = fmt::format(
           "{}, in {}{}.", share_words(inspection, cached.resident),
           counted(cached.pieces, "block"),
           is_minimalloc ? "" : "; malloc_trim does not reach them, nor do fewer arenas"),
       .advice = is_minimalloc
                     ? "Have fewer threads, or smaller caches: MINIMALLOC_THREAD_CACHE=64K."
                     : "Have fewer threads, or smaller caches: "
                       "GLIBC_TUNABLES=glibc.malloc.tcache_count=1.",
       .weight = share_of(inspection, cached.resident)});
}

}  // namespace mini::explain
