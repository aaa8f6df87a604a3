#include "sources/unpacked_file.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <memory>
#include <span>
#include <sys/statvfs.h>
#include <unistd.h>
#include <vector>
#include <zstd.h>

#include "base/text.h"

namespace mini::sources {
namespace {

constexpr std::size_t kBlock = 4096;  // of zeros, that becomes a hole
constexpr int kMostWindowLog = 27;    // memory that a frame may ask for: 128 MiB

struct FreeStream {
  void operator()(ZSTD_DStream* stream) const { ZSTD_freeDStream(stream); }
};

std::string temporary_folder() {
  const char* const folder = std::getenv("TMPDIR");
  return folder != nullptr && *folder != '\0' ? folder : "/var/tmp";
}

kernel::FileDescriptor open_nameless(const std::string& folder) {
  kernel::FileDescriptor file(::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (file) return file;
  std::string name = folder + "/heapspy-core-XXXXXX";
  file = kernel::FileDescriptor(::mkostemp(name.data(), O_CLOEXEC));
  if (file) ::unlink(name.c_str());
  return file;
}

bool is_zero(std::span<const char> block) {
  return std::ranges::all_of(block, [](char c) { return c == 0; });
}

/// Writes what is not zero; false with errno where that fails.
class HoleyWriter {
 public:
  explicit HoleyWriter(int file) : file_(file) {}

  bool append(std::span<const char> bytes) {
    while (!bytes.empty()) {
      const auto block = bytes.first(std::min(bytes.size(), kBlock - size_ % kBlock));
      if (!is_zero(block) && !write(block)) return false;
      size_ += block.size();
      bytes = bytes.subspan(block.size());
    }
    return true;
  }
  std::uint64_t size() const { return size_; }
  std::uint64_t written() const { return written_; }

 private:
  bool write(std::span<const char> block) {
    std::size_t done = 0;
    while (done < block.size()) {
      const ssize_t count = ::pwrite(file_, block.data() + done, block.size() - done,
                                     static_cast<off_t>(size_ + done));
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) return false;
      done += static_cast<std::size_t>(count);
    }
    written_ += block.size();
    return true;
  }

  int file_;
  std::uint64_t size_ = 0;
  std::uint64_t written_ = 0;
};

/// What is unpacked goes into a file, up to a limit.
class Unpacker {
 public:
  Unpacker(int file, std::uint64_t most_written) : writer_(file), most_written_(most_written) {
    ZSTD_DCtx_setParameter(stream_.get(), ZSTD_d_windowLogMax, kMostWindowLog);
  }

  /// More of what is packed. Ends early where it is damaged: see loss().
  Result<void> unpack(std::span<const char> packed, const std::string& folder) {
    ZSTD_inBuffer input{packed.data(), packed.size(), 0};
    bool is_full = false;
    while (input.pos < input.size || (is_full && more_ != 0)) {
      ZSTD_outBuffer output{out_.data(), out_.size(), 0};
      more_ = ZSTD_decompressStream(stream_.get(), &output, &input);
      if (!writer_.append(std::span(out_).first(output.pos))) {
        return fail(fmt::format("cannot unpack it to {}: {}", folder, std::strerror(errno)));
      }
      if (ZSTD_isError(more_) != 0) {
        loss_ = fmt::format("is damaged: {}", ZSTD_getErrorName(more_));
        break;
      }
      if (writer_.written() > most_written_ || writer_.size() > kMostSize) {
        return fail(
            fmt::format("unpacked it takes more than {}, half of what is free in {}: set TMPDIR",
                        format_bytes(Bytes{writer_.written()}), folder));
      }
      is_full = output.pos == output.size;
    }
    return {};
  }
  bool is_at_an_end() const { return more_ == 0; }
  const std::string& loss() const { return loss_; }
  std::uint64_t size() const { return writer_.size(); }

 private:
  static constexpr std::uint64_t kMostSize = std::uint64_t{1} << 46;  // holes included

  std::unique_ptr<ZSTD_DStream, FreeStream> stream_{ZSTD_createDStream()};
  std::vector<char> out_ = std::vector<char>(ZSTD_DStreamOutSize());
  HoleyWriter writer_;
  std::uint64_t most_written_;
  std::size_t more_ = 0;  // of the frame is still to come
  std::string loss_;
};

std::uint64_t room_in(int file) {
  struct statvfs status{};
  if (::fstatvfs(file, &status) != 0) return 0;
  return std::uint64_t{status.f_bavail} * status.f_frsize;
}

}  // namespace

Result<UnpackedFile> unpack_zstd(int packed) {
  const std::string folder = temporary_folder();
  UnpackedFile result{.file = open_nameless(folder)};
  if (!result.file) {
    return fail(
        fmt::format("it is compressed, and no file to unpack it to can be made in {} ({}): "
                    "set TMPDIR",
                    folder, std::strerror(errno)));
  }
  Unpacker unpacker(result.file.get(), room_in(result.file.get()) / 2);
  std::vector<char> in(ZSTD_DStreamInSize());
  for (std::uint64_t at = 0; result.loss.empty();) {
    const ssize_t count = ::pread(packed, in.data(), in.size(), static_cast<off_t>(at));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) {
      if (count < 0) result.loss = fmt::format("cannot be read on: {}", std::strerror(errno));
      if (count == 0 && !unpacker.is_at_an_end()) result.loss = "ends early";
      break;
    }
    at += static_cast<std::uint64_t>(count);
    const auto packed_bytes = std::span(in).first(static_cast<std::size_t>(count));
    if (auto unpacked = unpacker.unpack(packed_bytes, folder); !unpacked) {
      return std::unexpected(unpacked.error());
    }
    result.loss = unpacker.loss();
  }
  result.size = unpacker.size();
  if (::ftruncate(result.file.get(), static_cast<off_t>(result.size)) != 0) {
    return fail(fmt::format("cannot unpack it to {}: {}", folder, std::strerror(errno)));
  }
  return result;
}

}  // namespace mini::sources
