// The format is that of show_map_vma in fs/proc/task_mmu.c of the kernel:
//   begin-end perm offset major:minor inode      path
#include "kernel/proc_maps.h"

#include <array>
#include <cerrno>
#include <charconv>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/types.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>

#include "base/text.h"
#include "kernel/proc_file.h"

namespace mini::kernel {
namespace {

// Takes a number off the front of `text`; it must be there and be followed by `delimiter`.
std::optional<std::uint64_t> take_number(std::string_view& text, int base, char delimiter) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  const auto used = static_cast<std::size_t>(end - text.data());
  if (error != std::errc{} || used >= text.size() || text[used] != delimiter) return std::nullopt;
  text.remove_prefix(used + 1);
  return value;
}

bool take_permissions(std::string_view& text, MapsEntry& entry) {
  if (text.size() < 5 || text[4] != ' ') return false;
  entry.read = text[0] == 'r';
  entry.write = text[1] == 'w';
  entry.execute = text[2] == 'x';
  entry.shared = text[3] == 's';
  text.remove_prefix(5);
  return true;
}

// linux/fs.h of Linux 6.11: struct procmap_query.
struct ProcmapQuery {
  __u64 size = sizeof(ProcmapQuery);
  __u64 query_flags = 0;
  __u64 query_addr = 0;
  __u64 vma_start = 0;
  __u64 vma_end = 0;
  __u64 vma_flags = 0;
  __u64 vma_page_size = 0;
  __u64 vma_offset = 0;
  __u64 inode = 0;
  __u32 dev_major = 0;
  __u32 dev_minor = 0;
  __u32 vma_name_size = 0;
  __u32 build_id_size = 0;
  __u64 vma_name_addr = 0;
  __u64 build_id_addr = 0;
};
static_assert(sizeof(ProcmapQuery) == 104);
constexpr unsigned long kProcmapQuery = _IOWR('f', 17, ProcmapQuery);
constexpr std::uint64_t kReadable = 1;
constexpr std::uint64_t kWritable = 2;
constexpr std::uint64_t kExecutable = 4;
constexpr std::uint64_t kShared = 8;

MapsEntry to_entry(const ProcmapQuery& query) {
  MapsEntry entry;
  entry.range = {Address{query.vma_start}, Address{query.vma_end}};
  entry.read = (query.vma_flags & kReadable) != 0;
  entry.write = (query.vma_flags & kWritable) != 0;
  entry.execute = (query.vma_flags & kExecutable) != 0;
  entry.shared = (query.vma_flags & kShared) != 0;
  entry.file_offset = query.vma_offset;
  entry.device = makedev(query.dev_major, query.dev_minor);
  entry.inode = query.inode;
  return entry;
}

/// Newlines are all that the kernel escapes in a path.
std::string unescaped(std::string_view path) {
  constexpr std::string_view kNewline = "\\012";
  std::string out;
  for (auto at = path.find(kNewline); at != std::string_view::npos; at = path.find(kNewline)) {
    out += path.substr(0, at);
    out += '\n';
    path.remove_prefix(at + kNewline.size());
  }
  out += path;
  return out;
}

}  // namespace

std::optional<MapsEntry> parse_maps_line(std::string_view line) {
  MapsEntry entry;
  const auto begin = take_number(line, 16, '-');
  if (!begin) return std::nullopt;
  const auto end = take_number(line, 16, ' ');
  if (!end || *end <= *begin || !take_permissions(line, entry)) return std::nullopt;
  const auto offset = take_number(line, 16, ' ');
  if (!offset) return std::nullopt;
  const auto major = take_number(line, 16, ':');
  if (!major) return std::nullopt;
  const auto minor = take_number(line, 16, ' ');
  if (!minor || *major > UINT32_MAX || *minor > UINT32_MAX) return std::nullopt;
  const auto inode = take_number(line, 10, ' ');
  if (!inode) return std::nullopt;
  entry.range = {Address{*begin}, Address{*end}};
  entry.file_offset = *offset;
  entry.device = makedev(static_cast<unsigned>(*major), static_cast<unsigned>(*minor));
  entry.inode = *inode;
  const auto path = line.find_first_not_of(' ');
  if (path != std::string_view::npos) entry.path = unescaped(line.substr(path));
  return entry;
}

std::vector<MapsEntry> parse_maps(std::string_view text, std::size_t* malformed_count) {
  std::vector<MapsEntry> entries;
  std::size_t malformed = 0;
  while (!text.empty()) {
    const std::string_view line = take_line(text);
    if (auto entry = parse_maps_line(line)) {
      entries.push_back(std::move(*entry));
    } else {
      ++malformed;
    }
  }
  if (malformed_count != nullptr) *malformed_count = malformed;
  return entries;
}

Result<std::vector<MapsEntry>> read_maps(pid_t pid) {
  auto text = read_proc_file(pid, "maps");
  if (!text) return std::unexpected(text.error());
  return parse_maps(*text);
}

std::optional<MapsEntry> MapsQuery::find(Address address) {
  if (has_ioctl_) {
    if (auto entry = find_by_ioctl(address)) return entry;
    if (has_ioctl_) return std::nullopt;
  }
  const auto entries = read_maps(pid_);
  if (!entries) return std::nullopt;
  for (const MapsEntry& entry : *entries) {
    if (entry.range.contains(address)) return entry;
  }
  return std::nullopt;
}

std::optional<MapsEntry> MapsQuery::find_by_ioctl(Address address) {
  if (!file_) {
    file_ =
        FileDescriptor(::open(fmt::format("/proc/{}/maps", pid_).c_str(), O_RDONLY | O_CLOEXEC));
  }
  std::array<char, 4096> name{};
  ProcmapQuery query;
  query.query_addr = address.value;
  query.vma_name_size = name.size();
  query.vma_name_addr = reinterpret_cast<std::uintptr_t>(name.data());
  if (::ioctl(file_.get(), kProcmapQuery, &query) != 0) {
    has_ioctl_ = errno != ENOTTY && errno != EINVAL;
    return std::nullopt;
  }
  MapsEntry entry = to_entry(query);
  if (query.vma_name_size > 0) entry.path = name.data();
  return entry;
}

}  // namespace mini::kernel
