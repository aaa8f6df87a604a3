#include "cli/input_file.h"

#include <array>
#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <fmt/format.h>
#include <memory>
#include <unistd.h>
#include <utility>

#include "views/event_facts.h"

namespace mini::cli {
namespace {

constexpr std::size_t kMostBytes = std::size_t{16} << 20U;

std::unexpected<Error> unreadable(const std::string& path, int error) {
  return fail(fmt::format("cannot read '{}': {}", path, views::errno_text(error)), error);
}

/// What a pipe holds is copied to another pipe and stays.
char first_byte_of_pipe(int fd) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return 0;
  const kernel::FileDescriptor copy(ends[0]);
  const kernel::FileDescriptor into(ends[1]);
  ssize_t copied = 0;
  do {
    copied = ::tee(fd, into.get(), 1, 0);
  } while (copied < 0 && errno == EINTR);
  char first = 0;
  return copied == 1 && ::read(copy.get(), &first, 1) == 1 ? first : '\0';
}

char first_byte_of(int fd) {
  char first = 0;
  const ssize_t count = ::pread(fd, &first, 1, 0);
  if (count < 0 && errno == ESPIPE) return first_byte_of_pipe(fd);
  return count == 1 ? first : '\0';
}

}  // namespace

Result<std::string> read_text_file(const std::string& path) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "re"),
                                                             std::fclose);
  if (file == nullptr) return unreadable(path, errno);
  std::string text;
  std::array<char, 4096> piece{};
  while (std::feof(file.get()) == 0 && std::ferror(file.get()) == 0) {
    text.append(piece.data(), std::fread(piece.data(), 1, piece.size(), file.get()));
    if (text.size() > kMostBytes) {
      return fail(fmt::format("'{}' is larger than 16 MiB: not read", path));
    }
  }
  if (std::ferror(file.get()) != 0) return unreadable(path, errno);
  return text;
}

PeekedFile::PeekedFile(std::string path, kernel::FileDescriptor fd)
    : path_(std::move(path)), fd_(std::move(fd)), first_byte_(first_byte_of(fd_.get())) {}

Result<PeekedFile> PeekedFile::open(const std::string& path) {
  kernel::FileDescriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return unreadable(path, errno);
  return PeekedFile(path, std::move(fd));
}

Result<std::string> PeekedFile::read_all() const {
  std::string text;
  std::array<char, 1 << 16> piece{};
  for (;;) {
    const ssize_t count = ::read(fd_.get(), piece.data(), piece.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return unreadable(path_, errno);
    if (count == 0) return text;
    text.append(piece.data(), static_cast<std::size_t>(count));
  }
}

}  // namespace mini::cli
