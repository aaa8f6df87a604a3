#include "agent/code.h"

#include "wire/clock.h"

namespace mini::agent {

constinit unwind::self::CodeTable g_code;

namespace {

// To read pages again costs more than to discard them, and a large program has room for them: a
// recording is to take 5% of its memory at the most. In a small one the rest of the agent does.
std::uint64_t kept_bytes(const wire::Slot& slot) {
  constexpr std::uint64_t kLarge = std::uint64_t{32} << 20;
  constexpr std::uint64_t kShare = 32;
  const std::uint64_t resident_bytes = slot.resident_bytes.load(std::memory_order_relaxed);
  return resident_bytes < kLarge ? 0 : resident_bytes / kShare;
}

}  // namespace

// A program hardly meets new code once it has begun. So that this takes next to none of its time
// where it does, there is a rest after it.
void discard_read_pages(std::uint64_t now, const wire::Slot& slot) {
  constexpr std::uint64_t kRest = 100;                         // of what it took
  constexpr std::uint64_t kMostRest = std::uint64_t{1} << 24;  // some 6 ms
  if (!g_code.discard_read_pages(now, kept_bytes(slot))) return;
  const std::uint64_t end = wire::now_ticks();
  const std::uint64_t rest = kRest * (end - now);
  g_code.discard_no_pages_until(end + (rest < kMostRest ? rest : kMostRest));
}

}  // namespace mini::agent
