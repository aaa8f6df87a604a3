// Sentences about glibc's malloc: the heap's growth and trim, mmapped chunks, arenas.
#include <array>
#include <fmt/format.h>

#include "base/checked.h"
#include "base/text.h"
#include "explain/event_view.h"
#include "explain/sentence.h"
#include "model/malloc_arithmetic.h"

namespace mini::explain {
namespace {

using model::Event;
using model::MallocState;
using model::Role;

// malloc/malloc.c, DEFAULT_MMAP_THRESHOLD_MAX, of 64-bit systems.
constexpr Bytes kMostOfMmapThreshold = kMiB * 32;

/// A call on behalf of malloc, taken apart for a sentence.
struct Call {
  const Event& event;
  const Attribution& who;

  const MallocState* state() const { return event.malloc_state ? &*event.malloc_state : nullptr; }
  const model::MallocRequest* request() const {
    return event.malloc_request ? &*event.malloc_request : nullptr;
  }
};

// "135168 bytes = 132 KiB"
std::string equals(Bytes n) {
  return n < kKiB ? in_bytes(n) : fmt::format("{} = {}", in_bytes(n), format_bytes(n));
}

std::string for_whom(const Attribution& who) {
  if (who.service.empty()) return "";
  const bool stdio = who.service.starts_with("stdio");
  return fmt::format(" from {}", stdio ? "stdio" : who.service);
}

// "malloc(1024) from stdio", "realloc to 3000000 bytes", "malloc from fopen" where the size is not
// known.
std::string request_text(const Call& call) {
  const std::string_view entry = call.who.entry.empty() ? "malloc" : call.who.entry;
  const std::string source = for_whom(call.who);
  if (call.request() == nullptr) return fmt::format("{}{}", entry, source);
  const std::uint64_t bytes = call.request()->requested.count;
  if (entry == "malloc") return fmt::format("malloc({}){}", bytes, source);
  if (entry == "realloc") return fmt::format("realloc to {}{}", in_bytes(Bytes{bytes}), source);
  if (entry.find("align") != std::string_view::npos || entry.ends_with("valloc")) {
    return fmt::format("{}{}, with room to align,", entry, source);
  }
  return fmt::format("{} of {}{}", entry, in_bytes(Bytes{bytes}), source);
}

// Where malloc believes that the heap ends.
std::optional<Address> end_of_top(const MallocState& state) {
  if (!state.top || !state.top_bytes) return std::nullopt;
  const auto range = checked_range(*state.top, *state.top_bytes);
  return range ? std::optional(range->end) : std::nullopt;
}

// How far somebody else has moved the break past malloc's own end; 0 where nobody did.
Bytes foreign_bytes(const Event& event) {
  const auto end = event.malloc_state ? end_of_top(*event.malloc_state) : std::nullopt;
  if (!end || !event.break_before || *event.break_before <= *end) return {};
  return *event.break_before - *end;
}

std::string foreign_text(const Event& event) {
  const Bytes moved = foreign_bytes(event);
  if (moved == Bytes{}) return "";
  return fmt::format(
      "; the break stands {} past the end malloc knows: somebody else moved it, so this growth "
      "does "
      "not continue malloc's memory",
      in_bytes(moved));
}

std::string explain_first_growth(const Call& call, Bytes grown) {
  const MallocState& state = *call.state();
  const auto cache = model::thread_cache_chunk(state.glibc_version);
  if (!cache || model::break_growth(*cache, state.top_pad, {}, kPageSize) != grown) return "";
  std::string text = request_text(call);
  std::string rest;
  if (const auto* request = call.request()) {
    text += fmt::format(" needs a {}-byte chunk", request->chunk.count);
    const bool fits = *cache + request->chunk + model::kSmallestChunk <= grown;
    rest = fits ? "; its chunk is cut from the same growth"
                : "; that is too little for its chunk: the next call is for that";
  } else {
    text += " is the first to need memory";
  }
  return fmt::format(
      "{}; the heap is empty, so {} (thread cache) + {} (top pad) + {}, rounded up to pages = {}{}",
      text, cache->count, state.top_pad.count, model::kSmallestChunk.count, equals(grown), rest);
}

std::string explain_growth_by_request(const Call& call, Bytes grown) {
  const MallocState& state = *call.state();
  const auto* request = call.request();
  if (request == nullptr || !state.top_bytes) return "";
  // Which chunk an empty heap's growth was sized by is not told by its size alone.
  if (!state.top && state.glibc_version.empty()) return "";
  const Bytes left = state.contiguous ? *state.top_bytes : Bytes{};
  if (model::break_growth(request->chunk, state.top_pad, left, kPageSize) != grown) return "";
  std::string text =
      fmt::format("{} needs a {}-byte chunk", request_text(call), request->chunk.count);
  std::string minus;
  if (!state.top) {
    text += "; the heap is empty";
  } else if (state.contiguous) {
    text += fmt::format("; the top chunk has {} bytes left", left.count);
    minus = fmt::format(" - {}", left.count);
  } else {
    text += "; the heap is in pieces, so what is left in the top chunk does not count";
  }
  return fmt::format("{}, so {} + {} (top pad) + {}{}, rounded up to pages = {}{}", text,
                     request->chunk.count, state.top_pad.count, model::kSmallestChunk.count, minus,
                     equals(grown), foreign_text(call.event));
}

// The second brk of one growth, after malloc has found the break where it did not leave it.
std::string explain_correction(const Call& call, Bytes grown) {
  const MallocState& state = *call.state();
  const Event& event = call.event;
  if (!state.top_bytes || !event.break_before || call.request() != nullptr) return "";
  if (state.top && foreign_bytes(event) == Bytes{}) return "";
  if (model::break_correction(*event.break_before, *state.top_bytes, kPageSize) != grown) return "";
  if (!state.top) {
    return fmt::format(
        "malloc's first chunk does not start on a page, because somebody else moved the break "
        "before: {} more, so that the heap is aligned and ends on a page",
        in_bytes(grown));
  }
  return fmt::format(
      "malloc found the break moved by somebody else and starts a new top chunk behind it: {} "
      "more, "
      "so that it holds the old top's {} again and ends on a page",
      in_bytes(grown), in_bytes(*state.top_bytes));
}

std::string observe_growth(const Call& call, Bytes grown) {
  const MallocState* state = call.state();
  std::string text = fmt::format("{} asked for more heap: {}", request_text(call), equals(grown));
  if (state != nullptr && !state->top) {
    text += "; the heap was empty";
  } else if (state != nullptr && state->top_bytes) {
    text += fmt::format("; the top chunk had {} bytes left", state->top_bytes->count);
  }
  return text + foreign_text(call.event);
}

std::string explain_growth(const Call& call, Bytes grown) {
  if (call.state() != nullptr) {
    using Explain = std::string (*)(const Call&, Bytes);
    constexpr std::array<Explain, 3> kExplanations = {explain_growth_by_request, explain_correction,
                                                      explain_first_growth};
    // While the heap is empty, its growth is the thread cache's even where a request would fit it.
    if (!call.state()->top) {
      if (std::string text = explain_first_growth(call, grown); !text.empty()) return text;
    }
    for (const Explain explanation : kExplanations) {
      if (std::string text = explanation(call, grown); !text.empty()) return text;
    }
  }
  return observe_growth(call, grown);
}

std::string observe_trim(const Call& call, Bytes given_back) {
  return fmt::format("{} gave back {} at the end of the heap",
                     call.who.entry.empty() ? "malloc" : call.who.entry, equals(given_back));
}

std::string explain_trim(const Call& call, Bytes given_back) {
  const MallocState* state = call.state();
  if (state == nullptr || !state->top_bytes) return observe_trim(call, given_back);
  const Bytes top = *state->top_bytes;
  constexpr std::uint64_t kKept = model::kSmallestChunk.count + 1;
  const bool by_trim = call.who.entry == "malloc_trim";  // its pad is an argument of its own
  if (by_trim && model::break_trim(top, {}, kPageSize) == given_back) {
    return fmt::format(
        "malloc_trim(0) gives back what it can of the top chunk's {} bytes: all but {}, rounded "
        "down to pages = {}",
        top.count, kKept, equals(given_back));
  }
  if (by_trim || model::break_trim(top, state->top_pad, kPageSize) != given_back) {
    return observe_trim(call, given_back);
  }
  const bool over = top >= state->trim_threshold;
  return fmt::format(
      "the top chunk has grown to {} bytes{}; all but {} (top pad) + {} is given back, rounded "
      "down "
      "to pages = {}",
      top.count,
      over ? fmt::format(", past the trim threshold of {}", state->trim_threshold.count) : "",
      state->top_pad.count, kKept, equals(given_back));
}

std::string explain_brk(const Call& call) {
  if (is_break_question(call.event)) {
    return "a question, not a growth: malloc's first sbrk has to know where the break is";
  }
  if (is_break_refused(call.event)) {
    return "the kernel refused to move the break: a limit (RLIMIT_DATA, RLIMIT_AS), the overcommit "
           "policy, or another mapping in the way; malloc falls back to mmap";
  }
  const std::int64_t moved = break_move(call.event);
  if (moved > 0) return explain_growth(call, Bytes{static_cast<std::uint64_t>(moved)});
  if (moved < 0) return explain_trim(call, Bytes{static_cast<std::uint64_t>(-moved)});
  return "the break stays where it is";
}

// "sysmalloc_mmap_fallback"
std::string explain_growth_by_mmap(const Call& call, Bytes length) {
  const auto* request = call.request();
  const std::string need =
      request == nullptr ? "more" : fmt::format("a {}-byte chunk", request->chunk.count);
  return fmt::format(
      "{} needs {}, and the break does not move: the arena grows by a mapping elsewhere, {}{}",
      request_text(call), need, equals(length),
      length == kMiB ? ", the least that malloc starts with there" : "");
}

std::string explain_mmap(const Call& call, const MappingMeaning& meaning) {
  const Bytes length = call.event.range.size();
  const model::Mapping* const mapped = first_mapping(call.event);
  if (meaning.role == Role::kMallocArena && mapped != nullptr && mapped->protection.write) {
    return explain_growth_by_mmap(call, length);
  }
  if (meaning.role == Role::kMallocArena) {
    if (length == model::kArenaHeap * 2) {
      return "an arena for a thread: 128 MiB are reserved without access, so that 64 MiB of them "
             "start at a multiple of 64 MiB; the rest goes back at once";
    }
    return fmt::format("an arena for a thread: {} are reserved without access",
                       format_bytes(length));
  }
  const auto* request = call.request();
  const MallocState* state = call.state();
  if (request == nullptr || model::mapping_of_chunk(request->chunk, kPageSize) != length) {
    return fmt::format("{} got a mapping of its own, {}{}", request_text(call), equals(length),
                       state == nullptr ? ""
                                        : fmt::format("; the mmap threshold is {} bytes",
                                                      state->mmap_threshold.count));
  }
  const bool over = state != nullptr && request->chunk >= state->mmap_threshold;
  return fmt::format(
      "{} needs a {}-byte chunk{}, so it gets a mapping of its own: {} + {}, rounded up to pages = "
      "{}",
      request_text(call), request->chunk.count,
      over ? fmt::format(", no less than the mmap threshold of {}", state->mmap_threshold.count)
           : "",
      request->chunk.count, model::kChunkHeader.count, equals(length));
}

// free raises the thresholds before it unmaps, so the state at the call's entry has them already.
std::string explain_munmap(const Call& call, const MappingMeaning& meaning) {
  const Bytes length = call.event.range.size();
  if (meaning.role == Role::kMallocArena) {
    const model::Mapping* before = first_mapping(call.event);
    return before != nullptr && before->protection.write
               ? "a heap of the arena has become empty and is given back"
               : "what lies outside of the arena's aligned 64 MiB is given back";
  }
  const std::string_view entry = call.who.entry.empty() ? "free" : call.who.entry;
  std::string text =
      fmt::format("{} gives the block's own mapping back: {}", entry, equals(length));
  const MallocState* state = call.state();
  if (state != nullptr && state->mmap_threshold == length && state->trim_threshold == length * 2) {
    text += fmt::format(
        "; since a block of this size was freed the mmap threshold is {} and the trim threshold "
        "twice that, {}: the same request comes from the heap from now on",
        state->mmap_threshold.count, state->trim_threshold.count);
  } else if (state != nullptr && length > kMostOfMmapThreshold) {
    text += fmt::format("; one of more than {} leaves the mmap threshold where it is, {}",
                        format_bytes(kMostOfMmapThreshold), state->mmap_threshold.count);
  }
  return text;
}

std::string explain_mremap(const Call& call) {
  const Bytes length = call.event.range.size();
  const Bytes before{argument(call.event, "old_size").value_or(0)};
  std::string text = fmt::format(
      "{}: the block has a mapping of its own, which the kernel resizes "
      "from {} to {} without copying",
      request_text(call), format_bytes(before), format_bytes(length));
  const auto* request = call.request();
  if (request != nullptr && model::mapping_of_chunk(request->chunk, kPageSize) == length) {
    text += fmt::format(": {} (its chunk) + {}, rounded up to pages = {}", request->chunk.count,
                        model::kChunkHeader.count, equals(length));
  }
  return text;
}

// The first growth of an arena holds its own tables, less than a page of them, and the top pad.
std::string explain_arena_growth(const Call& call) {
  const Bytes length = call.event.range.size();
  const MallocState* state = call.state();
  const bool first = call.event.range.begin.value % model::kArenaHeap.count == 0;
  if (!first) {
    return fmt::format("{} needs more of the arena: access to the next {} of its reservation",
                       request_text(call), equals(length));
  }
  if (state != nullptr &&
      model::break_growth({}, state->top_pad, model::kSmallestChunk, kPageSize) <= length &&
      length <= state->top_pad + kPageSize) {
    return fmt::format(
        "the arena starts with its own tables + {} (top pad), rounded up to pages = {}",
        state->top_pad.count, equals(length));
  }
  return fmt::format("the arena starts with access to the first {} of its reservation",
                     equals(length));
}

std::string explain_madvise(const Call& call) {
  const Bytes length = call.event.range.size();
  const std::string_view advice = argument_text(call.event, "advice");
  if (advice == "MADV_DONTNEED") {
    return fmt::format("{} lets go of the pages in {} of free memory; the addresses stay mapped",
                       call.who.entry.empty() ? "malloc" : call.who.entry, equals(length));
  }
  if (advice == "MADV_HUGEPAGE") {
    return fmt::format("malloc asks for huge pages for {}: the tunable glibc.malloc.hugetlb",
                       equals(length));
  }
  return "";
}

}  // namespace

std::string explain_malloc_call(const Event& event, const Attribution& who,
                                const MappingMeaning& meaning) {
  const Call call{event, who};
  if (event.syscall == "brk") return explain_brk(call);
  if (event.syscall == "mmap") return explain_mmap(call, meaning);
  if (event.syscall == "munmap") return explain_munmap(call, meaning);
  if (event.syscall == "mremap") return explain_mremap(call);
  if (event.syscall == "mprotect" && meaning.role == Role::kMallocArena) {
    return explain_arena_growth(call);
  }
  if (event.syscall == "madvise") return explain_madvise(call);
  return "";
}

}  // namespace mini::explain
