#include "lab/heap_plan.h"

#include <fmt/format.h>

#include "model/malloc_arithmetic.h"

namespace mini::lab {
namespace {

constexpr Bytes kUserOffset{16};  // from a chunk's begin to what the program gets

}  // namespace

HeapPlan::HeapPlan(const Machine& machine)
    : machine_(machine),
      thread_cache_(model::thread_cache_chunk(machine.glibc_version).value_or(Bytes{})) {}

void HeapPlan::take(Bytes chunk) {
  if (growths_.empty()) first_chunk_ = chunk;
  if (top() < chunk + model::kSmallestChunk) {
    growths_.push_back(
        model::break_growth(chunk, machine_.top_pad, top(), machine_.page_size).value_or(Bytes{}));
  }
  used_ += chunk;
}

HeapPlan::Block HeapPlan::place(Bytes request) {
  if (growths_.empty() && thread_cache_ > Bytes{}) take(thread_cache_);
  const Bytes chunk = model::chunk_of_request(request).value_or(Bytes{});
  take(chunk);
  return {.requested = request, .chunk = chunk, .user = used_ - chunk + kUserOffset};
}

Bytes HeapPlan::heap() const {
  Bytes sum;
  for (const Bytes growth : growths_) sum += growth;
  return sum;
}

std::string HeapPlan::growth_in_words() const {
  const bool is_cache = first_chunk_ == thread_cache_;
  return fmt::format("{} ({}) + {} (top pad) + {}, rounded up to pages of {}", first_chunk_.count,
                     is_cache ? "the thread cache" : "the chunk", machine_.top_pad.count,
                     model::kSmallestChunk.count, machine_.page_size.count);
}

std::string chunk_in_words(Bytes request) {
  return fmt::format("{} + {} for its size, rounded up to {}", request.count,
                     model::kChunkHeader.count, model::kChunkAlignment.count);
}

}  // namespace mini::lab
