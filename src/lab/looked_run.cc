#include "lab/looked_run.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "explain/memory_ledger.h"
#include "kernel/file_descriptor.h"
#include "lab/target_output.h"
#include "sources/inspect_process.h"
#include "sources/launch.h"
#include "views/event_facts.h"

namespace mini::lab {
namespace {

constexpr std::string_view kMark = "-- look: ";  // as lab/look.h prints it

/// A program of ours: if it is still there in the end, it is killed.
class Child {
 public:
  explicit Child(pid_t pid) : pid_(pid) {}
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    if (pid_ == 0) return;
    ::kill(pid_, SIGKILL);
    wait();
  }
  pid_t pid() const { return pid_; }
  /// Its wait status.
  int wait() {
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = 0;
    return status;
  }

 private:
  pid_t pid_;
};

struct Pipe {
  kernel::FileDescriptor read;
  kernel::FileDescriptor write;
};

Pipe make_pipe() {
  std::array<int, 2> fds{-1, -1};
  if (::pipe2(fds.data(), O_CLOEXEC) != 0) return {};
  return {kernel::FileDescriptor(fds[0]), kernel::FileDescriptor(fds[1])};
}

Result<pid_t> start(const LookRequest& request, int input, int output) {
  const auto path = sources::resolve_command(request.command.front());
  if (!path) return std::unexpected(path.error());
  sources::Variables variables = request.variables;
  variables.emplace_back("LAB_WAIT", "1");
  std::vector<std::string> environment_words = sources::environment_with(variables);
  std::vector<std::string> words = request.command;
  const std::vector<char*> environment = sources::pointers_to(environment_words);
  const std::vector<char*> arguments = sources::pointers_to(words);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, output, STDERR_FILENO);
  pid_t pid = 0;
  const int error =
      ::posix_spawn(&pid, path->c_str(), &actions, nullptr, arguments.data(), environment.data());
  ::posix_spawn_file_actions_destroy(&actions);
  if (error == 0) return pid;
  return fail(fmt::format("cannot run {}: {}", request.command.front(), std::strerror(error)),
              error);
}

// "-- look: three blocks are live\n"; what was printed before stays in `text`.
std::string take_mark(std::string* text) {
  const auto begin = text->rfind(kMark);
  std::string name = text->substr(begin + kMark.size());
  text->resize(begin);
  if (name.ends_with('\n')) name.pop_back();
  return name;
}

class Pieces final : public model::PieceSink {
 public:
  explicit Pieces(SeenHeap& seen) : seen_(seen) {}
  void restart() override {
    seen_.regions.clear();
    seen_.pieces.clear();
  }
  void begin_region(const model::HeapRegion& region) override { seen_.regions.push_back(region); }
  void piece(const model::HeapPiece& piece) override { seen_.pieces.push_back(piece); }
  void end_region() override {}

 private:
  SeenHeap& seen_;
};

}  // namespace

Result<std::string> run_with_looks(const LookRequest& request) {
  auto output = TargetOutput::open();
  if (!output) return std::unexpected(output.error());
  Pipe input = make_pipe();
  if (!input.write) return fail(fmt::format("cannot make a pipe: {}", std::strerror(errno)), errno);
  const auto pid = start(request, input.read.get(), (*output)->write_end());
  if (!pid) return std::unexpected(pid.error());
  Child child(*pid);
  input.read = {};
  (*output)->close_write_end();
  std::string printed;
  std::string text;
  while ((*output)->read_to_line(kMark, &text)) {
    Look look{.pid = child.pid(), .name = take_mark(&text), .printed = text};
    printed += look.printed;
    if (request.at_look) {
      if (const auto seen = request.at_look(look); !seen) return std::unexpected(seen.error());
    }
    [[maybe_unused]] const ssize_t written = ::write(input.write.get(), "\n", 1);
  }
  printed += text;
  const int status = child.wait();
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return printed;
  return fail(fmt::format("{}: {}{}{}", request.command.front(),
                          views::ending_of(status).description, printed.empty() ? "" : ": ",
                          printed));
}

const model::HeapPiece* SeenHeap::block(Address address) const {
  for (const model::HeapPiece& piece : pieces) {
    if (piece.user() == address) return &piece;
  }
  return nullptr;
}

Result<SeenHeap> look_at_heap(pid_t pid) {
  SeenHeap seen;
  Pieces pieces(seen);
  auto inspection = sources::inspect_process(pid, {.stop = true, .pieces = &pieces});
  if (!inspection) return std::unexpected(inspection.error());
  explain::make_memory_ledgers(*inspection);
  if (!inspection->heap) return fail(inspection->no_heap_because);
  seen.inspection = std::move(*inspection);
  return seen;
}

}  // namespace mini::lab
