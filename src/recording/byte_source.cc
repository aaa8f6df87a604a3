// Files, memory, and the window over either.
#include "recording/byte_source.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

namespace mini::recording {

namespace {

std::unexpected<Error> unreadable(const std::string& path, int error) {
  return fail(fmt::format("cannot read '{}': {}", path, std::generic_category().message(error)),
              error);
}

class FileSource final : public ByteSource {
 public:
  FileSource(int descriptor, std::string path, std::uint64_t size)
      : descriptor_(descriptor), path_(std::move(path)), size_(size) {}
  ~FileSource() override { ::close(descriptor_); }
  FileSource(const FileSource&) = delete;
  FileSource& operator=(const FileSource&) = delete;

  Result<std::size_t> read(std::span<std::uint8_t> out) override {
    for (;;) {
      const ssize_t count = ::read(descriptor_, out.data(), out.size());
      if (count >= 0) return static_cast<std::size_t>(count);
      if (errno == EINTR) continue;
      return unreadable(path_, errno);
    }
  }

  std::uint64_t size() const override { return size_; }

 private:
  int descriptor_;
  std::string path_;
  std::uint64_t size_;
};

class MemorySource final : public ByteSource {
 public:
  explicit MemorySource(ByteSpan bytes) : left_(bytes), size_(bytes.size()) {}

  Result<std::size_t> read(std::span<std::uint8_t> out) override {
    const std::size_t count = std::min(out.size(), left_.size());
    if (count != 0) std::memcpy(out.data(), left_.data(), count);
    left_ = left_.subspan(count);
    return count;
  }

  std::uint64_t size() const override { return size_; }

 private:
  ByteSpan left_;
  std::uint64_t size_;
};

}  // namespace

Result<std::unique_ptr<ByteSource>> open_source(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return unreadable(path, errno);
  struct stat facts{};
  const bool is_file = ::fstat(descriptor, &facts) == 0 && S_ISREG(facts.st_mode);
  const std::uint64_t size = is_file ? static_cast<std::uint64_t>(facts.st_size) : 0;
  return std::make_unique<FileSource>(descriptor, path, size);
}

std::unique_ptr<ByteSource> memory_source(ByteSpan bytes) {
  return std::make_unique<MemorySource>(bytes);
}

Result<std::size_t> ByteWindow::ensure(std::size_t count) {
  constexpr std::size_t kLeastRoom = 64U << 10U;
  if (end_ - begin_ >= count || at_end_) return end_ - begin_;
  if (begin_ + count > buffer_.size()) {
    // Twice the room, so that what is left over is seldom moved.
    const std::size_t room = std::max(2 * count, kLeastRoom);
    std::copy(buffer_.begin() + static_cast<std::ptrdiff_t>(begin_),
              buffer_.begin() + static_cast<std::ptrdiff_t>(end_), buffer_.begin());
    end_ -= begin_;
    begin_ = 0;
    if (buffer_.size() < room) buffer_.resize(room);
  }
  while (end_ - begin_ < count && !at_end_) {
    const auto got = source_.read(std::span(buffer_).subspan(end_));
    if (!got) return std::unexpected(got.error());
    at_end_ = *got == 0;
    end_ += *got;
  }
  return end_ - begin_;
}

}  // namespace mini::recording
