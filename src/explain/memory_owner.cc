#include "explain/memory_owner.h"

#include <algorithm>
#include <string_view>

#include "base/text.h"

namespace mini::explain {
namespace {

/// What gives an allocator or a runtime away, and the shape of its mappings.
struct Known {
  std::string_view file;  // how the name of a mapped file begins; with '-', how a path ends
  std::string_view name;
  Bytes unit = {};
  bool is_aligned = false;
};

// Units: CPython's obmalloc, ARENA_SIZE (Include/internal/pycore_obmalloc.h: 1 MiB from 3.10 on,
// 256 KiB before); V8, kRegularPageSize (src/common/globals.h: 256 KiB).
constexpr Known kKnown[] = {
    {"libjemalloc.", "jemalloc"},
    {"libtcmalloc", "tcmalloc"},
    {"libmimalloc", "mimalloc"},
    {"libminimalloc.", "libminimalloc"},
    {"ld-musl-", "musl"},
    {"libc.musl-", "musl"},
    {"-musl/libc.so", "musl"},
    {"python3", "CPython obmalloc", kKiB * 256},
    {"libpython3", "CPython obmalloc", kKiB * 256},
    {"node", "V8", kKiB * 256, true},
    {"libnode.so", "V8", kKiB * 256, true},
    {"chrome", "V8", kKiB * 256, true},
    {"chromium", "V8", kKiB * 256, true},
    {"electron", "V8", kKiB * 256, true},
    {"libv8.so", "V8", kKiB * 256, true},
    {"libjvm.", "HotSpot"},
    {"libmozjs", "SpiderMonkey"},
};

bool has_file(const model::Inspection& inspection, std::string_view file) {
  return std::ranges::any_of(inspection.regions, [&](const model::MemoryRegion& region) {
    const std::string& path = region.mapping.path;
    return file.starts_with('-') ? path.ends_with(file) : path_basename(path).starts_with(file);
  });
}

}  // namespace

MemoryOwners::MemoryOwners(const model::Inspection& inspection) {
  // Of an allocator whose heap was read, all is known: nothing else is its own.
  const std::string read = inspection.heap ? inspection.heap->allocator : "";
  for (const Known& known : kKnown) {
    if (known.name != read && has_file(inspection, known.file)) {
      owners_.push_back({std::string(known.name), known.unit, known.is_aligned});
    }
  }
  if (!inspection.runtime.empty()) owners_.push_back({inspection.runtime, {}, false});
}

std::string MemoryOwners::owner_of(const model::Mapping& mapping) const {
  for (const Owner& owner : owners_) {
    if (owner.unit == Bytes{} || is_in_units(mapping.range, owner)) return owner.name;
  }
  return "";
}

std::string MemoryOwners::owner_by_shape(AddressRange range) const {
  for (const Owner& owner : owners_) {
    if (owner.unit != Bytes{} && is_in_units(range, owner)) return owner.name;
  }
  return "";
}

bool MemoryOwners::is_in_units(AddressRange range, const Owner& owner) {
  const bool begins_so = !owner.is_aligned || range.begin.value % owner.unit.count == 0;
  return begins_so && range.size().count % owner.unit.count == 0;
}

}  // namespace mini::explain
