#include "explain/leak_suppressions.h"

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <fmt/format.h>
#include <string>
#include <utility>

#include "base/text.h"

namespace mini::explain {
namespace {

using model::HeapProfile;
using model::LeakSuppression;

constexpr std::string_view kKind = "leak:";
constexpr std::size_t kLongestQuote = 60;  // of a line that is wrong
constexpr std::size_t kNone = SIZE_MAX;

std::string_view trimmed(std::string_view text) {
  const auto is_space = [](char c) { return std::isspace(static_cast<unsigned char>(c)) != 0; };
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

/// What of a pattern must be there: "" matches everything and is a mistake.
bool says_something(std::string_view pattern) {
  return std::ranges::any_of(pattern, [](char c) { return c != '*' && c != '^' && c != '$'; });
}

/// The first suppression that matches a name of the frame.
std::size_t first_match(const HeapProfile& profile, const model::ProfileFrame& frame,
                        const std::vector<LeakSuppression>& suppressions) {
  const auto matches_frame = [&](const LeakSuppression& suppression) {
    const std::string_view pattern = suppression.pattern;
    if (matches_suppression(pattern, profile.modules[frame.module].path)) return true;
    return std::ranges::any_of(frame.lines, [pattern](const model::SourceLine& line) {
      return matches_suppression(pattern, line.function) || matches_suppression(pattern, line.file);
    });
  };
  const auto found = std::ranges::find_if(suppressions, matches_frame);
  return found == suppressions.end() ? kNone
                                     : static_cast<std::size_t>(found - suppressions.begin());
}

/// For each node of the profile, the first suppression that matches a frame of its stack. Each
/// frame is looked at once; a node's caller comes before it (P4).
std::vector<std::size_t> match_nodes(const HeapProfile& profile,
                                     const std::vector<LeakSuppression>& suppressions) {
  std::vector<std::size_t> of_frame;
  of_frame.reserve(profile.frames.size());
  for (const model::ProfileFrame& frame : profile.frames) {
    of_frame.push_back(first_match(profile, frame, suppressions));
  }
  std::vector<std::size_t> of_node(profile.nodes.size(), kNone);
  for (std::size_t i = 1; i < profile.nodes.size(); ++i) {
    const model::StackNode& node = profile.nodes[i];
    of_node[i] = std::min(of_node[node.caller], of_frame[node.frame]);
  }
  return of_node;
}

}  // namespace

Result<std::vector<LeakSuppression>> parse_leak_suppressions(std::string_view text,
                                                             std::string_view name) {
  std::vector<LeakSuppression> suppressions;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::string_view line = trimmed(take_line(text));
    if (line.empty() || line.front() == '#') continue;
    if (!line.starts_with(kKind)) {
      return fail(fmt::format("{}, line {}: '{}' is no suppression: type leak:PATTERN", name,
                              number, line.substr(0, kLongestQuote)));
    }
    const std::string_view pattern = trimmed(line.substr(kKind.size()));
    if (!says_something(pattern)) {
      return fail(
          fmt::format("{}, line {}: '{}' would match every leak: type a part of a function, "
                      "file or module",
                      name, number, line.substr(0, kLongestQuote)));
    }
    suppressions.push_back(
        {.pattern = std::string(pattern), .line = number, .stacks = 0, .matched = {}});
  }
  return suppressions;
}

bool matches_suppression(std::string_view pattern, std::string_view name) {
  bool is_anchored = pattern.starts_with('^');  // the next part begins exactly here
  if (is_anchored) pattern.remove_prefix(1);
  const bool to_end = pattern.ends_with('$');
  if (to_end) pattern.remove_suffix(1);
  // The leftmost place for each part leaves the most room to those after it.
  for (std::size_t star = pattern.find('*'); star != std::string_view::npos;
       star = pattern.find('*')) {
    const std::string_view part = pattern.substr(0, star);
    const std::size_t at = name.find(part);
    if (at == std::string_view::npos || (is_anchored && at != 0)) return false;
    name.remove_prefix(at + part.size());
    pattern.remove_prefix(star + 1);
    is_anchored = false;
  }
  if (is_anchored) return to_end ? name == pattern : name.starts_with(pattern);
  return to_end ? name.ends_with(pattern) : name.contains(pattern);
}

void suppress_leaks(HeapProfile& profile, std::vector<LeakSuppression> suppressions) {
  const std::vector<std::size_t> of_node = match_nodes(profile, suppressions);
  std::vector<bool> is_counted(profile.nodes.size());
  for (model::StackProfile& stack : profile.stacks) {
    const std::size_t match = of_node[stack.node];
    if (match == kNone || stack.totals.live.blocks == 0) continue;
    LeakSuppression& suppression = suppressions[match];
    if (!is_counted[stack.node]) ++suppression.stacks;
    is_counted[stack.node] = true;
    suppression.matched += stack.totals.live;
    profile.totals.reachable -= std::exchange(stack.totals.reachable, {});
    profile.totals.lost_indirectly -= std::exchange(stack.totals.lost_indirectly, {});
    stack.totals.suppressed = stack.totals.live;
    profile.totals.suppressed += stack.totals.live;
  }
  profile.suppressions = std::move(suppressions);
}

}  // namespace mini::explain
