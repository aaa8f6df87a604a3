// system() and popen() start a shell from inside the C library, with the environment of this
// program as it is. Where that does not lead to the recorder, the shell is told first to set it
// right, and becomes the one that was meant: of the same process, with the same command and name.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <unistd.h>

#include "agent/exec_environment.h"
#include "agent/export.h"
#include "agent/real.h"
#include "agent/session.h"
#include "kernel/vm/vm.h"

namespace mini::agent {
namespace {

namespace vm = kernel::vm;

// Far below what the kernel takes as one argument (MAX_ARG_STRLEN, 128 KiB).
constexpr std::size_t kMostBytes = std::size_t{100} << 10;

// In single quotes, where a shell takes each character as it is; a quote ends them for itself.
char* write_quoted(char* out, const char* text) {
  *out++ = '\'';
  for (; *text != '\0'; ++text) {
    if (*text == '\'') {
      out = stpcpy(out, "'\\''");
    } else {
      *out++ = *text;
    }
  }
  *out++ = '\'';
  *out = '\0';
  return out;
}

std::size_t quoted_bytes(const char* text) {
  std::size_t bytes = 3;
  for (; *text != '\0'; ++text) bytes += *text == '\'' ? 4 : 1;
  return bytes;
}

/// A command for /bin/sh that does what `command` does, with an environment as it should be.
class ShellCommand {
 public:
  explicit ShellCommand(const char* command) : command_(command) {
    if (command == nullptr) return;
    const EnvironmentPlan plan = plan_environment(environ);
    if (plan.change != EnvironmentPlan::Change::kNone) write(plan);
  }
  ShellCommand(const ShellCommand&) = delete;
  ShellCommand& operator=(const ShellCommand&) = delete;
  ~ShellCommand() {
    if (memory_ != nullptr) vm::unmap(memory_, bytes_);
  }
  const char* text() const { return memory_ != nullptr ? memory_ : command_; }

 private:
  void write(const EnvironmentPlan& plan);

  const char* command_;
  char* memory_ = nullptr;  // null: the command as it is
  std::size_t bytes_ = 0;
};

void ShellCommand::write(const EnvironmentPlan& plan) {
  // Each piece of the variables may become four bytes; so they are written, then quoted.
  const std::size_t variables = variables_bytes(plan);
  const std::size_t needed = 5 * variables + quoted_bytes(command_) + 128;
  if (needed > kMostBytes) return;
  bytes_ = (needed + wire::kPage - 1) & ~(wire::kPage - 1);
  void* const place = vm::reserve(bytes_);
  if (place == nullptr) return;
  memory_ = static_cast<char*>(place);
  if (vm::map_over(place, bytes_) != vm::MapResult::kMapped) {
    vm::unmap(place, bytes_);
    memory_ = nullptr;
    return;
  }
  char* const preload = memory_ + bytes_ - variables;
  const bool is_preloaded = write_preload(plan, preload) != preload;
  char* out = stpcpy(memory_, is_preloaded ? "export LD_PRELOAD=" : "unset LD_PRELOAD");
  if (is_preloaded) out = write_quoted(out, preload);
  if (plan.change == EnvironmentPlan::Change::kLead) {
    out = stpcpy(stpcpy(stpcpy(out, "; export "), wire::kChannelVariable), "=");
    out = write_quoted(out, plan.carried.channel());
  } else {
    out = stpcpy(stpcpy(out, "; unset "), wire::kChannelVariable);
  }
  out = write_quoted(stpcpy(out, "; exec /bin/sh -c "), command_);
  stpcpy(out, " sh");
}

}  // namespace
}  // namespace mini::agent

using namespace mini::agent;  // NOLINT: what follows has C's names

MINI_EXPORT int system(const char* command) {
  const RealFunctions& real = real_functions();
  announce_child();
  return real.system(ShellCommand(command).text());
}

MINI_EXPORT FILE* popen(const char* command, const char* modes) {
  const RealFunctions& real = real_functions();
  announce_child();
  return real.popen(ShellCommand(command).text(), modes);
}
