// Reads the kernel's list of mappings as far as the address that is looked for.
#include "kernel/vm/own_mappings.h"

#include <fcntl.h>
#include <string_view>
#include <sys/syscall.h>

#include "kernel/vm/raw_syscall.h"

namespace mini::kernel::vm {
namespace {

// Hexadecimal digits up to the first other character; `text` goes on behind that one.
std::uintptr_t take_address(std::string_view* text) {
  std::uintptr_t value = 0;
  std::size_t i = 0;
  for (; i < text->size(); ++i) {
    const char c = (*text)[i];
    if (c >= '0' && c <= '9') {
      value = value << 4 | static_cast<std::uintptr_t>(c - '0');
    } else if (c >= 'a' && c <= 'f') {
      value = value << 4 | static_cast<std::uintptr_t>(c - 'a' + 10);
    } else {
      break;
    }
  }
  text->remove_prefix(i < text->size() ? i + 1 : i);
  return value;
}

char* put_address(char* out, std::uintptr_t value) {
  constexpr char kDigits[] = "0123456789abcdef";
  int bits = 0;
  while (bits < 60 && value >> (bits + 4) != 0) bits += 4;
  for (; bits >= 0; bits -= 4) *out++ = kDigits[value >> bits & 15];
  return out;
}

// Not "self": that is the first thread, which shows no mappings once it has ended.
long open_list() {
  const long fd = raw_syscall(SYS_openat, AT_FDCWD, "/proc/thread-self/maps", O_RDONLY | O_CLOEXEC);
  if (!is_error(fd)) return fd;
  return raw_syscall(SYS_openat, AT_FDCWD, "/proc/self/maps", O_RDONLY | O_CLOEXEC);
}

}  // namespace

bool MappingSearch::take_line() {
  std::string_view line(&head_[0], length_);
  OwnMapping mapping;
  mapping.begin = take_address(&line);
  mapping.end = take_address(&line);
  mapping.previous_end = last_end_;
  last_end_ = mapping.end;
  if (address_ < mapping.begin) return true;  // the list is in order
  if (address_ >= mapping.end || line.size() < 4) return false;
  mapping.readable = line[0] == 'r';
  mapping.executable = line[2] == 'x';
  mapping.is_main_stack = line.ends_with(" [stack]");
  mapping_ = mapping;
  found_ = true;
  return true;
}

bool MappingSearch::take(std::span<const char> piece) {
  for (const char c : piece) {
    if (c == '\n') {
      if (take_line()) return true;
      length_ = 0;
    } else if (length_ < kHeadBytes) {
      head_[length_++] = c;
    }
  }
  return false;
}

bool find_own_mapping(std::uintptr_t address, std::span<char> buffer, OwnMapping* mapping) {
  const long fd = open_list();
  if (is_error(fd)) return false;
  MappingSearch search(address);
  for (;;) {
    const long count = raw_syscall(SYS_read, fd, buffer.data(), buffer.size());
    if (is_error(count) || count == 0) break;
    if (search.take(buffer.first(static_cast<std::size_t>(count)))) break;
  }
  raw_syscall(SYS_close, fd);
  if (search.found()) *mapping = search.mapping();
  return search.found();
}

std::size_t find_own_file(std::uintptr_t address, std::span<char> out) {
  OwnMapping mapping;
  if (!find_own_mapping(address, out, &mapping)) return 0;
  char link[64] = "/proc/self/map_files/";
  char* end = put_address(&link[sizeof "/proc/self/map_files/" - 1], mapping.begin);
  *end++ = '-';
  put_address(end, mapping.end);
  const long bytes = raw_syscall(SYS_readlinkat, AT_FDCWD, &link[0], out.data(), out.size());
  if (is_error(bytes) || static_cast<std::size_t>(bytes) == out.size()) return 0;
  return static_cast<std::size_t>(bytes);
}

}  // namespace mini::kernel::vm
