// Field numbers and names are those of proc(5).
#include "kernel/proc_status.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <elf.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/personality.h>
#include <vector>

#include "base/checked.h"
#include "base/text.h"
#include "kernel/proc_file.h"

namespace mini::kernel {
namespace {

constexpr int kStartBreakField = 47;

std::string_view trim_front(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  return first == std::string_view::npos ? std::string_view() : text.substr(first);
}

std::string_view take_word(std::string_view& text) {
  text = trim_front(text);
  const auto end = text.find_first_of(" \t\n");
  const std::string_view word = text.substr(0, end);
  text.remove_prefix(word.size());
  return word;
}

template <typename T>
std::optional<T> to_number(std::string_view word, int base = 10) {
  T value{};
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value, base);
  if (error != std::errc{} || end != word.data() + word.size()) return std::nullopt;
  return value;
}

std::optional<Bytes> take_pages(std::string_view& text, Bytes page_size) {
  const auto pages = to_number<std::uint64_t>(take_word(text));
  const auto bytes = pages ? checked_multiply(*pages, page_size.count) : std::nullopt;
  return bytes ? std::optional(Bytes{*bytes}) : std::nullopt;
}

void take_status_line(std::string_view key, std::string_view value, ProcessStatus& status) {
  if (key == "Tgid") status.thread_group = to_number<pid_t>(take_word(value)).value_or(0);
  if (key == "PPid") status.parent = to_number<pid_t>(take_word(value)).value_or(0);
  if (key == "TracerPid") status.tracer = to_number<pid_t>(take_word(value)).value_or(0);
  if (key == "Kthread") status.kernel_thread = take_word(value) == "1";
  if (key == "State") {
    const std::string_view word = take_word(value);
    if (!word.empty()) status.state = word.front();
  }
  if (key == "Uid") {
    take_word(value);  // the real user
    status.effective_user = to_number<std::uint32_t>(take_word(value)).value_or(0);
  }
  if (key == "Gid") {
    take_word(value);
    status.effective_group = to_number<std::uint32_t>(take_word(value)).value_or(0);
  }
  if (key == "CapEff") {
    status.effective_capabilities = to_number<std::uint64_t>(take_word(value), 16).value_or(0);
  }
  if (key == "CapPrm") {
    status.permitted_capabilities = to_number<std::uint64_t>(take_word(value), 16).value_or(0);
  }
}

}  // namespace

std::optional<ProcessStatus> parse_status(std::string_view text) {
  ProcessStatus status;
  bool has_memory = false;
  bool says_kernel_thread = false;
  while (!text.empty()) {
    const std::string_view line = take_line(text);
    const auto colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    const std::string_view key = line.substr(0, colon);
    has_memory = has_memory || key == "VmSize";
    says_kernel_thread = says_kernel_thread || key == "Kthread";
    take_status_line(key, line.substr(colon + 1), status);
  }
  if (status.thread_group <= 0) return std::nullopt;
  // Before Linux 6.8 there is no Kthread line; no memory and not a zombie means the same.
  if (!says_kernel_thread) {
    status.kernel_thread = !has_memory && !status.has_ended();
  }
  return status;
}

std::optional<ProcessStatus> read_status(pid_t pid) {
  const auto text = read_proc_file(pid, "status");
  return text ? parse_status(*text) : std::nullopt;
}

bool descends_from(pid_t pid, pid_t ancestor) {
  constexpr int kMostGenerations = 64;
  for (int i = 0; pid != ancestor; ++i) {
    const auto status = i < kMostGenerations ? read_status(pid) : std::nullopt;
    if (!status || status->parent == 0) return false;
    pid = status->parent;
  }
  return true;
}

std::optional<Address> parse_heap_start(std::string_view stat_text) {
  // The second field is the program's own name in parentheses and may hold anything.
  const auto name_end = stat_text.rfind(')');
  if (name_end == std::string_view::npos) return std::nullopt;
  stat_text.remove_prefix(name_end + 1);
  std::string_view word;
  for (int field = 3; field <= kStartBreakField; ++field) word = take_word(stat_text);
  const auto value = to_number<std::uint64_t>(word);
  if (!value || *value == 0) return std::nullopt;
  return Address{*value};
}

std::optional<Address> read_heap_start(pid_t pid) {
  const auto text = read_proc_file(pid, "stat");
  return text ? parse_heap_start(*text) : std::nullopt;
}

AuxiliaryVector parse_auxv(std::span<const std::byte> bytes) {
  AuxiliaryVector vector;
  Elf64_auxv_t entry{};
  while (bytes.size() >= sizeof entry) {
    std::memcpy(&entry, bytes.data(), sizeof entry);
    bytes = bytes.subspan(sizeof entry);
    if (entry.a_type == AT_NULL) break;
    if (entry.a_type == AT_ENTRY) vector.entry_point = Address{entry.a_un.a_val};
    if (entry.a_type == AT_BASE) vector.base = Address{entry.a_un.a_val};
    if (entry.a_type == AT_PHDR) vector.headers = Address{entry.a_un.a_val};
    if (entry.a_type == AT_PHNUM) vector.headers_count = entry.a_un.a_val;
  }
  return vector;
}

AuxiliaryVector read_auxv(pid_t pid) {
  const auto bytes = read_proc_file(pid, "auxv");
  return bytes ? parse_auxv(std::as_bytes(std::span(*bytes))) : AuxiliaryVector{};
}

// SigPnd and ShdPnd, for the thread and for the process; SigBlk, SigIgn: hexadecimal masks.
bool parse_signal_waiting(std::string_view text) {
  std::uint64_t waiting = 0;
  std::uint64_t silent = 0;
  while (!text.empty()) {
    std::string_view line = take_line(text);
    const auto colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    const std::string_view key = line.substr(0, colon);
    std::string_view value = line.substr(colon + 1);
    const bool waits = key == "SigPnd" || key == "ShdPnd";
    if (!waits && key != "SigBlk" && key != "SigIgn") continue;
    (waits ? waiting : silent) |= to_number<std::uint64_t>(take_word(value), 16).value_or(0);
  }
  return (waiting & ~silent) != 0;
}

std::optional<pid_t> parse_innermost_pid(std::string_view status_text) {
  constexpr std::string_view kName = "\nNSpid:";
  const auto at = status_text.find(kName);
  if (at == std::string_view::npos) return std::nullopt;
  std::string_view line = status_text.substr(at + kName.size());
  line = line.substr(0, line.find('\n'));
  line.remove_prefix(line.find_last_of(" \t") + 1);  // npos + 1 is 0
  pid_t number = 0;
  const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), number);
  if (error != std::errc{} || end != line.data() + line.size()) return std::nullopt;
  return number;
}

bool has_signal_waiting(pid_t tid) {
  const auto text = read_proc_file(tid, "status");
  return text && parse_signal_waiting(*text);
}

bool read_implies_exec(pid_t pid) {
  const auto text = read_proc_file(pid, "personality");
  if (!text) return false;
  std::string_view rest = *text;
  const auto persona = to_number<std::uint64_t>(take_word(rest), 16);
  return persona && (*persona & READ_IMPLIES_EXEC) != 0;
}

std::optional<MemorySize> parse_statm(std::string_view text, Bytes page_size) {
  const auto mapped = take_pages(text, page_size);
  const auto resident = take_pages(text, page_size);
  if (!mapped || !resident || *mapped == Bytes{}) return std::nullopt;  // a zombie has no memory
  return MemorySize{.mapped = *mapped, .resident = *resident};
}

std::optional<MemorySize> SizeReader::read() {
  if (!file_) {
    file_ =
        FileDescriptor(::open(fmt::format("/proc/{}/statm", pid_).c_str(), O_RDONLY | O_CLOEXEC));
  }
  std::array<char, 256> text{};
  const ssize_t count = ::pread(file_.get(), text.data(), text.size(), 0);
  if (count <= 0) return std::nullopt;
  return parse_statm({text.data(), static_cast<std::size_t>(count)}, page_size());
}

int read_ptrace_scope() {
  const FileDescriptor file(::open("/proc/sys/kernel/yama/ptrace_scope", O_RDONLY | O_CLOEXEC));
  char digit = '0';
  return file && ::read(file.get(), &digit, 1) == 1 && digit >= '0' && digit <= '9' ? digit - '0'
                                                                                    : 0;
}

Bytes page_size() {
  static const Bytes size{static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE))};
  return size;
}

pid_t thread_with_memory(pid_t pid) {
  const auto lives = [](pid_t tid) {
    const auto status = read_status(tid);
    return status && !status->has_ended();
  };
  if (lives(pid)) return pid;
  const std::vector<pid_t> threads = read_thread_ids(pid);
  const auto found = std::ranges::find_if(threads, lives);
  return found != threads.end() ? *found : pid;
}

}  // namespace mini::kernel
