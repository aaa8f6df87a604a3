#include "base/regular_file.h"

#include <cerrno>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

namespace mini {

// Another file may have taken the name's place in between: it must not block us, nor become our
// terminal.
Result<int> open_regular_file(const std::string& path) {
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) return fail(fmt::format("cannot open {}", path), errno);
  const auto is_file = [&status] { return S_ISREG(status.st_mode); };
  if (!is_file()) return fail(fmt::format("{} is not a regular file", path));
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (file < 0) return fail(fmt::format("cannot open {}", path), errno);
  if (::fstat(file, &status) == 0 && is_file()) return file;
  ::close(file);
  return fail(fmt::format("{} is not a regular file", path));
}

}  // namespace mini
