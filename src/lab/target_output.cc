#include "lab/target_output.h"

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <span>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "kernel/proc_status.h"

namespace mini::lab {
namespace {

struct Ends {
  kernel::FileDescriptor read;
  kernel::FileDescriptor write;
};

// Lines come as they were printed, without a carriage return. Both ends are empty where there is no
// pseudo terminal.
Ends open_terminal() {
  Ends ends;
  ends.read = kernel::FileDescriptor(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
  if (!ends.read || ::grantpt(ends.read.get()) != 0 || ::unlockpt(ends.read.get()) != 0) return {};
  std::array<char, 64> name{};
  if (::ptsname_r(ends.read.get(), name.data(), name.size()) != 0) return {};
  ends.write = kernel::FileDescriptor(::open(name.data(), O_RDWR | O_NOCTTY | O_CLOEXEC));
  termios settings{};
  if (!ends.write || ::tcgetattr(ends.write.get(), &settings) != 0) return {};
  settings.c_oflag &= ~static_cast<tcflag_t>(OPOST);
  if (::tcsetattr(ends.write.get(), TCSANOW, &settings) != 0) return {};
  return ends;
}

Ends open_pipe() {
  std::array<int, 2> fds{-1, -1};
  if (::pipe2(fds.data(), O_CLOEXEC) != 0) return {};
  return {kernel::FileDescriptor(fds[0]), kernel::FileDescriptor(fds[1])};
}

// The end of the line that begins at `begin`; npos where it has not come yet.
std::size_t line_end(std::string_view text, std::size_t begin) {
  const auto newline = text.find('\n', begin);
  return newline == std::string_view::npos ? newline : newline + 1;
}

std::size_t find_line(std::string_view text, std::string_view mark) {
  std::size_t begin = 0;
  while (begin < text.size() && !text.substr(begin).starts_with(mark)) {
    begin = line_end(text, begin);
    if (begin == std::string_view::npos) return begin;
  }
  return begin < text.size() ? begin : std::string_view::npos;
}

ssize_t read_piece(int fd, std::span<char> piece) {
  ssize_t size = 0;
  do {
    size = ::read(fd, piece.data(), piece.size());
  } while (size < 0 && errno == EINTR);
  return size;
}

}  // namespace

Result<std::unique_ptr<TargetOutput>> TargetOutput::open() {
  Ends ends = open_terminal();
  if (!ends.write) ends = open_pipe();
  if (!ends.write) return fail(fmt::format("cannot make a pipe: {}", std::strerror(errno)), errno);
  std::unique_ptr<TargetOutput> output(new TargetOutput);
  output->read_end_ = std::move(ends.read);
  output->write_end_ = std::move(ends.write);
  return output;
}

Bytes TargetOutput::stdio_buffer() const {
  constexpr Bytes kBufsiz{8192};  // stdio's own size where the file names none
  struct stat status{};
  if (::fstat(write_end_.get(), &status) != 0 || status.st_blksize <= 0) return kBufsiz;
  return Bytes{static_cast<std::uint64_t>(status.st_blksize)};
}

void TargetOutput::start() {
  reader_ = std::thread([this] {
    while (read_more()) {
    }
  });
}

std::string TargetOutput::collect() {
  close_write_end();
  if (reader_.joinable()) reader_.join();
  return std::move(text_);
}

bool TargetOutput::read_to_line(std::string_view mark, std::string* text) {
  while (true) {
    const std::size_t begin = find_line(text_, mark);
    const std::size_t end = begin == std::string::npos ? std::string::npos : line_end(text_, begin);
    if (end != std::string::npos) {
      *text = text_.substr(0, end);
      text_.erase(0, end);
      return true;
    }
    if (!read_more()) break;
  }
  *text = std::exchange(text_, {});
  return false;
}

// A terminal whose other end is closed reads as EIO. Its kernel passes on what was written in a
// work item of its own, and n_tty_read() waits for that item before it asks whether the other end
// is closed: what is written and closed in between has not arrived when EIO is returned
// (Linux 6.18: 1 of 12,000 terminals). After that nothing more can be written: a second read has it
// all.
bool TargetOutput::read_more() {
  std::array<char, 4096> piece{};
  ssize_t size = read_piece(read_end_.get(), piece);
  if (size < 0 && errno == EIO) size = read_piece(read_end_.get(), piece);
  if (size <= 0) return false;
  text_.append(piece.data(), static_cast<std::size_t>(size));
  return true;
}

}  // namespace mini::lab
