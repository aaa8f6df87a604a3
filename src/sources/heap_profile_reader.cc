// The recording of a child of fork refers to its parent's, where its first blocks are told of: that
// one is read up to the fork, and so is its parent's. Each has one parent at most, so that hostile
// files take as many readings as there are generations, not as there are paths through them.
#include "sources/heap_profile_reader.h"

#include <filesystem>
#include <utility>

#include "base/text.h"
#include "kernel/own_heap.h"
#include "recording/reader.h"
#include "sources/heap_profile_builder.h"
#include "sources/next_recording.h"

namespace mini::sources {
namespace {

// A process that is a copy of a copy, and so on.
constexpr unsigned kMostGenerations = 64;

class ReportingBuilder : public HeapProfileBuilder {
 public:
  ReportingBuilder(const std::string& path, model::TimeSpan span, std::size_t most_buckets,
                   model::StackDivision division, const ReadProgress& report,
                   const ReportingBuilder* child)
      : HeapProfileBuilder(span, most_buckets, division),
        path_(path),
        report_(report),
        child_(child) {}

  bool progress(std::uint64_t read_bytes, std::uint64_t file_bytes) override {
    if (report_) report_(read_bytes, file_bytes);
    return true;
  }
  void process(const recording::ProcessFacts& facts) override;

 private:
  bool may_read_parent(const std::string& path) const;

  const std::string& path_;
  const ReadProgress& report_;
  const ReportingBuilder* child_;  // whose parent this one is; nullptr: none's
  bool has_process_ = false;
};

/// What a recording has up to a fork. The names of its frames come after all events.
class ParentBuilder final : public ReportingBuilder {
 public:
  ParentBuilder(const std::string& path, const ReadProgress& report, const ReportingBuilder& child,
                std::uint64_t fork)
      : ReportingBuilder(path, {}, 1, {}, report, &child), fork_(fork) {}

  void process(const recording::ProcessFacts& facts) override {
    pid_ = facts.pid;
    ReportingBuilder::process(facts);
  }
  void fork(const recording::Fork& fork) override { has_forked_ |= fork.number == fork_; }
  bool wants_events() override { return !has_forked_; }
  bool has_forked() const { return has_forked_; }
  std::uint64_t pid() const { return pid_; }

 private:
  std::uint64_t fork_;
  std::uint64_t pid_ = 0;
  bool has_forked_ = false;
};

/// Not a pipe, which somebody would have to write to, nor a file that is being read already.
bool ReportingBuilder::may_read_parent(const std::string& path) const {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) return false;
  unsigned generation = 0;
  for (const ReportingBuilder* being = this; being != nullptr; being = being->child_) {
    if (std::filesystem::equivalent(being->path_, path, error)) return false;
    ++generation;
  }
  return generation <= kMostGenerations;
}

void ReportingBuilder::process(const recording::ProcessFacts& facts) {
  if (std::exchange(has_process_, true) || facts.origin.empty()) return;
  model::Inheritance inheritance;
  inheritance.state = model::Inheritance::State::kMissing;
  inheritance.recording = path_basename(facts.origin);
  inheritance.fork = facts.origin_fork;
  inheritance.parent_pid = facts.parent_pid;
  const std::string path =
      (std::filesystem::path(path_).parent_path() / inheritance.recording).string();
  if (may_read_parent(path)) {
    ParentBuilder parent(path, report_, *this, facts.origin_fork);
    const bool has_forked = recording::read_recording(path, parent) && parent.has_forked();
    if (const std::string missing = parent.missing_recording(); !missing.empty()) {
      inheritance.recording = missing;
    } else if (has_forked) {
      inherit(parent);
      inheritance.parent_pid = parent.pid();
      inheritance.state = model::Inheritance::State::kKnown;
    }
  }
  set_inheritance(std::move(inheritance));
}

// Most recordings are small, and take no more memory than they need.
constexpr kernel::HeapPlan kTables{.huge_begin = Bytes{4 << 20}, .huge_end = Bytes{16 << 20}};

}  // namespace

Result<model::HeapProfile> read_heap_profile(const std::string& path, model::TimeSpan span,
                                             const ReadProgress& progress, std::size_t most_buckets,
                                             model::StackDivision division) {
  kernel::prepare_heap(kTables);
  ReportingBuilder builder(path, span, most_buckets, division, progress, nullptr);
  const auto summary = recording::read_recording(path, builder);
  if (!summary) return std::unexpected(summary.error());
  builder.name_frames();
  model::HeapProfile profile = builder.finish(*summary);
  if (profile.ending.kind == model::ProfileEnding::Kind::kExec) {
    if (auto next = next_recording(path, summary->process)) {
      profile.ending.next_executable = std::move(next->executable);
      profile.ending.next_recording = std::move(next->path);
    }
  }
  return profile;
}

}  // namespace mini::sources
