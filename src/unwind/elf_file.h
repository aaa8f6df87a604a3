// An ELF file opened for reading, its layout checked before libelf sees it.
//
// Files are the target's, hence hostile: they may be malformed, and may be truncated while we read.
// So nothing is mapped (a mapped page past a new end is SIGBUS); libelf reads what is asked for,
// and a read that comes up short is an error like any other.
#pragma once

#include <cstddef>
#include <cstdint>
#include <gelf.h>
#include <libelf.h>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace mini::unwind {

struct FileIdentity {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  friend auto operator<=>(const FileIdentity&, const FileIdentity&) = default;
};

struct Segment {  // a PT_LOAD
  std::uint64_t address = 0;
  std::uint64_t file_offset = 0;
  std::uint64_t file_size = 0;
  bool executable = false;
};

class ElfFile {
 public:
  enum class Kind : std::uint8_t {
    kLoadable,
    kAny,  // also an object file, as which dwz writes what it takes out of several files
  };

  /// Opens a regular file. With `identity`, only the file that the kernel has mapped under that
  /// device and inode; the device is not compared on file systems whose stat reports another one
  /// than /proc/PID/maps does (btrfs, overlayfs).
  static Result<std::unique_ptr<ElfFile>> open(const std::string& path,
                                               std::optional<FileIdentity> identity = {},
                                               Kind kind = Kind::kLoadable);
  /// Takes ownership of `descriptor`.
  static Result<std::unique_ptr<ElfFile>> from_descriptor(int descriptor,
                                                          Kind kind = Kind::kLoadable);
  static Result<std::unique_ptr<ElfFile>> from_memory(std::vector<std::byte> image);

  ElfFile(const ElfFile&) = delete;
  ElfFile& operator=(const ElfFile&) = delete;
  ~ElfFile();

  Elf* elf() const { return elf_; }
  std::uint64_t entry() const { return entry_; }
  std::span<const std::uint8_t> build_id() const { return build_id_; }
  std::uint64_t size_bytes() const { return size_bytes_; }

  /// What to add to the file's addresses where `file_offset` of it is mapped, executable, at
  /// `begin`; nullopt where no segment holds that offset.
  std::optional<std::uint64_t> load_bias(std::uint64_t begin, std::uint64_t file_offset) const;
  std::span<const Segment> segments() const { return segments_; }

  /// The section of that name with contents in this file, else nullptr.
  Elf_Scn* section(std::string_view name) const;
  bool has_no_sections() const { return !has_sections_; }
  bool has_debug_info() const;
  /// As it was opened; "" where it was not opened by a path.
  const std::string& path() const { return path_; }
  /// .gnu_debuglink: nullopt where there is none or its name is not a plain file name.
  struct DebugLink {
    std::string name;
    std::uint32_t checksum = 0;  // of the debug file
  };
  std::optional<DebugLink> debug_link() const;
  /// The CRC-32 of the whole file, as .gnu_debuglink has it. Reads all of it; nullopt where that
  /// fails.
  std::optional<std::uint32_t> checksum() const;
  /// The file that this one shares debug information with (dwz): nullopt where there is none, or it
  /// cannot be read.
  struct SupplementaryLink {
    std::string path;
    std::vector<std::uint8_t> build_id;
  };
  std::optional<SupplementaryLink> supplementary_link() const;
  /// Whether libdw would find one, under whatever name it takes for that of the section.
  bool has_supplementary_link() const { return has_supplementary_link_; }
  /// Unpacks, for libdw, what is compressed with zstd, where libelf does not: before 0.190, or
  /// built without it. What is malformed stays as it is. REQUIRES: unloaded_bytes() are affordable.
  void unpack_zstd_sections();
  /// A section's contents, decompressed; nullptr where it has none, or more than `largest` bytes.
  const Elf_Data* unpacked_section(Elf_Scn* section, std::uint64_t largest);
  /// Bytes that all sections that are not loaded (debug information, symbols) take, decompressed.
  std::uint64_t unloaded_bytes() const { return unloaded_bytes_; }

 private:
  ElfFile() = default;
  Result<void> load(Kind kind);
  Result<void> check_sections(std::uint64_t offset, std::size_t count, std::size_t names);
  Result<std::string> read_section_names(const Elf64_Shdr& header) const;
  Result<void> check_section(const Elf64_Shdr& header);
  Result<void> check_name(const Elf64_Shdr& header, std::string_view name);
  Result<void> read_segments();
  bool read_at(std::uint64_t offset, std::span<std::byte> out) const;
  void unpack_zstd_section(Elf_Scn* section, GElf_Shdr header);

  std::string path_;
  int descriptor_ = -1;
  std::vector<std::byte> image_;  // instead of a descriptor; libelf points into it
  Elf* elf_ = nullptr;
  std::vector<std::unique_ptr<std::byte[]>> unpacked_;  // sections; libelf points into them
  std::uint64_t size_bytes_ = 0;
  std::uint64_t entry_ = 0;
  bool has_sections_ = false;
  bool has_supplementary_link_ = false;
  std::uint64_t unloaded_bytes_ = 0;
  std::vector<Segment> segments_;
  std::vector<std::uint8_t> build_id_;
};

}  // namespace mini::unwind
