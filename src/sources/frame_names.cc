#include "sources/frame_names.h"

#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

#include "kernel/own_limits.h"
#include "sources/module_file.h"
#include "sources/recorded_modules.h"

namespace mini::sources {
namespace {

constexpr std::size_t kMostFrames = std::size_t{1} << 20;  // that are named

class FrameNamer {
 public:
  explicit FrameNamer(model::HeapProfile& profile)
      : profile_(profile), losses_(profile.modules.size()) {
    kernel::raise_limits();  // each module is an open file
  }

  void name(model::ProfileFrame& frame) {
    const auto module = named_ < kMostFrames ? module_of(frame) : std::unexpected(Reason::kTooMany);
    if (!module) return miss(frame.module, module.error());
    ++named_;
    frame.has_source = true;
    for (recording::SourceFrame& source : source_frames(**module, frame.address)) {
      frame.lines.push_back(
          {std::move(source.function), std::move(source.file), source.line, source.inlined});
    }
  }

 private:
  using Reason = RecordedModules::Reason;

  std::expected<unwind::Module*, Reason> module_of(const model::ProfileFrame& frame) {
    const model::ProfileModule& facts = profile_.modules[frame.module];
    return modules_.find(facts.path, facts.build_id);
  }

  void miss(std::uint32_t module, Reason reason) {
    std::vector<model::UnnamedModule>& losses = profile_.losses.unnamed_modules;
    std::size_t& loss = losses_[module];
    if (loss == 0) {
      losses.push_back({.module = module, .reason = reason});
      loss = losses.size();
    }
    ++losses[loss - 1].frames;
  }

  model::HeapProfile& profile_;
  RecordedModules modules_;
  std::vector<std::size_t> losses_;  // by module: where it is among the profile's, plus 1
  std::size_t named_ = 0;
};

}  // namespace

void name_frames(model::HeapProfile& profile) {
  std::optional<FrameNamer> namer;
  for (model::ProfileFrame& frame : profile.frames) {
    if (frame.has_source || frame.module == 0) continue;
    if (!namer) namer.emplace(profile);
    namer->name(frame);
  }
}

}  // namespace mini::sources
