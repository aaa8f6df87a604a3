// run_trace: puts the pieces together for a program to be started or a process to be joined.
#include "sources/trace.h"

#include <cerrno>
#include <cstring>
#include <fmt/format.h>

#include "kernel/elf_class.h"
#include "sources/attach.h"
#include "sources/launch.h"
#include "sources/own_signals.h"
#include "sources/tracer.h"

namespace mini::sources {
namespace {

Result<TraceOutcome> trace_launched(const TraceOptions& options, TraceSink& sink) {
  const auto path = resolve_command(options.command.front());
  if (!path) return std::unexpected(path.error());
  if (kernel::classify_file(*path) == kernel::FileKind::kElf32) {
    return fail(fmt::format("cannot trace {}: it is a 32-bit program: heapspy traces 64-bit ones",
                            options.command.front()),
                ENOEXEC);
  }
  const OwnSignals signals(OwnSignals::Mode::kLaunch);
  const auto launched = launch(*path, options.command, options.settings, options.use_seccomp,
                               Tracer::ptrace_options(true, options.use_seccomp), signals);
  if (!launched) return std::unexpected(launched.error());
  if (options.use_seccomp && !launched->filtered) {
    sink.on_notice(
        fmt::format("no seccomp filter could be installed ({}): every system call stops "
                    "the target, which is slower",
                    std::strerror(launched->filter_errno)));
  }
  Tracer tracer(options, sink, launched->filtered);
  tracer.add_launched(launched->pid);
  OwnSignals::pass_to(launched->pid);
  tracer.run();
  OwnSignals::pass_to(0);
  if (!tracer.started()) {
    const int error = read_exec_error(*launched);
    // The file was there a moment ago: what is missing is its interpreter.
    if (error == ENOENT) {
      return fail(fmt::format("cannot run {}: the interpreter it names is missing",
                              options.command.front()),
                  ENOEXEC);
    }
    if (error != 0) {
      return fail(fmt::format("cannot run {}: {}", options.command.front(), std::strerror(error)),
                  error);
    }
  }
  return tracer.outcome();
}

Result<TraceOutcome> trace_attached(const TraceOptions& options, TraceSink& sink) {
  const OwnSignals signals(OwnSignals::Mode::kAttach);
  if (options.most_ns != 0) {
    if (auto limited = OwnSignals::request_end_after(options.most_ns); !limited) {
      return std::unexpected(limited.error());
    }
  }
  Tracer tracer(options, sink, false);
  if (const auto attached = attach(options.attach_pid, tracer); !attached) {
    return std::unexpected(attached.error());
  }
  sink.on_notice(
      "a process that runs already can be given no seccomp filter: while it is traced every system "
      "call stops it, which is slower");
  tracer.run();
  return tracer.outcome();
}

}  // namespace

Result<TraceOutcome> run_trace(const TraceOptions& options, TraceSink& sink) {
  if (!options.command.empty()) return trace_launched(options, sink);
  if (options.attach_pid > 0) return trace_attached(options, sink);
  return fail("neither a command nor a process to trace", EINVAL);
}

}  // namespace mini::sources
