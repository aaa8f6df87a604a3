#include "views/stack_text.h"

#include <algorithm>
#include <fmt/format.h>
#include <map>
#include <tuple>
#include <utility>

namespace mini::views {
namespace {

using explain::ProfileStackView;
using Stacks = std::vector<ProfileStackView>;
using Positions = std::vector<std::size_t>;

std::vector<std::string> callers_of(const ProfileStackView& stack, std::size_t most) {
  std::vector<std::string> callers;
  if (stack.frames.empty()) return callers;
  for (std::size_t i = stack.place + 1; i < stack.frames.size(); ++i) {
    if (callers.size() == most) {
      callers.push_back(fmt::format("{} more", stack.frames.size() - i));
      break;
    }
    callers.push_back(explain::describe(stack.frames[i]));
  }
  return callers;
}

/// The function that so many calls further in than its place was called; "" where there is none.
std::string callee_of(const ProfileStackView& stack, std::size_t further) {
  if (stack.frames.empty() || further > stack.place) return "";
  return explain::describe(stack.frames[stack.place - further]);
}

/// Those that look the same, of more than one each.
std::vector<Positions> find_alike(const std::vector<StackText>& texts) {
  std::map<std::tuple<std::string, std::vector<std::string>, std::vector<std::string>>, Positions>
      by_look;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    by_look[{texts[i].place, texts[i].callers, texts[i].callees}].push_back(i);
  }
  std::vector<Positions> alike;
  for (auto& [look, group] : by_look) {
    if (group.size() > 1) alike.push_back(std::move(group));
  }
  return alike;
}

/// Splits a group at each call further in where it parts, and each part again.
void split(const Stacks& stacks, const Positions& all, std::vector<StackText>& texts) {
  std::vector<std::pair<Positions, std::size_t>> groups = {{all, 1}};
  while (!groups.empty()) {
    const auto [group, further] = std::move(groups.back());
    groups.pop_back();
    std::map<std::string, Positions> parts;
    for (const std::size_t i : group) parts[callee_of(stacks[i], further)].push_back(i);
    for (auto& [callee, part] : parts) {
      if (callee.empty()) continue;  // no calls go further
      for (const std::size_t i : part) {
        if (parts.size() > 1) texts[i].callees.push_back(callee);
      }
      if (part.size() > 1) groups.emplace_back(std::move(part), further + 1);
    }
  }
}

/// The frames of a group at one distance from their places, and whether they are of several
/// addresses. REQUIRES: each stack has one there.
class FramesAt {
 public:
  FramesAt(const Stacks& stacks, const Positions& group, std::ptrdiff_t outwards)
      : stacks_(stacks), outwards_(outwards) {
    differ_ = std::ranges::any_of(
        group, [&](std::size_t i) { return of(i).frame->address != of(group[0]).frame->address; });
  }
  bool differ() const { return differ_; }
  std::string exactly(std::size_t i) const { return explain::describe_exactly(of(i)); }

 private:
  const explain::ProfileFrameView& of(std::size_t i) const {
    return stacks_[i].frames[stacks_[i].place + static_cast<std::size_t>(outwards_)];
  }

  const Stacks& stacks_;
  std::ptrdiff_t outwards_;
  bool differ_;
};

/// Puts addresses to the place and to those callers that are shown, where they differ.
void tell_apart_outwards(const Stacks& stacks, const Positions& group, std::size_t callers,
                         std::vector<StackText>& texts) {
  const std::size_t shown = std::min(texts[group[0]].callers.size(), callers);
  for (std::size_t further = 0; further <= shown; ++further) {
    const FramesAt frames(stacks, group, static_cast<std::ptrdiff_t>(further));
    if (!frames.differ()) continue;
    for (const std::size_t i : group) {
      (further == 0 ? texts[i].place : texts[i].callers[further - 1]) = frames.exactly(i);
    }
  }
}

/// Names the first call further in that is from or to several addresses.
void tell_apart_inwards(const Stacks& stacks, const Positions& group,
                        std::vector<StackText>& texts) {
  std::size_t deepest = SIZE_MAX;
  for (const std::size_t i : group) deepest = std::min(deepest, stacks[i].place);
  for (std::size_t further = 1; further <= deepest; ++further) {
    const FramesAt frames(stacks, group, -static_cast<std::ptrdiff_t>(further));
    if (!frames.differ()) continue;
    for (const std::size_t i : group) texts[i].callees.push_back(frames.exactly(i));
    return;
  }
}

bool have_frames(const Stacks& stacks, const Positions& group) {
  return std::ranges::none_of(group, [&](std::size_t i) { return stacks[i].frames.empty(); });
}

}  // namespace

std::vector<StackText> describe_stacks(const Stacks& stacks, std::size_t callers) {
  std::vector<StackText> texts;
  for (const ProfileStackView& stack : stacks) {
    texts.push_back({.place = explain::describe_place(stack),
                     .callers = callers_of(stack, callers),
                     .callees = {}});
  }
  for (const Positions& group : find_alike(texts)) split(stacks, group, texts);
  return texts;
}

std::vector<StackText> describe_stacks_exactly(const Stacks& stacks, std::size_t callers) {
  std::vector<StackText> texts = describe_stacks(stacks, callers);
  for (const Positions& group : find_alike(texts)) {
    if (have_frames(stacks, group)) tell_apart_outwards(stacks, group, callers, texts);
  }
  for (const Positions& group : find_alike(texts)) {
    if (have_frames(stacks, group)) tell_apart_inwards(stacks, group, texts);
  }
  return texts;
}

}  // namespace mini::views
