#include "agent/code.h"

#include "wire/clock.h"

namespace mini::agent {

constinit unwind::self::CodeTable g_code;

// A program hardly meets new code once it has begun. So that this takes next to none of its time
// where it does, there is a rest after it.
void discard_read_pages(std::uint64_t now) {
  constexpr std::uint64_t kRest = 100;                         // of what it took
  constexpr std::uint64_t kMostRest = std::uint64_t{1} << 24;  // some 6 ms
  if (!g_code.discard_read_pages(now)) return;
  const std::uint64_t end = wire::now_ticks();
  const std::uint64_t rest = kRest * (end - now);
  g_code.discard_no_pages_until(end + (rest < kMostRest ? rest : kMostRest));
}

}  // namespace mini::agent
