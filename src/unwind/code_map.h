// What is mapped executable in one address space, and the module behind each mapping.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/memory_reader.h"
#include "unwind/module.h"
#include "unwind/module_cache.h"

namespace mini::unwind {

class CodeMap {
 public:
  struct Region {
    ModuleMapping mapping;
    bool sought = false;             // whether `module` was asked for yet
    std::shared_ptr<Module> module;  // nullptr: not to be had
    std::uint64_t bias = 0;          // address in the target - address in the file
  };

  explicit CodeMap(std::shared_ptr<ModuleCache> cache) : cache_(std::move(cache)) {}

  /// False where nothing changes. Regions that stay keep their module.
  bool assign(std::vector<ModuleMapping> mappings, const std::string& root);

  bool contains(std::uint64_t address) const { return index_of(address) != kNone; }
  /// The region `address` is in, its module sought; nullptr where it is in none.
  Region* find(std::uint64_t address, const MemoryReader& memory);

  const ModuleCache& cache() const { return *cache_; }

 private:
  static constexpr std::size_t kNone = ~std::size_t{0};
  std::size_t index_of(std::uint64_t address) const;

  std::shared_ptr<ModuleCache> cache_;
  std::vector<Region> regions_;  // by address
  std::string root_;
};

}  // namespace mini::unwind
