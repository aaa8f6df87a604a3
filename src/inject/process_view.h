// What has to be known of a process before one of its threads is borrowed: its modules, its code,
// and which of them are the loader, the C library and the allocator.
#pragma once

#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

#include "base/memory_reader.h"
#include "base/result.h"
#include "inject/loaded_modules.h"
#include "inject/safe_moment.h"
#include "kernel/proc_maps.h"
#include "unwind/unwinder.h"

namespace mini::inject {

class ProcessView {
 public:
  /// REQUIRES: the process is stopped, or what is read is checked again when it is.
  static Result<ProcessView> read(pid_t pid, const LoaderList& list, const MemoryReader& memory);

  const std::vector<LoadedModule>& modules() const { return modules_; }
  std::vector<unwind::ModuleMapping> code(pid_t pid) const;
  Landmarks landmarks(const MemoryReader& memory) const;

  /// The path of the file that an address is mapped from; "" where there is none.
  std::string path_at(Address address) const;
  /// Whether `address` is in the code of the module.
  bool is_code_of(const LoadedModule& module, Address address) const;

 private:
  const kernel::MapsEntry* mapping_at(Address address) const;

  std::vector<LoadedModule> modules_;
  std::vector<kernel::MapsEntry> maps_;
  Address loader_base_;
};

/// The first definition in the order of search; nullopt where nobody has it.
std::optional<Address> find_definition(std::string_view name,
                                       const std::vector<LoadedModule>& modules,
                                       const MemoryReader& memory);

}  // namespace mini::inject
