// An ELF file opened for reading, its layout checked before libelf sees it.
#include "unwind/elf_file.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstring>
#include <elf.h>
#include <elfutils/libdwelf.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <new>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "base/checked.h"
#include "base/regular_file.h"

namespace mini::unwind {
namespace {

#if defined(__x86_64__)
constexpr std::uint16_t kMachine = EM_X86_64;
#elif defined(__aarch64__)
constexpr std::uint16_t kMachine = EM_AARCH64;
#endif

constexpr std::uint64_t kLargestFile = std::uint64_t{8} << 30;
constexpr std::size_t kMaxSegments = 1024;
constexpr std::uint64_t kLargestUncompressed = std::uint64_t{1} << 30;  // of one section
constexpr std::uint64_t kMaxBuildIdBytes = 64;
constexpr std::uint64_t kChecksumStepBytes = std::uint64_t{1} << 20;
constexpr std::uint64_t kMostNameBytes = std::uint64_t{16} << 20;  // of all sections
constexpr std::uint32_t kZstd = 2;  // ELFCOMPRESS_ZSTD of gABI; in <elf.h> since glibc 2.37

// File systems where stat's device is not the one of /proc/PID/maps (linux/magic.h).
constexpr long kStackedFileSystems[] = {0x794c7630 /* overlayfs */, 0x9123683e /* btrfs */};

bool is_file_mapped_as(int descriptor, FileIdentity identity) {
  struct stat status{};
  if (fstat(descriptor, &status) != 0 || status.st_ino != identity.inode) return false;
  if (status.st_dev == identity.device) return true;
  struct statfs file_system{};
  if (fstatfs(descriptor, &file_system) != 0) return false;
  return std::ranges::find(kStackedFileSystems, static_cast<long>(file_system.f_type)) !=
         std::end(kStackedFileSystems);
}

}  // namespace

ElfFile::~ElfFile() {
  if (elf_ != nullptr) elf_end(elf_);
  if (descriptor_ >= 0) close(descriptor_);
}

Result<std::unique_ptr<ElfFile>> ElfFile::open(const std::string& path,
                                               std::optional<FileIdentity> identity, Kind kind) {
  const auto descriptor = open_regular_file(path);
  if (!descriptor) return std::unexpected(descriptor.error());
  if (identity && !is_file_mapped_as(*descriptor, *identity)) {
    close(*descriptor);
    return fail(fmt::format("{} is no longer the file that is mapped", path));
  }
  auto file = from_descriptor(*descriptor, kind);
  if (file) (*file)->path_ = path;
  return file;
}

Result<std::unique_ptr<ElfFile>> ElfFile::from_descriptor(int descriptor, Kind kind) {
  std::unique_ptr<ElfFile> file(new ElfFile);
  file->descriptor_ = descriptor;
  struct stat status{};
  if (fstat(descriptor, &status) != 0) return fail("cannot stat an ELF file", errno);
  file->size_bytes_ = static_cast<std::uint64_t>(std::max<off_t>(status.st_size, 0));
  if (file->size_bytes_ > kLargestFile) return fail("ELF file too large");
  if (auto loaded = file->load(kind); !loaded) return std::unexpected(loaded.error());
  return file;
}

Result<std::unique_ptr<ElfFile>> ElfFile::from_memory(std::vector<std::byte> image) {
  std::unique_ptr<ElfFile> file(new ElfFile);
  file->image_ = std::move(image);
  file->size_bytes_ = file->image_.size();
  if (auto loaded = file->load(Kind::kLoadable); !loaded) return std::unexpected(loaded.error());
  return file;
}

bool ElfFile::read_at(std::uint64_t offset, std::span<std::byte> out) const {
  if (offset > size_bytes_ || size_bytes_ - offset < out.size()) return false;
  if (descriptor_ < 0) {
    std::memcpy(out.data(), image_.data() + offset, out.size());
    return true;
  }
  std::size_t done = 0;
  while (done < out.size()) {
    const ssize_t got =
        pread(descriptor_, out.data() + done, out.size() - done, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    done += static_cast<std::size_t>(got);
  }
  return true;
}

Result<void> ElfFile::load(Kind kind) {
  Elf64_Ehdr header{};
  if (!read_at(0, std::as_writable_bytes(std::span(&header, 1)))) return fail("not an ELF file");
  if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0) return fail("not an ELF file");
  if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB ||
      header.e_ident[EI_VERSION] != EV_CURRENT || header.e_machine != kMachine) {
    return fail("an ELF file of another machine");
  }
  const bool is_loadable = header.e_type == ET_EXEC || header.e_type == ET_DYN;
  if (!is_loadable && (kind == Kind::kLoadable || header.e_type != ET_REL))
    return fail("not a loadable ELF file");
  if (header.e_phnum > kMaxSegments ||
      (header.e_phnum > 0 && header.e_phentsize != sizeof(Elf64_Phdr)))
    return fail("malformed ELF program headers");
  const auto segments_end = checked_add<std::uint64_t>(
      header.e_phoff, std::uint64_t{header.e_phnum} * sizeof(Elf64_Phdr));
  if (!segments_end || *segments_end > size_bytes_) return fail("ELF program headers out of file");
  if (header.e_shoff != 0 && header.e_shnum == 0) return fail("ELF section count out of header");
  if (header.e_shoff == 0 && header.e_shnum != 0) return fail("malformed ELF section headers");
  if (header.e_shnum > 0) {
    if (header.e_shentsize != sizeof(Elf64_Shdr) || header.e_shnum >= SHN_LORESERVE ||
        header.e_shstrndx >= header.e_shnum || header.e_shoff % 8 != 0)
      return fail("malformed ELF section headers");
    const auto checked = check_sections(header.e_shoff, header.e_shnum, header.e_shstrndx);
    if (!checked) return checked;
  }
  elf_version(EV_CURRENT);
  elf_ = descriptor_ >= 0 ? elf_begin(descriptor_, ELF_C_READ, nullptr)
                          : elf_memory(reinterpret_cast<char*>(image_.data()), image_.size());
  if (elf_ == nullptr || elf_kind(elf_) != ELF_K_ELF) return fail("not an ELF file");
  entry_ = header.e_entry;
  has_sections_ = header.e_shnum > 0;
  if (auto read = read_segments(); !read) return read;
  const void* id = nullptr;
  const ssize_t id_size = dwelf_elf_gnu_build_id(elf_, &id);
  if (id_size > 0 && static_cast<std::uint64_t>(id_size) <= kMaxBuildIdBytes) {
    const auto* bytes = static_cast<const std::uint8_t*>(id);
    build_id_.assign(bytes, bytes + id_size);
  }
  return {};
}

/// libdw goes by names alone: it unpacks what is called .zdebug_…, whatever that unpacks to (a
/// magic, the size, and a zlib stream).
Result<void> ElfFile::check_name(const Elf64_Shdr& header, std::string_view name) {
  if (name.ends_with("gnu_debugaltlink")) has_supplementary_link_ = true;
  std::array<std::uint8_t, 12> packed{};
  if (!name.starts_with(".z") || header.sh_type == SHT_NOBITS || header.sh_size < packed.size() ||
      !read_at(header.sh_offset, std::as_writable_bytes(std::span(packed))) ||
      std::memcmp(packed.data(), "ZLIB", 4) != 0) {
    return {};
  }
  std::uint64_t bytes = 0;
  for (std::size_t i = 4; i < packed.size(); ++i) bytes = bytes << 8 | packed[i];
  if (bytes > kLargestUncompressed) return fail("malformed compressed ELF section");
  unloaded_bytes_ += bytes;
  return {};
}

/// Nothing where there are none that can be read.
Result<std::string> ElfFile::read_section_names(const Elf64_Shdr& header) const {
  std::string names;
  if (header.sh_type != SHT_STRTAB) return names;
  if ((header.sh_flags & SHF_COMPRESSED) != 0 || header.sh_size > kMostNameBytes)
    return fail("malformed ELF section names");
  names.resize(header.sh_size);
  if (!read_at(header.sh_offset, std::as_writable_bytes(std::span(names))))
    return fail("an ELF section is out of the file");
  return names;
}

Result<void> ElfFile::check_section(const Elf64_Shdr& header) {
  if (header.sh_offset > size_bytes_ || header.sh_size > size_bytes_ - header.sh_offset)
    return fail("an ELF section is out of the file");
  if (!std::has_single_bit(header.sh_addralign | std::uint64_t{header.sh_addralign == 0}) ||
      header.sh_addralign > (1U << 24))
    return fail("malformed ELF section alignment");
  const bool symbols = header.sh_type == SHT_SYMTAB || header.sh_type == SHT_DYNSYM;
  if (symbols && header.sh_entsize != sizeof(Elf64_Sym)) return fail("malformed ELF symbols");
  std::uint64_t bytes = header.sh_size;
  if ((header.sh_flags & SHF_COMPRESSED) != 0) {
    Elf64_Chdr compressed{};
    if (bytes < sizeof compressed ||
        !read_at(header.sh_offset, std::as_writable_bytes(std::span(&compressed, 1))) ||
        compressed.ch_size > kLargestUncompressed)
      return fail("malformed compressed ELF section");
    bytes = compressed.ch_size;
  }
  if ((header.sh_flags & SHF_ALLOC) == 0) unloaded_bytes_ += bytes;
  return {};
}

Result<void> ElfFile::check_sections(std::uint64_t offset, std::size_t count, std::size_t names) {
  const std::uint64_t table_bytes = count * sizeof(Elf64_Shdr);
  if (offset > size_bytes_ || size_bytes_ - offset < table_bytes)
    return fail("ELF section headers out of file");
  std::vector<Elf64_Shdr> headers(count);
  if (!read_at(offset, std::as_writable_bytes(std::span(headers))))
    return fail("ELF section headers out of file");
  const Result<std::string> all_names = read_section_names(headers[names]);
  if (!all_names) return std::unexpected(all_names.error());
  for (const Elf64_Shdr& header : headers) {
    if (header.sh_type == SHT_NULL || header.sh_type == SHT_NOBITS) continue;
    if (header.sh_link >= count) return fail("malformed ELF section link");
    if (auto checked = check_section(header); !checked) return checked;
    if (header.sh_name >= all_names->size()) continue;
    // Up to the zero that ends it.
    if (auto checked = check_name(header, all_names->c_str() + header.sh_name); !checked)
      return checked;
  }
  return {};
}

Result<void> ElfFile::read_segments() {
  std::size_t count = 0;
  if (elf_getphdrnum(elf_, &count) != 0) return fail("malformed ELF program headers");
  for (std::size_t i = 0; i < std::min(count, kMaxSegments); ++i) {
    GElf_Phdr header;
    if (gelf_getphdr(elf_, static_cast<int>(i), &header) == nullptr)
      return fail("malformed ELF program headers");
    if (header.p_type != PT_LOAD) continue;
    if (!checked_add<std::uint64_t>(header.p_offset, header.p_filesz) ||
        !checked_add<std::uint64_t>(header.p_vaddr, header.p_memsz))
      return fail("an ELF segment is out of the address space");
    segments_.push_back(
        {header.p_vaddr, header.p_offset, header.p_filesz, (header.p_flags & PF_X) != 0});
  }
  return {};
}

std::optional<std::uint64_t> ElfFile::load_bias(std::uint64_t begin,
                                                std::uint64_t file_offset) const {
  // The kernel maps whole pages: the page of a segment's first byte belongs to its mapping, and may
  // belong to its neighbour's too. Of those, what is executable is the one we are asked about.
  constexpr std::uint64_t kPageMask = 4095;
  const Segment* found = nullptr;
  for (const Segment& segment : segments_) {
    const std::uint64_t first = segment.file_offset & ~kPageMask;
    if (file_offset < first || file_offset >= segment.file_offset + segment.file_size) continue;
    if (found == nullptr || (segment.executable && !found->executable)) found = &segment;
  }
  if (found == nullptr) return std::nullopt;
  return begin - (found->address + (file_offset - found->file_offset));
}

Elf_Scn* ElfFile::section(std::string_view name) const {
  std::size_t names = 0;
  if (elf_getshdrstrndx(elf_, &names) != 0) return nullptr;
  for (Elf_Scn* section = elf_nextscn(elf_, nullptr); section != nullptr;
       section = elf_nextscn(elf_, section)) {
    GElf_Shdr header;
    if (gelf_getshdr(section, &header) == nullptr || header.sh_type == SHT_NOBITS) continue;
    const char* section_name = elf_strptr(elf_, names, header.sh_name);
    if (section_name != nullptr && name == section_name) return section;
  }
  return nullptr;
}

// Both of libelf's descriptors of the section, and its header, then say that it never was
// compressed. libelf itself believes the header's new size of tables of strings and symbols alone,
// which have other types.
void ElfFile::unpack_zstd_section(Elf_Scn* section, GElf_Shdr header) {
  GElf_Chdr compressed;
  if (header.sh_type != SHT_PROGBITS || (header.sh_flags & SHF_ALLOC) != 0 ||
      (header.sh_flags & SHF_COMPRESSED) == 0 || gelf_getchdr(section, &compressed) == nullptr ||
      compressed.ch_type != kZstd || compressed.ch_size > kLargestUncompressed ||
      elf_compress(section, 0, 0) >= 0) {
    return;
  }
  Elf_Data* raw = elf_rawdata(section, nullptr);
  Elf_Data* data = elf_getdata(section, nullptr);
  if (raw == nullptr || data == nullptr || raw->d_size < sizeof(Elf64_Chdr)) return;
  std::unique_ptr<std::byte[]> bytes(new (std::nothrow) std::byte[compressed.ch_size]);
  if (bytes == nullptr) return;
  const std::size_t size =
      ZSTD_decompress(bytes.get(), compressed.ch_size,
                      static_cast<const std::byte*>(raw->d_buf) + sizeof(Elf64_Chdr),
                      raw->d_size - sizeof(Elf64_Chdr));
  if (ZSTD_isError(size) != 0 || size != compressed.ch_size) return;
  header.sh_flags &= ~std::uint64_t{SHF_COMPRESSED};
  header.sh_size = size;
  if (gelf_update_shdr(section, &header) == 0) return;
  for (Elf_Data* one : {raw, data}) {
    one->d_buf = bytes.get();
    one->d_size = size;
    one->d_type = ELF_T_BYTE;
  }
  unpacked_.push_back(std::move(bytes));
}

void ElfFile::unpack_zstd_sections() {
  for (Elf_Scn* section = elf_nextscn(elf_, nullptr); section != nullptr;
       section = elf_nextscn(elf_, section)) {
    GElf_Shdr header;
    if (gelf_getshdr(section, &header) != nullptr) unpack_zstd_section(section, header);
  }
}

const Elf_Data* ElfFile::unpacked_section(Elf_Scn* section, std::uint64_t largest) {
  GElf_Shdr header;
  if (gelf_getshdr(section, &header) == nullptr || header.sh_size > largest) return nullptr;
  if ((header.sh_flags & SHF_COMPRESSED) != 0) {
    GElf_Chdr compressed;
    if (gelf_getchdr(section, &compressed) == nullptr || compressed.ch_size > largest)
      return nullptr;
    unpack_zstd_section(section, header);
    if (gelf_getshdr(section, &header) == nullptr) return nullptr;
    if ((header.sh_flags & SHF_COMPRESSED) != 0 && elf_compress(section, 0, 0) < 0) return nullptr;
  }
  return elf_rawdata(section, nullptr);
}

bool ElfFile::has_debug_info() const {
  return section(".debug_info") != nullptr || section(".zdebug_info") != nullptr;
}

// The path, a zero, and the build-id.
std::optional<ElfFile::SupplementaryLink> ElfFile::supplementary_link() const {
  Elf_Scn* const link = section(".gnu_debugaltlink");
  const Elf_Data* const data = link != nullptr ? elf_rawdata(link, nullptr) : nullptr;
  if (data == nullptr || data->d_buf == nullptr) return std::nullopt;
  const std::string_view all(static_cast<const char*>(data->d_buf), data->d_size);
  const auto end = all.find('\0');
  if (end == std::string_view::npos || end == 0 || all.size() - end - 1 > kMaxBuildIdBytes) {
    return std::nullopt;
  }
  const std::string_view id = all.substr(end + 1);
  return SupplementaryLink{.path = std::string(all.substr(0, end)),
                           .build_id = {id.begin(), id.end()}};
}

std::optional<ElfFile::DebugLink> ElfFile::debug_link() const {
  GElf_Word checksum = 0;
  const char* name =
      section(".gnu_debuglink") != nullptr ? dwelf_elf_gnu_debuglink(elf_, &checksum) : nullptr;
  if (name == nullptr || *name == '\0' || std::strchr(name, '/') != nullptr) return std::nullopt;
  return DebugLink{.name = name, .checksum = checksum};
}

std::optional<std::uint32_t> ElfFile::checksum() const {
  std::vector<std::byte> bytes(std::min(size_bytes_, kChecksumStepBytes));
  uLong sum = crc32(0, nullptr, 0);
  for (std::uint64_t offset = 0; offset < size_bytes_; offset += bytes.size()) {
    const auto part = std::span(bytes).first(std::min(bytes.size(), size_bytes_ - offset));
    if (!read_at(offset, part)) return std::nullopt;
    sum = crc32_z(sum, reinterpret_cast<const Bytef*>(part.data()), part.size());
  }
  return static_cast<std::uint32_t>(sum);
}

}  // namespace mini::unwind
