#include "kernel/vm/file_pages.h"

#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "kernel/vm/raw_syscall.h"

namespace mini::kernel::vm {
namespace {

bool begins_with(long fd, std::uintptr_t first_page) {
  char page[kFilePageBytes];
  const long bytes = raw_syscall(SYS_read, fd, &page[0], sizeof page);
  return bytes == static_cast<long>(sizeof page) &&
         std::memcmp(&page[0], reinterpret_cast<const void*>(first_page), sizeof page) == 0;
}

}  // namespace

std::uintptr_t map_file_pages(const char* path, std::uintptr_t first_page, std::uint64_t offset,
                              std::size_t bytes) {
  const char* const name = *path != '\0' ? path : "/proc/self/exe";
  const long fd = raw_syscall(SYS_openat, AT_FDCWD, name, O_RDONLY | O_CLOEXEC);
  if (is_error(fd)) return 0;
  long at = 0;
  if (begins_with(fd, first_page)) {
    at = raw_syscall(SYS_mmap, nullptr, bytes, PROT_READ, MAP_PRIVATE, fd, offset);
  }
  raw_syscall(SYS_close, fd);
  return is_error(at) ? 0 : static_cast<std::uintptr_t>(at);
}

}  // namespace mini::kernel::vm
