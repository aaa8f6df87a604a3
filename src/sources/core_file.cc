// The format: elf.h.
#include "sources/core_file.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <elf.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/regular_file.h"
#include "kernel/file_descriptor.h"
#include "sources/unpacked_file.h"

namespace mini::sources {
namespace {

constexpr std::uint64_t kMostSegments = 1 << 20;
constexpr std::uint64_t kMostNotes = 256 << 20;

#if defined(__aarch64__)
constexpr std::uint16_t kMachine = EM_AARCH64;
#else
constexpr std::uint16_t kMachine = EM_X86_64;
#endif

std::size_t read_file_at(int fd, std::uint64_t offset, std::span<std::byte> out) {
  std::size_t done = 0;
  while (done < out.size()) {
    const ssize_t count =
        ::pread(fd, out.data() + done, out.size() - done, static_cast<off_t>(offset + done));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    done += static_cast<std::size_t>(count);
  }
  return done;
}

bool is_zstd(int fd) {
  constexpr std::array<unsigned char, 4> kMagic = {0x28, 0xb5, 0x2f, 0xfd};
  std::array<unsigned char, 4> begin{};
  return read_file_at(fd, 0, std::as_writable_bytes(std::span(begin))) == begin.size() &&
         begin == kMagic;
}

/// What to say of a file that does not begin as a core does.
std::string what_it_is(std::span<const std::byte> begin) {
  const auto starts = [&](std::string_view magic) {
    return begin.size() >= magic.size() &&
           std::memcmp(begin.data(), magic.data(), magic.size()) == 0;
  };
  if (starts("\x28\xb5\x2f\xfd")) return "it is compressed: unpack it with 'zstd -d' first";
  if (starts("\x1f\x8b")) return "it is compressed: unpack it with 'gunzip' first";
  if (starts("\xfd"
             "7zXZ"))
    return "it is compressed: unpack it with 'unxz' first";
  if (starts("\x04\x22\x4d\x18")) return "it is compressed: unpack it with 'lz4 -d' first";
  if (!starts(ELFMAG)) return "it is no ELF file";
  return "";
}

}  // namespace

/// A file that was mapped, on this machine now.
struct CoreFile::MappedFile {
  kernel::FileDescriptor descriptor;
};

template <typename T>
std::optional<T> CoreFile::object_at(std::uint64_t offset) const {
  T object;
  const auto bytes = std::as_writable_bytes(std::span(&object, 1));
  if (offset > size_ || size_ - offset < sizeof object) return std::nullopt;
  if (read_(offset, bytes) != bytes.size()) return std::nullopt;
  return object;
}

Result<std::unique_ptr<CoreFile>> CoreFile::parse(ReadAt read, std::uint64_t size) {
  std::unique_ptr<CoreFile> core(new CoreFile(std::move(read), size));
  if (auto headers = core->read_headers(); !headers) return std::unexpected(headers.error());
  core->sort_segments();
  return core;
}

Result<std::unique_ptr<CoreFile>> CoreFile::open(const std::string& path) {
  auto file = std::make_shared<kernel::FileDescriptor>(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!*file) return fail(fmt::format("cannot open {}: {}", path, std::strerror(errno)), errno);
  struct stat status{};
  if (::fstat(file->get(), &status) != 0 || !S_ISREG(status.st_mode)) {
    return fail(fmt::format("cannot read {}: it is no regular file", path));
  }
  auto size = static_cast<std::uint64_t>(status.st_size);
  std::string loss;
  if (is_zstd(file->get())) {
    auto unpacked = unpack_zstd(file->get());
    if (!unpacked) return fail(fmt::format("cannot read {}: {}", path, unpacked.error().message));
    *file = std::move(unpacked->file);
    size = unpacked->size;
    loss = std::move(unpacked->loss);
  }
  auto core =
      parse([file](std::uint64_t offset,
                   std::span<std::byte> out) { return read_file_at(file->get(), offset, out); },
            size);
  if (!core) {
    return fail(fmt::format("{} is no core file of a 64-bit process: {}{}", path,
                            core.error().message,
                            loss.empty() ? "" : fmt::format(" (as a zstd file it {})", loss)));
  }
  (*core)->unpacking_loss_ = std::move(loss);
  return core;
}

Result<void> CoreFile::read_headers() {
  std::array<std::byte, 8> begin{};
  const std::size_t count = read_(0, begin);
  if (std::string what = what_it_is(std::span(begin).first(count)); !what.empty()) {
    return fail(std::move(what));
  }
  const auto header = object_at<Elf64_Ehdr>(0);
  if (!header) return fail("it ends within its first header");
  if (header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_ident[EI_DATA] != ELFDATA2LSB) {
    return fail("it is of a 32-bit or big-endian program");
  }
  if (header->e_type != ET_CORE) return fail("it is an ELF file, but no core");
  if (header->e_machine != kMachine) return fail("it is of another kind of processor");
  std::uint64_t segments = header->e_phnum;
  if (header->e_phnum == PN_XNUM) {
    const auto section = object_at<Elf64_Shdr>(header->e_shoff);
    segments = section ? section->sh_info : 0;
  }
  if (header->e_phentsize != sizeof(Elf64_Phdr) || segments > kMostSegments) {
    return fail("its program headers make no sense");
  }
  std::uint64_t notes_left = kMostNotes;
  for (std::uint64_t i = 0; i < segments; ++i) {
    const auto offset = checked_add(header->e_phoff, i * sizeof(Elf64_Phdr));
    const auto segment = offset ? object_at<Elf64_Phdr>(*offset) : std::nullopt;
    if (!segment) return fail("it ends within its program headers");
    if (segment->p_type == PT_LOAD) {
      take_segment(segment->p_vaddr, segment->p_memsz, segment->p_offset, segment->p_filesz,
                   segment->p_flags);
    } else if (segment->p_type == PT_NOTE) {
      const std::uint64_t size = std::min(segment->p_filesz, notes_left);
      notes_left -= size;
      read_notes(segment->p_offset, size);
    }
  }
  if (segments_.empty()) return fail("it holds no memory");
  return {};
}

void CoreFile::take_segment(std::uint64_t address, std::uint64_t memory_size, std::uint64_t offset,
                            std::uint64_t file_size, std::uint32_t flags) {
  const auto range = checked_range(Address{address}, Bytes{memory_size});
  if (!range || range->empty() || file_size > memory_size) {
    bad_segments_ += memory_size == 0 ? 0 : 1;
    return;
  }
  const std::uint64_t there = offset < size_ ? std::min(file_size, size_ - offset) : 0;
  if (there < file_size) ++cut_segments_;
  segments_.push_back({.range = *range,
                       .file_offset = offset,
                       .in_file = Bytes{there},
                       .protection = {.read = (flags & PF_R) != 0,
                                      .write = (flags & PF_W) != 0,
                                      .execute = (flags & PF_X) != 0}});
}

void CoreFile::read_notes(std::uint64_t offset, std::uint64_t size) {
  if (offset > size_) return;
  std::vector<std::byte> notes(std::min(size, size_ - offset));
  notes.resize(read_(offset, notes));
  add_notes(notes_, notes);
}

void CoreFile::sort_segments() {
  const auto by_begin = [](const auto& a) { return a.range.begin; };
  std::ranges::stable_sort(segments_, {}, by_begin);
  std::ranges::stable_sort(notes_.files, {}, by_begin);
  std::vector<CoreSegment> kept;
  for (const CoreSegment& segment : segments_) {
    if (!kept.empty() && segment.range.begin < kept.back().range.end) {
      ++bad_segments_;  // two for one address
      continue;
    }
    kept.push_back(segment);
  }
  segments_ = std::move(kept);
}

std::size_t CoreFile::read(Address from, std::span<std::byte> out) const {
  std::size_t done = 0;
  while (done < out.size()) {
    const auto at = checked_add(from.value, std::uint64_t{done});
    const std::size_t count = at ? read_piece(Address{*at}, out.subspan(done)) : 0;
    if (count == 0) break;
    done += count;
  }
  return done;
}

/// From one place: a segment's part in the core, or a file.
std::size_t CoreFile::read_piece(Address from, std::span<std::byte> out) const {
  const auto after = std::ranges::upper_bound(
      segments_, from, {}, [](const CoreSegment& segment) { return segment.range.begin; });
  Address end = after != segments_.end() ? after->range.begin : Address{UINT64_MAX};
  if (after != segments_.begin() && std::prev(after)->range.contains(from)) {
    const CoreSegment& segment = *std::prev(after);
    const Bytes offset = from - segment.range.begin;
    if (offset < segment.in_file) {
      const Bytes left = segment.in_file - offset;
      return read_(segment.file_offset + offset.count,
                   out.first(std::min<std::uint64_t>(out.size(), left.count)));
    }
    end = segment.range.end;
  }
  return read_mapped_file(from, out.first(std::min<std::uint64_t>(out.size(), (end - from).count)));
}

std::size_t CoreFile::read_mapped_file(Address from, std::span<std::byte> out) const {
  const auto after = std::ranges::upper_bound(
      notes_.files, from, {}, [](const CoreFileMapping& m) { return m.range.begin; });
  if (after == notes_.files.begin() || !std::prev(after)->range.contains(from)) return 0;
  const CoreFileMapping& mapping = *std::prev(after);
  const MappedFile* file = mapped_file(mapping);
  const auto offset = checked_add(mapping.file_offset, (from - mapping.range.begin).count);
  if (file == nullptr || !offset || *offset > INT64_MAX) return 0;
  const std::size_t wanted = std::min<std::uint64_t>(out.size(), (mapping.range.end - from).count);
  return read_file_at(file->descriptor.get(), *offset, out.first(wanted));
}

/// The kernel writes the first page of each ELF file that was mapped: the file on disk must begin
/// with the same bytes, build id included, else it is another one. Where the core has no such page
/// (a file of another kind, or its coredump_filter left it out), there is nothing to compare with.
const CoreFile::MappedFile* CoreFile::mapped_file(const CoreFileMapping& mapping) const {
  const auto known = opened_.find(mapping.path);
  if (known != opened_.end()) return known->second.get();
  auto& slot = opened_[mapping.path];
  const auto instead = instead_.find(mapping.path);
  const std::string& path = instead != instead_.end() ? instead->second : mapping.path;
  const auto descriptor = open_regular_file(path);
  if (!descriptor) return nullptr;
  auto file = std::make_shared<MappedFile>(kernel::FileDescriptor(*descriptor));
  for (const CoreFileMapping& first : notes_.files) {
    if (first.path != mapping.path || first.file_offset != 0) continue;
    std::array<std::byte, 1024> in_core{};
    std::array<std::byte, 1024> on_disk{};
    const auto segment = std::ranges::find(segments_, first.range.begin,
                                           [](const CoreSegment& s) { return s.range.begin; });
    if (segment == segments_.end() || segment->in_file.count < in_core.size()) break;
    const bool same = read_(segment->file_offset, in_core) == in_core.size() &&
                      read_file_at(file->descriptor.get(), 0, on_disk) == on_disk.size() &&
                      in_core == on_disk;
    if (!same) return nullptr;
    break;
  }
  slot = std::move(file);
  return slot.get();
}

void CoreFile::use_file(const std::string& mapped_path, const std::string& path) {
  instead_[mapped_path] = path;
}

bool CoreFile::has_file(const std::string& mapped_path) const {
  const auto mapping = std::ranges::find(notes_.files, mapped_path, &CoreFileMapping::path);
  return mapping != notes_.files.end() && mapped_file(*mapping) != nullptr;
}

}  // namespace mini::sources
