// An ELF core file, written by the kernel or by gcore: the memory of a process that is no more, its
// threads' registers, its mappings.
//
// A core is input from an adversary: every offset and size in it is checked against the file, every
// table has a limit, and what lies is left out and counted.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/memory_reader.h"
#include "base/result.h"
#include "model/inspection.h"
#include "sources/core_notes.h"

namespace mini::sources {

/// The bytes of a file by their offset: how many could be read, from the front.
using ReadAt = std::function<std::size_t(std::uint64_t offset, std::span<std::byte> out)>;

struct CoreSegment {
  AddressRange range;
  std::uint64_t file_offset = 0;
  Bytes in_file;  // from range.begin on; the rest was not written
  model::Protection protection;
};

class CoreFile final : public MemoryReader {
 public:
  /// `size`: of the file.
  static Result<std::unique_ptr<CoreFile>> parse(ReadAt read, std::uint64_t size);
  /// One that zstd has packed is unpacked first.
  static Result<std::unique_ptr<CoreFile>> open(const std::string& path);

  /// Memory that was written into the core; where it was not, the files' that were mapped there, if
  /// they are still those.
  std::size_t read(Address from, std::span<std::byte> out) const override;

  /// Reads parts that the core leaves out from this file instead of the one that was mapped.
  void use_file(const std::string& mapped_path, const std::string& path);
  /// Whether such parts of a file can be read: it is there and, as far as the core tells, the one
  /// that was mapped.
  bool has_file(const std::string& mapped_path) const;

  const std::vector<CoreSegment>& segments() const { return segments_; }      // by address
  const std::vector<CoreFileMapping>& files() const { return notes_.files; }  // by address
  /// The one that a signal ended is the first: the kernel and gcore write it so.
  const std::vector<model::InspectedThread>& threads() const { return notes_.threads; }
  /// nullopt where no signal ended it, as in gcore's.
  std::optional<model::CoreEnd> end() const { return end_of(notes_); }
  /// By a signal that its own doing brought it.
  bool has_crashed() const { return sources::has_crashed(notes_); }
  std::int64_t pid() const { return notes_.pid; }
  Address entry_of_headers() const { return notes_.program_headers; }  // AT_PHDR
  Address interpreter() const { return notes_.interpreter; }           // AT_BASE
  Bytes page_size() const { return page_size_; }
  const std::string& unpacking_loss() const { return unpacking_loss_; }  // "" for none
  std::uint64_t cut_segments() const { return cut_segments_; }           // beyond the file's end
  std::uint64_t bad_segments() const { return bad_segments_; }           // that cannot be so

 private:
  struct MappedFile;

  CoreFile(ReadAt read, std::uint64_t size) : read_(std::move(read)), size_(size) {}

  template <typename T>
  std::optional<T> object_at(std::uint64_t offset) const;
  Result<void> read_headers();
  void take_segment(std::uint64_t address, std::uint64_t memory_size, std::uint64_t offset,
                    std::uint64_t file_size, std::uint32_t flags);
  void sort_segments();
  void read_notes(std::uint64_t offset, std::uint64_t size);
  std::size_t read_piece(Address from, std::span<std::byte> out) const;
  std::size_t read_mapped_file(Address from, std::span<std::byte> out) const;
  const MappedFile* mapped_file(const CoreFileMapping& mapping) const;

  ReadAt read_;
  std::uint64_t size_;
  std::vector<CoreSegment> segments_;
  CoreNotes notes_;
  Bytes page_size_{4096};
  std::string unpacking_loss_;
  std::uint64_t cut_segments_ = 0;
  std::uint64_t bad_segments_ = 0;
  std::map<std::string, std::string> instead_;
  mutable std::map<std::string, std::shared_ptr<MappedFile>> opened_;
};

}  // namespace mini::sources
