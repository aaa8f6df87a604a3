// The trace as JSON Lines, one object a line; every field is described in docs/trace-format.md.
#pragma once

#include <string>
#include <vector>

#include "views/output.h"
#include "views/trace_view.h"

namespace mini::views {

/// Changes when a field goes or its meaning changes; new fields do not change it.
inline constexpr int kJsonSchema = 1;

/// What the first line says of the trace.
struct TraceHeader {
  std::string version;  // of heapspy
  std::string machine;  // "x86_64"
  std::string kernel;   // "6.1.0-18-amd64"
  std::vector<std::string> command;
  pid_t attached_pid = 0;
  std::uint64_t started_unix_ns = 0;
  bool stacks = true;
  std::vector<std::string> filters;  // what hides events: "--min 64K"; empty: all are here
};

class JsonTraceView final : public TraceView {
 public:
  JsonTraceView(Output& output, const TraceHeader& header);

  void on_event(const model::Event& event, const model::Process& process, bool shown) override;
  void on_notice(const std::string& line) override;
  void on_end(const TraceSummary& summary) override;
  bool healthy() const override { return output_.healthy(); }

 private:
  Output& output_;
};

}  // namespace mini::views
