// What is mapped executable in one address space, and the module behind each mapping.
#include "unwind/code_map.h"

#include <algorithm>
#include <utility>

namespace mini::unwind {
namespace {

bool is_same(const ModuleMapping& a, const ModuleMapping& b) {
  return a.range == b.range && a.file_offset == b.file_offset && a.device == b.device &&
         a.inode == b.inode && a.path == b.path;
}

Address begin_of(const CodeMap::Region& region) {
  return region.mapping.range.begin;
}

}  // namespace

bool CodeMap::assign(std::vector<ModuleMapping> mappings, const std::string& root) {
  std::ranges::sort(mappings, {}, [](const ModuleMapping& mapping) { return mapping.range.begin; });
  const auto same = [](const Region& region, const ModuleMapping& mapping) {
    return is_same(region.mapping, mapping);
  };
  if (root == root_ && std::ranges::equal(regions_, mappings, same)) return false;
  std::vector<Region> old = std::exchange(regions_, {});
  for (ModuleMapping& mapping : mappings) {
    const auto kept = std::ranges::lower_bound(old, mapping.range.begin, {}, begin_of);
    if (root == root_ && kept != old.end() && is_same(kept->mapping, mapping)) {
      regions_.push_back(std::move(*kept));
    } else {
      regions_.push_back({std::move(mapping), false, nullptr, 0});
    }
  }
  root_ = root;
  return true;
}

std::size_t CodeMap::index_of(std::uint64_t address) const {
  const auto after = std::ranges::upper_bound(regions_, Address{address}, {}, begin_of);
  if (after == regions_.begin() || !std::prev(after)->mapping.range.contains(Address{address}))
    return kNone;
  return static_cast<std::size_t>(std::prev(after) - regions_.begin());
}

CodeMap::Region* CodeMap::find(std::uint64_t address, const MemoryReader& memory) {
  const std::size_t index = index_of(address);
  if (index == kNone) return nullptr;
  Region& region = regions_[index];
  if (region.sought) return &region;
  region.sought = true;
  const ModuleMapping& mapping = region.mapping;
  region.module =
      mapping.path == "[vdso]" ? cache_->open_image(mapping, memory) : cache_->open(mapping, root_);
  if (region.module == nullptr) return &region;
  const auto bias = region.module->file().load_bias(mapping.range.begin.value, mapping.file_offset);
  if (bias) {
    region.bias = *bias;
  } else {
    region.module = nullptr;  // the file does not have that part: not what is mapped
  }
  return &region;
}

}  // namespace mini::unwind
