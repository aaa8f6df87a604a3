// Any text as a file of leak suppressions, and its patterns on any name: parsed or refused in one
// line, and a match is what trying every way to match says.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "explain/leak_suppressions.h"
#include "fuzz_target.h"

namespace {

constexpr std::size_t kLongestTried = 24;  // the plain way takes time with longer ones

void require(bool holds) {
  if (!holds) std::abort();
}

/// Whether a pattern, of which only * is special, matches all of the name.
bool matches_whole(std::string_view pattern, std::string_view name) {
  if (pattern.empty()) return name.empty();
  if (pattern.front() == '*') {
    while (pattern.size() > 1 && pattern[1] == '*') pattern.remove_prefix(1);  // one says as much
    return matches_whole(pattern.substr(1), name) ||
           (!name.empty() && matches_whole(pattern, name.substr(1)));
  }
  return !name.empty() && name.front() == pattern.front() &&
         matches_whole(pattern.substr(1), name.substr(1));
}

bool matches_plainly(std::string_view pattern, std::string_view name) {
  std::string whole;
  const bool from_begin = pattern.starts_with('^');
  if (from_begin) pattern.remove_prefix(1);
  const bool to_end = pattern.ends_with('$');
  if (to_end) pattern.remove_suffix(1);
  whole = (from_begin ? "" : "*") + std::string(pattern) + (to_end ? "" : "*");
  return matches_whole(whole, name);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // The first line is the name, the rest the file.
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::size_t line = std::min(text.find('\n'), size);
  const std::string_view name = text.substr(0, line);
  const auto parsed =
      mini::explain::parse_leak_suppressions(text.substr(std::min(line + 1, size)), "file");
  if (!parsed) {
    require(parsed.error().message.find('\n') == std::string::npos);
    return 0;
  }
  for (const auto& suppression : *parsed) {
    const std::string_view pattern = suppression.pattern;
    const bool matches = mini::explain::matches_suppression(pattern, name);
    if (pattern.size() > kLongestTried || name.size() > kLongestTried) continue;
    require(matches == matches_plainly(pattern, name));
  }
  return 0;
}
