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

namespace mini::sources {

/// The bytes of a file by their offset: how many could be read, from the front.
using ReadAt = std::function<std::size_t(std::uint64_t offset, std::span<std::byte> out)>;

struct CoreSegment {
  AddressRange range;
  std::uint64_t file_offset = 0;
  Bytes in_file;  // from range.begin on; the rest was not written
  model::Protection protection;
};

/// A mapping of a file, as the core's notes tell.
struct CoreFileMapping {
  AddressRange range;
  std::uint64_t file_offset = 0;
  std::string path;
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

  const std::vector<CoreSegment>& segments() const { return segments_; }  // by address
  const std::vector<CoreFileMapping>& files() const { return files_; }    // by address
  /// The one that a signal ended is the first: the kernel and gcore write it so.
  const std::vector<model::InspectedThread>& threads() const { return threads_; }
  /// nullopt where no signal ended it, as in gcore's.
  std::optional<model::CoreEnd> end() const;
  /// By a signal that its own doing brought it.
  bool has_crashed() const;
  std::int64_t pid() const { return pid_; }
  Address entry_of_headers() const { return program_headers_; }  // AT_PHDR
  Address interpreter() const { return interpreter_; }           // AT_BASE
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
  void take_note(std::uint32_t type, std::span<const std::byte> description);
  void take_signal(std::span<const std::byte> information);
  void take_thread(std::span<const std::byte> status);
  void take_files(std::span<const std::byte> description);
  void take_auxv(std::span<const std::byte> description);
  std::size_t read_piece(Address from, std::span<std::byte> out) const;
  std::size_t read_mapped_file(Address from, std::span<std::byte> out) const;
  const MappedFile* mapped_file(const CoreFileMapping& mapping) const;

  ReadAt read_;
  std::uint64_t size_;
  std::vector<CoreSegment> segments_;
  std::vector<CoreFileMapping> files_;
  std::vector<model::InspectedThread> threads_;
  int signal_ = 0;                      // 0: none ended it
  std::optional<std::int64_t> sender_;  // the process that sent the signal, where one did
  std::int64_t pid_ = 0;
  Address program_headers_;
  Address interpreter_;
  Bytes page_size_{4096};
  std::string unpacking_loss_;
  std::uint64_t cut_segments_ = 0;
  std::uint64_t bad_segments_ = 0;
  std::map<std::string, std::string> instead_;
  mutable std::map<std::string, std::shared_ptr<MappedFile>> opened_;
};

}  // namespace mini::sources
