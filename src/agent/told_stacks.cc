#include "agent/told_stacks.h"

#include "agent/told_modules.h"

namespace mini::agent {

using unwind::self::Chain;

// A stack that was told of before is found by the hash of all its frames.
bool ToldStacks::find_slowly(RecordRing& ring, const Caller& caller, std::uint32_t* stack) {
  const Chain chain = unwinder_.unwind(caller);
  const bool is_complete = chain.end == unwind::self::StackEnd::kComplete;
  if (!is_complete) [[unlikely]]
    ring.count_truncated_stack();
  if (const std::uint32_t unloads = ring.session()->unload_count(); unloads != unload_count_)
      [[unlikely]] {
    unload_count_ = unloads;
    forget();
  }
  *stack = index_.find(chain.hash);
  if (*stack == 0 && chain.count != 0 && !tell(ring, chain, stack)) return false;
  if (is_complete) numbers_of(unwinder_.key()).put(unwinder_.key(), *stack);
  return true;
}

// Its frames from the first on that is not that of the stack told of before, in as many records as
// they need.
bool ToldStacks::tell(RecordRing& ring, const Chain& chain, std::uint32_t* stack) {
  if (index_.count() == wire::kMostStacks) forget();
  if (!index_.make_room()) return true;
  const bool is_first = index_.count() == 0;
  if (is_first) told_count_ = 0;
  std::uint32_t at = 0;
  while (at < told_count_ && at < chain.count && told_[at] == chain.pcs[at]) ++at;
  bool goes_on = true;
  while (goes_on) {
    const std::uint32_t rest = chain.count - at;
    const std::uint32_t count = rest < wire::kMostFramesARecord ? rest : wire::kMostFramesARecord;
    goes_on = count != rest;
    const int detail =
        (is_first && at == 0 ? wire::kForgetsStacks : 0) | (goes_on ? wire::kGoesOn : 0);
    if (!tell_frames(ring, chain, at, count, static_cast<std::uint8_t>(detail))) return false;
    at += count;
  }
  *stack = index_.insert(chain.hash);
  return true;
}

// Before any stack has code of a module the recorder is told where it is.
bool ToldStacks::tell_frames(RecordRing& ring, const Chain& chain, std::uint32_t begin,
                             std::uint32_t count, std::uint8_t detail) {
  const std::uint32_t end = begin + count;
  ByteRange told;
  for (std::uint32_t at = begin; at < end; ++at) {
    if (told.contains(chain.pcs[at] - 1)) continue;
    if (!tell_module_of(ring, chain.pcs[at], unwinder_.scratch(), &told)) return false;
  }
  if (!ring.has_room(1 + wire::head_words(wire::RecordKind::kStack) + count)) return false;
  ring.put_time();  // another ring may have told of their modules
  ring.put(wire::stack_word(begin, count, detail));
  for (std::uint32_t at = begin; at < end; ++at) ring.put(told_[at] = chain.pcs[at]);
  told_count_ = end;
  ring.publish();
  return true;
}

}  // namespace mini::agent
