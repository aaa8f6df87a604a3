#include "explain/profile_ranking.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <map>
#include <set>

#include "base/text.h"
#include "explain/profile_frames.h"

namespace mini::explain {
namespace {

using model::BlockTotals;
using model::HeapProfile;

constexpr std::array<std::string_view, kMeasureCount> kMeasureNames = {
    "peak", "leaked", "allocated", "calls", "temporary", "lifetime"};
constexpr std::array<std::string_view, kGroupingCount> kGroupingNames = {
    "function", "file", "module", "thread", "size"};

std::vector<Group> group_stacks(const HeapProfile& profile, Grouping grouping) {
  std::map<std::string, BlockTotals> totals;
  for (const model::StackProfile& stack : profile.stacks) {
    totals[group_name(profile, stack, grouping)] += stack.totals;
  }
  std::vector<Group> groups;
  for (auto& [name, sum] : totals) groups.push_back({name, sum});
  return groups;
}

}  // namespace

std::string group_name(const HeapProfile& profile, const model::StackProfile& stack,
                       Grouping grouping) {
  const std::optional<ProfileFrameView> place = place_of(profile, stack.node);
  return place ? group_name(*place, grouping) : "no stack";
}

std::string group_name(const ProfileFrameView& frame, Grouping grouping) {
  const std::string& module = frame.module->path;
  if (grouping == Grouping::kModule) return module.empty() ? "code of no file" : module;
  if (grouping == Grouping::kFile) {
    if (frame.line != nullptr && !frame.line->file.empty()) return frame.line->file;
    return fmt::format("unknown, in {}",
                       module.empty() ? "code of no file" : path_basename(module));
  }
  if (frame.line == nullptr || frame.line->function.empty()) return describe(frame);
  return short_function(frame.line->function);
}

model::StackDivision division_for(Grouping grouping) {
  if (grouping == Grouping::kThread) return model::StackDivision::kThread;
  if (grouping == Grouping::kSize) return model::StackDivision::kSize;
  return model::StackDivision::kNone;
}

bool is_known(const HeapProfile& profile, Measure measure) {
  return measure != Measure::kTemporary || !profile.is_estimate;
}

std::string_view measure_name(Measure measure) {
  return kMeasureNames[static_cast<std::size_t>(measure)];
}

std::string_view grouping_name(Grouping grouping) {
  return kGroupingNames[static_cast<std::size_t>(grouping)];
}

std::uint64_t measure_of(const BlockTotals& totals, Measure measure) {
  switch (measure) {
    case Measure::kPeak:
      return totals.peak.bytes;
    case Measure::kLeaked:
      return totals.leaked().bytes;
    case Measure::kAllocated:
      return totals.allocated.bytes;
    case Measure::kCalls:
      return totals.allocated.blocks;
    case Measure::kTemporary:
      return totals.temporary.blocks;
    case Measure::kLifetime:
      return 0;
  }
  return 0;
}

double measure_of(const model::StackProfile& stack, Measure measure) {
  if (measure == Measure::kLifetime) return stack.held_byte_ns;
  return static_cast<double>(measure_of(stack.totals, measure));
}

namespace {

/// Blocks of no bytes count too.
bool has_any(const model::StackProfile& stack, Measure measure) {
  if (measure == Measure::kPeak) return stack.totals.peak.blocks != 0;
  if (measure == Measure::kLeaked) return stack.totals.leaked().blocks != 0;
  if (measure == Measure::kAllocated) return stack.totals.allocated.blocks != 0;
  return measure_of(stack, measure) > 0;
}

}  // namespace

std::vector<std::size_t> rank_stacks(const HeapProfile& profile, Measure measure) {
  // Keys that lie side by side: a compiler's recording has some 100,000 stacks.
  struct Ranked {
    std::uint64_t lost_bytes = 0;
    double amount = 0;
    std::size_t stack = 0;
  };
  std::vector<Ranked> ranked;
  for (std::size_t i = 0; i < profile.stacks.size(); ++i) {
    const model::StackProfile& stack = profile.stacks[i];
    if (!has_any(stack, measure)) continue;
    // Of leaks, those that are lost come before those that something still points to.
    const bool is_leak = measure == Measure::kLeaked;
    ranked.push_back({.lost_bytes = is_leak ? stack.totals.unreachable().bytes : 0,
                      .amount = measure_of(stack, measure),
                      .stack = i});
  }
  std::ranges::stable_sort(ranked, std::greater<>(),
                           [](const Ranked& one) { return std::pair(one.lost_bytes, one.amount); });
  std::vector<std::size_t> order;
  order.reserve(ranked.size());
  for (const Ranked& one : ranked) order.push_back(one.stack);
  return order;
}

std::string describe_size(const model::SizeProfile& size) {
  if (size.least_bytes == size.most_bytes) return format_bytes(Bytes{size.least_bytes});
  if (size.least_bytes < 1024) return fmt::format("{} to {} B", size.least_bytes, size.most_bytes);
  return fmt::format("{} to {}", format_bytes(Bytes{size.least_bytes}),
                     format_bytes(Bytes{size.most_bytes}));
}

std::string describe_thread(const model::ThreadProfile& thread) {
  if (thread.tid == 0) return "unknown thread";
  if (thread.name.empty()) return fmt::format("{}", thread.tid);
  return fmt::format("{} ({})", thread.name, thread.tid);
}

std::vector<Group> group_blocks(const HeapProfile& profile, Grouping grouping, Measure measure) {
  std::vector<Group> groups;
  if (grouping == Grouping::kSize) {
    for (const model::SizeProfile& size : profile.sizes) {
      groups.push_back({describe_size(size), size.totals});
    }
    return groups;
  }
  if (grouping == Grouping::kThread) {
    for (const model::ThreadProfile& thread : profile.threads) {
      if (thread.totals.allocated.blocks == 0) continue;
      groups.push_back({describe_thread(thread), thread.totals});
    }
  } else {
    groups = group_stacks(profile, grouping);
  }
  std::ranges::stable_sort(groups, std::greater<>(), [measure](const Group& group) {
    return measure_of(group.totals, measure);
  });
  return groups;
}

// Each frame is asked about once, however many stacks it is in; a node's caller comes before it
// (P4).
void keep_matching_stacks(HeapProfile& profile,
                          const std::function<bool(const std::string&)>& matches) {
  const auto frame_matches = [&](const model::ProfileFrame& frame) {
    return matches(profile.modules[frame.module].path) ||
           std::ranges::any_of(frame.lines, [&](const model::SourceLine& line) {
             return matches(line.function) || matches(line.file);
           });
  };
  std::vector<bool> of_frame(profile.frames.size());
  for (std::size_t i = 0; i < of_frame.size(); ++i) of_frame[i] = frame_matches(profile.frames[i]);
  std::vector<bool> of_node(profile.nodes.size());
  for (std::size_t i = 1; i < of_node.size(); ++i) {
    const model::StackNode& node = profile.nodes[i];
    of_node[i] = of_node[node.caller] || of_frame[node.frame];
  }
  std::erase_if(profile.stacks,
                [&](const model::StackProfile& stack) { return !of_node[stack.node]; });
}

std::size_t count_stacks(const HeapProfile& profile) {
  std::set<std::uint32_t> nodes;
  for (const model::StackProfile& stack : profile.stacks) nodes.insert(stack.node);
  return nodes.size();
}

BlockTotals sum_of_stacks(const HeapProfile& profile) {
  BlockTotals sum;
  for (const model::StackProfile& stack : profile.stacks) sum += stack.totals;
  return sum;
}

}  // namespace mini::explain
