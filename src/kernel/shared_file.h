// Memory without a name that other processes can map, and the sleep of who watches it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <sys/types.h>

#include "base/result.h"
#include "kernel/file_descriptor.h"

namespace mini::kernel {

/// A mapping of a part of a file; unmapped at the end.
class SharedMapping {
 public:
  SharedMapping() = default;
  SharedMapping(std::byte* begin, std::size_t bytes) : begin_(begin), bytes_(bytes) {}
  SharedMapping(SharedMapping&& other) noexcept;
  SharedMapping& operator=(SharedMapping&& other) noexcept;
  ~SharedMapping();
  std::byte* begin() const { return begin_; }
  /// Processes that this one forks do not have it.
  void hide_from_children() const;

 private:
  std::byte* begin_ = nullptr;
  std::size_t bytes_ = 0;
};

/// A file in memory: sparse, what was never written takes nothing.
class SharedFile {
 public:
  static Result<SharedFile> create(const char* name, std::size_t bytes);

  /// Children of ours do not have the mapping: is_mapped_by() says who came by the file.
  Result<SharedMapping> map(std::size_t offset, std::size_t bytes) const;
  /// What others open it by, as long as this process lives.
  std::string path() const;
  /// Its descriptor's, here and in a process that has inherited it.
  int number() const { return descriptor_.get(); }
  /// What it is opened by through such a process.
  std::string path_in(pid_t pid) const;
  /// Whether a process has mapped any of it; false where it may not be looked at.
  bool is_mapped_by(pid_t pid) const;
  /// Gives the memory of a part back: it reads as zeros.
  void discard(std::size_t offset, std::size_t bytes) const;

 private:
  explicit SharedFile(FileDescriptor descriptor) : descriptor_(std::move(descriptor)) {}
  FileDescriptor descriptor_;
};

/// Sleeps while *word == expected, until another process wakes it, or for `most_ns`.
void wait_for_change(std::uint32_t* word, std::uint32_t expected, std::uint64_t most_ns);
void wake_waiter(std::uint32_t* word);
void wake_waiters(std::uint32_t* word);  // all of them

/// A process that keeps its identity when its number is given to another.
class ProcessHandle {
 public:
  /// Empty, as one that has ended, where there is no such process.
  explicit ProcessHandle(pid_t pid);
  bool has_ended() const;

 private:
  FileDescriptor descriptor_;
  pid_t number_;  // by which it is known where there was no descriptor to be had; else 0
};

}  // namespace mini::kernel
