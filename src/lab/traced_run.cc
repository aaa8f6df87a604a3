#include "lab/traced_run.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>

#include "explain/explainer.h"
#include "kernel/file_descriptor.h"
#include "lab/target_output.h"
#include "sources/own_signals.h"
#include "sources/trace.h"
#include "views/terminal_event.h"

namespace mini::lab {
namespace {

class Collector final : public sources::TraceSink {
 public:
  explicit Collector(const TraceRequest& request) : request_(request) {}

  void on_event(model::Event& event, model::Process& process) override {
    explain::explain(event, process);
    if (request_.at_event) request_.at_event(event, process);
    run_.events.push_back(event);
    if (first_pid_ == 0) first_pid_ = event.pid;
    if (event.pid != first_pid_ || event.kind != model::EventKind::kProcessExit) return;
    explain::settle(process);
    run_.ledger = process.ledger;
  }
  void on_notice(const std::string& line) override { run_.notices.push_back(line); }
  void on_difference(const model::Process& /*process*/, const std::string& /*line*/) override {
    ++run_.differences;
  }

  TracedRun take() { return std::move(run_); }

 private:
  const TraceRequest& request_;
  TracedRun run_;
  pid_t first_pid_ = 0;
};

}  // namespace

Result<TracedRun> run_traced(const TraceRequest& request) {
  auto output = TargetOutput::open();
  if (!output) return std::unexpected(output.error());
  const kernel::FileDescriptor nothing(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  if (!nothing) return fail(fmt::format("cannot open /dev/null: {}", std::strerror(errno)), errno);
  sources::TraceOptions options;
  options.command = request.command;
  options.settings = {
      .variables = request.variables, .input = nothing.get(), .output = (*output)->write_end()};
  options.stacks = request.stacks;
  options.verify_every = request.compare_with_kernel ? 1 : 0;
  Collector collector(request);
  (*output)->start();
  const auto outcome = sources::run_trace(options, collector);
  std::string printed = (*output)->collect();
  if (!outcome) return std::unexpected(outcome.error());
  TracedRun run = collector.take();
  run.output = std::move(printed);
  run.exit_status = outcome->exit_status;
  run.comparisons = outcome->verified_count;
  if (run.exit_status != 0) {
    sources::OwnSignals::end_as_asked();
    return fail(fmt::format("{} ended with status {}{}{}", request.command.front(), run.exit_status,
                            run.output.empty() ? "" : ": ", run.output));
  }
  return run;
}

std::vector<const model::Event*> calls_of(const TracedRun& run, std::string_view syscall) {
  std::vector<const model::Event*> calls;
  for (const model::Event& event : run.events) {
    if (event.kind == model::EventKind::kSystemCall && event.syscall == syscall) {
      calls.push_back(&event);
    }
  }
  return calls;
}

std::int64_t break_move(const model::Event& event) {
  if (event.syscall != "brk" || !event.break_before || !event.break_after) return 0;
  return static_cast<std::int64_t>(event.break_after->value - event.break_before->value);
}

std::string show_events(const views::TextStyle& style,
                        const std::vector<const model::Event*>& events) {
  std::string text;
  for (const model::Event* event : events) views::write_event(text, style, *event, false);
  return text;
}

}  // namespace mini::lab
