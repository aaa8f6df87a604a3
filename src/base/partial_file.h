// A file that appears under its name when it is whole.
#pragma once

#include <filesystem>
#include <string>
#include <utility>

#include "base/result.h"

namespace mini {

/// Until then it has a name of its own beside it, that ends with .partial, and is deleted with this
/// object, or, of the one that was made last, by a signal that ends the process. Symbolic links
/// stay and lead to it; it has the mode and the group of what it replaces. Errors say why, not of
/// which file.
class PartialFile {
 public:
  /// An empty one. Where the name is of no file, of a pipe or a device, the error has no number.
  static Result<PartialFile> make_for(const std::string& path);
  PartialFile(PartialFile&& other) noexcept
      : place_(std::move(other.place_)), name_(std::exchange(other.name_, {})) {}
  PartialFile& operator=(PartialFile&&) = delete;
  ~PartialFile();

  const std::string& name() const { return name_; }
  /// Takes the place of what was there before.
  Result<void> appear();

 private:
  PartialFile(std::filesystem::path place, std::string name)
      : place_(std::move(place)), name_(std::move(name)) {}

  std::filesystem::path place_;
  std::string name_;  // "": it has appeared, or is another object's
};

}  // namespace mini
