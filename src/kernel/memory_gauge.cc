#include "kernel/memory_gauge.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <fcntl.h>
#include <fmt/format.h>
#include <string>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "kernel/proc_maps.h"
#include "kernel/proc_status.h"

namespace mini::kernel {
namespace {

constexpr std::uint64_t kLeastRollupNs = 100'000'000;
constexpr std::uint64_t kRestOfRollup = 400;

FileDescriptor open_proc(pid_t pid, std::string_view name) {
  const std::string path = fmt::format("/proc/{}/{}", pid, name);
  return FileDescriptor(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
}

std::optional<std::uint64_t> leading_number(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return std::nullopt;
  std::uint64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data() + begin, end, number);
  return parsed.ec == std::errc() ? std::optional(number) : std::nullopt;
}

// A line "NAME:   1234 kB".
bool read_kib(std::string_view text, std::string_view name, Bytes* out) {
  const std::size_t at = text.find(name);
  if (at == std::string_view::npos) return false;
  const auto kib = leading_number(text.substr(at + name.size()));
  constexpr std::uint64_t kMostKib = std::uint64_t{1} << 50;
  if (!kib || *kib > kMostKib) return false;
  *out = Bytes{*kib * 1024};
  return true;
}

std::string_view read_small(const FileDescriptor& file, std::array<char, 4096>* buffer,
                            std::size_t most_bytes = 4096) {
  const ssize_t count = ::pread(file.get(), buffer->data(), most_bytes, 0);
  return {buffer->data(), count > 0 ? static_cast<std::size_t>(count) : 0};
}

}  // namespace

bool parse_memory_status(std::string_view text, MemoryReading* out) {
  return read_kib(text, "\nVmRSS:", &out->resident) &&
         read_kib(text, "\nVmHWM:", &out->peak_resident) &&
         read_kib(text, "\nVmSize:", &out->mapped);
}

bool parse_faults(std::string_view stat_text, MemoryReading* out) {
  // The name, field 2, may hold anything but ends with the last parenthesis.
  std::size_t at = stat_text.rfind(')');
  constexpr unsigned kMinorFaults = 10;
  constexpr unsigned kMajorFaults = 12;
  for (unsigned field = 3; at != std::string_view::npos && field <= kMajorFaults; ++field) {
    at = stat_text.find(' ', at + 1);
    if (at == std::string_view::npos) return false;
    if (field != kMinorFaults && field != kMajorFaults) continue;
    const auto faults = leading_number(stat_text.substr(at));
    if (!faults) return false;
    (field == kMinorFaults ? out->minor_faults : out->major_faults) = *faults;
    if (field == kMajorFaults) return true;
  }
  return false;
}

Bytes parse_break(std::string_view maps_text) {
  while (!maps_text.empty()) {
    const std::string_view line = take_line(maps_text);
    if (!line.ends_with(" [heap]")) continue;
    const auto entry = parse_maps_line(line);
    return entry ? entry->range.size() : Bytes{};
  }
  return {};
}

Bytes parse_resident(std::string_view statm_text) {
  const std::size_t at = statm_text.find(' ');
  if (at == std::string_view::npos) return {};
  const auto pages = leading_number(statm_text.substr(at));
  constexpr std::uint64_t kMostPages = std::uint64_t{1} << 48;
  static const auto page_bytes = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  return pages && *pages < kMostPages ? Bytes{*pages * page_bytes} : Bytes{};
}

Bytes parse_proportional(std::string_view rollup_text) {
  Bytes bytes;
  return read_kib(rollup_text, "\nPss:", &bytes) ? bytes : Bytes{};
}

void MemoryGauge::open() {
  status_ = open_proc(thread_, "status");
  stat_ = open_proc(thread_, "stat");
  statm_ = open_proc(thread_, "statm");
  maps_ = open_proc(thread_, "maps");
  rollup_ = open_proc(thread_, "smaps_rollup");
}

Bytes MemoryGauge::resident() const {
  std::array<char, 4096> buffer{};
  return parse_resident(read_small(statm_, &buffer));
}

std::optional<MemoryReading> MemoryGauge::read() {
  if (const auto reading = read_now()) return reading;
  // A main thread that has ended comes back only where another one became a program.
  const pid_t other = thread_with_memory(pid_);
  if (other == thread_ || other == pid_) return std::nullopt;
  thread_ = other;
  open();
  return read_now();
}

std::optional<MemoryReading> MemoryGauge::read_now() {
  MemoryReading reading;
  std::array<char, 4096> buffer{};
  if (!parse_memory_status(read_small(status_, &buffer), &reading) ||
      !parse_faults(read_small(stat_, &buffer), &reading)) {
    return std::nullopt;
  }
  // Read after the figures: it is of the memory that was there when the file was opened, and empty
  // once that is gone, while theirs are of the program that the process is by now.
  const std::string_view maps = read_small(maps_, &buffer, maps_bytes_);
  if (maps_ && maps.empty()) return std::nullopt;
  reading.break_bytes = parse_break(maps);
  if (reading.break_bytes == Bytes{} && maps_bytes_ < buffer.size()) {
    maps_bytes_ = buffer.size();
    reading.break_bytes = parse_break(read_small(maps_, &buffer));
  }
  if (const std::uint64_t now = monotonic_ns(); now >= next_rollup_ns_) {
    reading.proportional = parse_proportional(read_small(rollup_, &buffer));
    const std::uint64_t after = monotonic_ns();
    next_rollup_ns_ = after + std::max(kLeastRollupNs, kRestOfRollup * (after - now));
  }
  return reading;
}

}  // namespace mini::kernel
