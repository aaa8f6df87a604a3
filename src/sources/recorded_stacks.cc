#include "sources/recorded_stacks.h"

#include <fmt/format.h>
#include <vector>

#include "base/seeded_hash.h"
#include "base/text.h"
#include "recording/reader.h"
#include "sources/recorded_modules.h"
#include "unwind/demangle.h"

namespace mini::sources {
namespace {

constexpr std::size_t kMostFrames = 64;

/// Keeps all definitions, but of the events only the stacks of blocks that are asked for.
class StackFinder final : public recording::Visitor {
 public:
  void want(Address block) { stack_of_[block.value] = {}; }

  void module(recording::ModuleNumber number, const recording::ModuleFacts& facts) override {
    modules_[number] = facts;
  }
  void frame(recording::FrameNumber number, const recording::FrameFacts& facts) override {
    frames_[number] = facts;
  }
  void source(recording::FrameNumber number,
              const std::vector<recording::SourceFrame>& lines) override {
    for (const recording::SourceFrame& line : lines) functions_[number].push_back(line.function);
  }
  void stack(recording::StackNumber number, const recording::StackFacts& facts) override {
    stacks_[number] = facts;
  }
  void allocation(const recording::Allocation& allocation) override {
    const auto wanted = stack_of_.find(allocation.address.value);
    if (wanted == stack_of_.end() || is_pool_memory(allocation.kind, allocation.address)) return;
    Stacks& stacks = wanted->second;
    const bool is_restored = allocation.kind == recording::CallKind::kRestored;
    if (!is_restored) {
      stacks = {.live = allocation.stack};
    } else if (stacks.live == 0) {
      stacks.live = stacks.freed;
    }
  }
  void free(const recording::Free& free) override {
    const auto wanted = stack_of_.find(free.address.value);
    if (wanted != stack_of_.end()) wanted->second = {.freed = wanted->second.live};
  }

  /// Innermost first; empty where the block's allocation was not recorded.
  std::vector<std::string> stack_of(Address block) {
    std::vector<std::string> names;
    const auto wanted = stack_of_.find(block.value);
    recording::StackNumber number = wanted != stack_of_.end() ? wanted->second.live : 0;
    for (std::size_t i = 0; i < kMostFrames; ++i) {
      const auto stack = stacks_.find(number);
      if (stack == stacks_.end()) break;
      add_names(stack->second.frame, names);
      number = stack->second.caller;
    }
    return names;
  }

 private:
  void add_names(recording::FrameNumber number, std::vector<std::string>& names) {
    const auto functions = functions_.find(number);
    if (functions != functions_.end()) {
      for (const std::string& function : functions->second) {
        if (!function.empty()) names.push_back(unwind::printable(function));
      }
      return;
    }
    const auto frame = frames_.find(number);
    if (frame == frames_.end()) return;
    const auto module = modules_.find(frame->second.module);
    if (module != modules_.end() && add_names(module->second, frame->second.address, names)) return;
    const std::string path = module != modules_.end() ? module->second.path : "?";
    names.push_back(
        fmt::format("{}+{:#x}", unwind::printable(path_basename(path)), frame->second.address));
  }

  /// Of a recording that goes on, which has no names so far.
  bool add_names(const recording::ModuleFacts& facts, std::uint64_t address,
                 std::vector<std::string>& names) {
    const std::size_t before = names.size();
    for (const recording::SourceFrame& line : files_.source_frames(facts, address)) {
      if (!line.function.empty()) names.push_back(unwind::printable(line.function));
    }
    return names.size() > before;
  }

  /// Of the block at an address: while it is live, and after that.
  struct Stacks {
    recording::StackNumber live = 0;
    recording::StackNumber freed = 0;
  };

  SeededMap<std::uint64_t, Stacks> stack_of_;  // by address
  SeededMap<recording::ModuleNumber, recording::ModuleFacts> modules_;
  RecordedModules files_;
  SeededMap<recording::FrameNumber, recording::FrameFacts> frames_;
  SeededMap<recording::FrameNumber, std::vector<std::string>> functions_;
  SeededMap<recording::StackNumber, recording::StackFacts> stacks_;
};

}  // namespace

Result<void> add_recorded_stacks(const std::string& recording, model::Inspection& inspection) {
  StackFinder finder;
  for (const model::HeapPin& pin : inspection.account.pins) finder.want(pin.first_block);
  const auto summary = recording::read_recording(recording, finder);
  if (!summary) return std::unexpected(summary.error());
  if (static_cast<std::int64_t>(summary->process.pid) != inspection.pid) {
    return fail(fmt::format("the recording '{}' is of process {}, not of {}", recording,
                            summary->process.pid, inspection.pid));
  }
  if (summary->allocations == 0 && !summary->ending) {
    inspection.losses.push_back(
        fmt::format("the recording '{}' has no events yet: who allocated is not known",
                    unwind::printable(recording)));
  }
  for (model::HeapPin& pin : inspection.account.pins) pin.stack = finder.stack_of(pin.first_block);
  return {};
}

}  // namespace mini::sources
