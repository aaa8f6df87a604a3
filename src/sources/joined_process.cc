#include "sources/joined_process.h"

#include <cerrno>
#include <fmt/format.h>
#include <utility>

#include "inject/loaded_modules.h"
#include "kernel/process_memory.h"
#include "sources/attach.h"
#include "sources/own_signals.h"
#include "sources/refusal.h"

namespace mini::sources {
namespace {

/// The kernel's own "no", with the way out; other errors say already what to do.
Error explain(const Error& error, pid_t pid) {
  if (error.error_number != EPERM && error.error_number != EACCES && error.error_number != ENOSYS) {
    return error;
  }
  return {fmt::format("cannot join process {}: {}", pid,
                      explain_refusal(pid, error.error_number, false)),
          error.error_number};
}

}  // namespace

JoinedProcess::JoinedProcess(const RecordOptions& options, kernel::FileKeeper keeper,
                             std::unique_ptr<inject::Attachment> attachment)
    : pid_(options.process),
      most_ns_(options.most_ns),
      handle_(options.process),
      keeper_(std::move(keeper)),
      attachment_(std::move(attachment)) {}

Result<std::unique_ptr<JoinedProcess>> JoinedProcess::join(const RecordOptions& options,
                                                           const kernel::SharedFile& channel) {
  const auto status = check_target(options.process, TargetUse::kTrace);
  if (!status) return std::unexpected(status.error());
  if (status->thread_group != options.process) {
    return fail(fmt::format("{} is a thread of process {}: type that number", options.process,
                            status->thread_group),
                ESRCH);
  }
  kernel::FileKeeper keeper;
  std::string path = channel.path();
  if (kernel::FileKeeper::is_needed(options.process)) {
    auto started = kernel::FileKeeper::start_for(channel, options.process);
    if (!started) return std::unexpected(explain(started.error(), options.process));
    keeper = std::move(*started);
    path = keeper.path();
  }
  auto attachment = inject::Attachment::attach(options.process, options.agent, path);
  if (!attachment) return std::unexpected(explain(attachment.error(), options.process));
  return std::unique_ptr<JoinedProcess>(
      new JoinedProcess(options, std::move(keeper), std::move(*attachment)));
}

// The program that it became gets the agent from its loader, if it has one, or is one.
bool JoinedProcess::is_lost() {
  const kernel::AuxiliaryVector image = kernel::read_auxv(pid_);
  if (image.entry_point.value == 0 || image.base.value != 0) return false;
  return !inject::LoaderList::find(pid_, kernel::ProcessMemory(pid_), "");
}

bool JoinedProcess::is_over(std::uint64_t now_ns, std::uint64_t begin_ns) {
  if (handle_.has_ended() || OwnSignals::end_requested()) return true;
  if (most_ns_ != 0 && now_ns - begin_ns >= most_ns_) return true;
  if (attachment_ == nullptr || attachment_->look(now_ns)) return false;
  attachment_.reset();
  is_lost_ = is_lost();
  return is_lost_;
}

void JoinedProcess::leave(const std::function<void()>& while_stopped) {
  if (attachment_ != nullptr && !handle_.has_ended()) attachment_->detach(while_stopped);
}

recording::Ending::Kind JoinedProcess::ending_of(pid_t pid, bool has_ended) const {
  using Kind = recording::Ending::Kind;
  if (has_ended) return Kind::kUnknown;  // who started it knows how
  return pid == pid_ && is_lost_ ? Kind::kExec : Kind::kDetached;
}

}  // namespace mini::sources
