// Everything read here is the target's: each list has a bound, and what is wrong ends it.
#include "inject/loaded_modules.h"

#include <array>
#include <elf.h>
#include <fmt/format.h>
#include <link.h>
#include <optional>
#include <span>

#include "inject/dynamic_module.h"
#include "kernel/proc_file.h"
#include "kernel/proc_status.h"

namespace mini::inject {
namespace {

constexpr std::size_t kMostModules = 4096;
constexpr std::size_t kMostHeaders = 256;
constexpr std::size_t kMostDynamicEntries = 4096;
constexpr std::size_t kMostPathBytes = 4096;

Address address_of(const void* target_pointer) {
  return Address{reinterpret_cast<std::uint64_t>(target_pointer)};
}

/// What the kernel loaded: the program, or the loader that was told to load it.
std::optional<LoadedModule> started_module(const kernel::AuxiliaryVector& auxv,
                                           const MemoryReader& memory) {
  std::optional<std::uint64_t> bias;
  std::optional<std::uint64_t> dynamic;
  for (std::size_t i = 0; i < auxv.headers_count && i < kMostHeaders; ++i) {
    const auto header =
        memory.read_object<Elf64_Phdr>(auxv.headers + Bytes{i * sizeof(Elf64_Phdr)});
    if (!header) return std::nullopt;
    if (header->p_type == PT_PHDR) bias = auxv.headers.value - header->p_vaddr;
    // Comes after PT_PHDR, which loaders do not have: their headers follow the file's header.
    if (header->p_type == PT_LOAD && header->p_offset == 0 && !bias) {
      bias = auxv.headers.value - sizeof(Elf64_Ehdr) - header->p_vaddr;
    }
    if (header->p_type == PT_DYNAMIC) dynamic = header->p_vaddr;
  }
  if (!dynamic) return std::nullopt;
  LoadedModule module;
  module.bias = bias.value_or(0);
  module.dynamic = Address{*dynamic + module.bias};
  return module;
}

std::optional<Address> debug_entry(Address dynamic, const MemoryReader& memory) {
  for (std::size_t i = 0; i < kMostDynamicEntries; ++i) {
    const auto entry = memory.read_object<Elf64_Dyn>(dynamic + Bytes{i * sizeof(Elf64_Dyn)});
    if (!entry || entry->d_tag == DT_NULL) return std::nullopt;
    if (entry->d_tag == DT_DEBUG && entry->d_un.d_ptr != 0) return Address{entry->d_un.d_ptr};
  }
  return std::nullopt;
}

/// Of a loader that was started itself (ld.so PROGRAM): the kernel knows no program that it loaded.
std::optional<Address> loader_debug(const LoadedModule& loader, const MemoryReader& memory) {
  const auto dynamic = DynamicModule::read(loader, memory);
  return dynamic ? dynamic->definition("_r_debug", memory) : std::nullopt;
}

std::string read_path(Address at, const MemoryReader& memory) {
  std::array<char, kMostPathBytes> text{};
  const std::size_t count = memory.read(at, std::as_writable_bytes(std::span(text)));
  const std::string_view whole(text.data(), count);
  return std::string(whole.substr(0, whole.find('\0')));
}

}  // namespace

Result<LoaderList> LoaderList::find(pid_t pid, const MemoryReader& memory,
                                    std::string_view without_loader) {
  const auto told = kernel::read_proc_file(pid, "auxv");
  if (!told) return std::unexpected(told.error());
  const kernel::AuxiliaryVector auxv = kernel::parse_auxv(std::as_bytes(std::span(*told)));
  const auto started = started_module(auxv, memory);
  const bool has_loader = auxv.base.value != 0;
  std::optional<Address> debug;
  if (started) {
    debug = has_loader ? debug_entry(started->dynamic, memory) : loader_debug(*started, memory);
  }
  if (!debug && !has_loader) {
    return fail(fmt::format("process {} is statically linked: {}", pid, without_loader));
  }
  if (!debug) {
    return fail(
        fmt::format("process {} does not say which libraries it has loaded: it has only "
                    "just started, or its loader is none that heapspy knows",
                    pid));
  }
  return LoaderList(*debug);
}

bool is_still_loaded(const LoadedModule& module, const MemoryReader& memory) {
  const auto map = memory.read_object<link_map>(module.link_map);
  return map && map->l_addr == module.bias && address_of(map->l_ld) == module.dynamic;
}

std::vector<LoadedModule> LoaderList::read(const MemoryReader& memory) const {
  const auto debug = memory.read_object<r_debug>(debug_);
  if (!debug || debug->r_state != r_debug::RT_CONSISTENT) return {};
  std::vector<LoadedModule> modules;
  Address at = address_of(debug->r_map);
  while (at.value != 0 && modules.size() < kMostModules) {
    const auto map = memory.read_object<link_map>(at);
    if (!map) return {};
    modules.push_back({.link_map = at,
                       .bias = map->l_addr,
                       .dynamic = address_of(map->l_ld),
                       .path = read_path(address_of(map->l_name), memory)});
    at = address_of(map->l_next);
  }
  return modules;
}

}  // namespace mini::inject
