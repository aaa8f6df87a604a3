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

std::uint64_t room_in(int file) {
  struct statvfs status{};
  if (::fstatvfs(file, &status) != 0) return 0;
  return std::uint64_t{status.f_bavail} * status.f_frsize;
}

}  // namespace

Result<UnpackedFile> unpack_zstd(int packed) {
  constexpr std::uint64_t kMostSize = std::uint64_t{1} << 46;  // holes included
  const std::string folder = temporary_folder();
  UnpackedFile result{.file = open_nameless(folder)};
  if (!result.file) {
    return fail(
        fmt::format("it is compressed, and no file to unpack it to can be made in {} ({}): "
                    "set TMPDIR",
                    folder, std::strerror(errno)));
  }
  const std::unique_ptr<ZSTD_DStream, FreeStream> stream(ZSTD_createDStream());
  ZSTD_DCtx_setParameter(stream.get(), ZSTD_d_windowLogMax, kMostWindowLog);
  std::vector<char> in(ZSTD_DStreamInSize());
  std::vector<char> out(ZSTD_DStreamOutSize());
  const std::uint64_t room = room_in(result.file.get()) / 2;
  HoleyWriter writer(result.file.get());
  std::size_t more = 0;  // of the frame is still to come
  for (std::uint64_t at = 0; result.loss.empty();) {
    const ssize_t count = ::pread(packed, in.data(), in.size(), static_cast<off_t>(at));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) {
      if (count < 0) result.loss = fmt::format("cannot be read on: {}", std::strerror(errno));
      if (count == 0 && more != 0) result.loss = "ends early";
      break;
    }
    at += static_cast<std::uint64_t>(count);
    ZSTD_inBuffer input{in.data(), static_cast<std::size_t>(count), 0};
    bool is_full = false;
    while (input.pos < input.size || (is_full && more != 0)) {
      ZSTD_outBuffer output{out.data(), out.size(), 0};
      more = ZSTD_decompressStream(stream.get(), &output, &input);
      if (!writer.append(std::span(out).first(output.pos))) {
        return fail(fmt::format("cannot unpack it to {}: {}", folder, std::strerror(errno)));
      }
      if (ZSTD_isError(more) != 0) {
        result.loss = fmt::format("is damaged: {}", ZSTD_getErrorName(more));
        break;
      }
      if (writer.written() > room || writer.size() > kMostSize) {
        return fail(
            fmt::format("unpacked it takes more than {}, half of what is free in {}: set "
                        "TMPDIR",
                        format_bytes(Bytes{writer.written()}), folder));
      }
      is_full = output.pos == output.size;
    }
  }
  result.size = writer.size();
  if (::ftruncate(result.file.get(), static_cast<off_t>(result.size)) != 0) {
    return fail(fmt::format("cannot unpack it to {}: {}", folder, std::strerror(errno)));
  }
  return result;
}

}  // namespace mini::sources
