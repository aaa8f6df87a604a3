// A real process under ptrace for the unwinder's tests.
#include "tracee.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <sys/ptrace.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

namespace mini::unwind {

std::size_t ProcessMemory::read(Address from, std::span<std::byte> out) const {
  ++reads_count;
  // Page by page at the remote end, so that a read across the end of a mapping is a short one.
  constexpr std::uint64_t kPage = 4096;
  std::vector<iovec> remote;
  for (std::uint64_t done = 0; done < out.size() && remote.size() < 1024;) {
    const std::uint64_t address = from.value + done;
    const std::uint64_t length = std::min(kPage - address % kPage, out.size() - done);
    // NOLINTNEXTLINE(performance-no-int-to-ptr): an address of another process
    remote.push_back({reinterpret_cast<void*>(address), static_cast<std::size_t>(length)});
    done += length;
  }
  iovec local{out.data(), out.size()};
  const ssize_t got = process_vm_readv(pid_, &local, 1, remote.data(), remote.size(), 0);
  return got < 0 ? 0 : static_cast<std::size_t>(got);
}

Tracee::Tracee(const std::vector<std::string>& argv) {
  int ends[2];
  if (pipe(ends) != 0) return;
  pid_ = fork();
  if (pid_ == 0) {
    dup2(ends[1], STDOUT_FILENO);
    close(ends[0]);
    close(ends[1]);
    std::vector<char*> arguments;
    for (const std::string& argument : argv)
      arguments.push_back(const_cast<char*>(argument.c_str()));
    arguments.push_back(nullptr);
    ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
    execv(arguments[0], arguments.data());
    _exit(127);
  }
  close(ends[1]);
  output_ = ends[0];
  int status = 0;
  thread_ = pid_;
  waitpid(pid_, &status, 0);
  ptrace(PTRACE_SETOPTIONS, pid_, nullptr,
         PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE);
}

Tracee::~Tracee() {
  if (pid_ > 0) {
    kill(pid_, SIGKILL);
    // All threads have to be waited for, or the first one's end is never reported.
    int status = 0;
    for (pid_t ended = 0; (ended = waitpid(-1, &status, __WALL)) > 0;) {
      if (ended == pid_ && !WIFSTOPPED(status)) break;
    }
  }
  if (output_ >= 0) close(output_);
}

pid_t Tracee::wait_for_stop(int* status) {
  const pid_t stopped = waitpid(-1, status, __WALL);
  if (stopped < 0 || !WIFSTOPPED(*status)) return -1;
  thread_ = stopped;
  return stopped;
}

bool Tracee::run_to_sigstop() {
  int deliver = 0;
  bool first_of_thread = false;
  while (true) {
    ptrace(PTRACE_CONT, thread_, nullptr, deliver);
    int status = 0;
    if (wait_for_stop(&status) < 0) return false;
    const int signal = WSTOPSIG(status);
    deliver = 0;
    if (status >> 8 == (SIGTRAP | PTRACE_EVENT_CLONE << 8)) {
      first_of_thread = true;  // the new thread begins with a SIGSTOP that is not its own
    } else if (signal == SIGSTOP && first_of_thread && thread_ != pid_) {
      first_of_thread = false;
    } else if (signal == SIGSTOP) {
      return true;
    } else if (signal != SIGTRAP) {
      deliver = signal;
    }
  }
}

bool Tracee::run_to_system_call(const std::vector<long>& numbers) {
  int deliver = 0;
  while (true) {
    ptrace(PTRACE_SYSCALL, thread_, nullptr, deliver);
    int status = 0;
    if (wait_for_stop(&status) < 0) return false;
    deliver = 0;
    if (WSTOPSIG(status) != (SIGTRAP | 0x80)) {
      if (WSTOPSIG(status) != SIGTRAP && WSTOPSIG(status) != SIGSTOP) deliver = WSTOPSIG(status);
      continue;
    }
    user_regs_struct state{};
    ptrace(PTRACE_GETREGS, thread_, nullptr, &state);
    const bool entering = static_cast<long>(state.rax) == -ENOSYS;
    if (entering && std::ranges::find(numbers, static_cast<long>(state.orig_rax)) != numbers.end())
      return true;
  }
}

bool Tracee::single_step() {
  ptrace(PTRACE_SINGLESTEP, thread_, nullptr, 0);
  int status = 0;
  return wait_for_stop(&status) > 0 && WSTOPSIG(status) == SIGTRAP;
}

Registers Tracee::registers() const {
  user_regs_struct s{};
  ptrace(PTRACE_GETREGS, thread_, nullptr, &s);
  Registers registers;
  registers.value = {s.rax, s.rdx, s.rcx, s.rbx, s.rsi, s.rdi, s.rbp, s.rsp, s.r8,
                     s.r9,  s.r10, s.r11, s.r12, s.r13, s.r14, s.r15, s.rip};
  return registers;
}

std::vector<ModuleMapping> Tracee::modules() const {
  std::vector<ModuleMapping> modules;
  std::ifstream maps("/proc/" + std::to_string(pid_) + "/maps");
  for (std::string line; std::getline(maps, line);) {
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
    std::uint64_t offset = 0;
    std::uint64_t inode = 0;
    unsigned major_number = 0;
    unsigned minor_number = 0;
    char protection[5] = "";
    int path_at = 0;
    if (std::sscanf(line.c_str(), "%lx-%lx %4s %lx %x:%x %lu %n", &begin, &end, protection, &offset,
                    &major_number, &minor_number, &inode, &path_at) < 7 ||
        protection[2] != 'x')
      continue;
    const std::string path = line.substr(static_cast<std::size_t>(path_at));
    if (path != "[vdso]" && !path.starts_with('/')) continue;
    modules.push_back({{Address{begin}, Address{end}},
                       offset,
                       path,
                       makedev(major_number, minor_number),
                       inode,
                       {"/proc/" + std::to_string(pid_) + "/exe"}});
  }
  return modules;
}

std::vector<std::string> Tracee::printed_lines() {
  std::vector<std::string> lines;
  std::string line;
  char c = 0;
  while (read(output_, &c, 1) == 1) {
    if (c != '\n') {
      line += c;
      continue;
    }
    if (line == "end") break;
    lines.push_back(std::exchange(line, ""));
  }
  return lines;
}

CallStackRef unwind_tracee(const Tracee& tracee, const UnwinderOptions& options) {
  Unwinder unwinder(make_module_cache(options));
  unwinder.set_modules(tracee.modules(), "/proc/" + std::to_string(tracee.pid()) + "/root");
  return unwinder.unwind(tracee.registers(), ProcessMemory(tracee.pid()));
}

std::vector<std::string> function_names(const CallStack& stack) {
  std::vector<std::string> names;
  for (const Frame& frame : stack.frames)
    names.push_back(frame.function.empty() ? "?" : frame.function);
  return names;
}

}  // namespace mini::unwind
