// The tables are found by DT_… entries and read as they are in memory: System V gABI, chapter 5,
// and for DT_GNU_HASH glibc's elf/dl-lookup.c. All of it is the target's, hence hostile.
#include "inject/dynamic_module.h"

#include <algorithm>
#include <span>

#include "base/checked.h"
#include "base/symbol_hash.h"

namespace mini::inject {
namespace {

constexpr std::size_t kMostEntries = 4096;
constexpr std::uint64_t kMostStringBytes = std::uint64_t{64} << 20;
constexpr std::uint64_t kMostRelocationBytes = std::uint64_t{256} << 20;
constexpr std::uint32_t kMostChain = 1024;  // symbols with one hash bucket
constexpr std::size_t kRelocationsAtOnce = 8192;

#if defined(__x86_64__)
constexpr std::uint32_t kCallSlot = R_X86_64_JUMP_SLOT;
constexpr std::uint32_t kDataSlot = R_X86_64_GLOB_DAT;
constexpr std::uint32_t kPointer = R_X86_64_64;
#else
constexpr std::uint32_t kCallSlot = R_AARCH64_JUMP_SLOT;
constexpr std::uint32_t kDataSlot = R_AARCH64_GLOB_DAT;
constexpr std::uint32_t kPointer = R_AARCH64_ABS64;
#endif

std::uint32_t read_word(std::uint64_t at, const MemoryReader& memory) {
  return memory.read_object<std::uint32_t>(Address{at}).value_or(0);
}

}  // namespace

DynamicModule::Table DynamicModule::find_tables(const LoadedModule& module,
                                                const MemoryReader& memory) {
  Table strings;
  std::uint64_t call_kind = DT_RELA;
  // The loader adds the bias to most of these in place, but not where the section is read-only.
  const auto pointer = [&](std::uint64_t value) {
    return value < module.bias ? value + module.bias : value;
  };
  for (std::size_t i = 0; i < kMostEntries; ++i) {
    const auto entry = memory.read_object<Elf64_Dyn>(module.dynamic + Bytes{i * sizeof(Elf64_Dyn)});
    if (!entry || entry->d_tag == DT_NULL) break;
    const std::uint64_t value = entry->d_un.d_val;
    switch (entry->d_tag) {
      case DT_STRTAB:
        strings.address = pointer(value);
        break;
      case DT_STRSZ:
        strings.bytes = value;
        break;
      case DT_SYMTAB:
        symbols_ = pointer(value);
        break;
      case DT_GNU_HASH:
        gnu_hash_ = pointer(value);
        break;
      case DT_HASH:
        sysv_hash_ = pointer(value);
        break;
      case DT_VERSYM:
        versions_ = pointer(value);
        break;
      case DT_JMPREL:
        calls_.address = pointer(value);
        break;
      case DT_PLTRELSZ:
        calls_.bytes = value;
        break;
      case DT_PLTREL:
        call_kind = value;
        break;
      case DT_RELA:
        addresses_.address = pointer(value);
        break;
      case DT_RELASZ:
        addresses_.bytes = value;
        break;
      default:
        break;
    }
  }
  if (call_kind != DT_RELA) calls_ = {};
  return strings;
}

std::optional<DynamicModule> DynamicModule::read(const LoadedModule& module,
                                                 const MemoryReader& memory) {
  DynamicModule out;
  out.bias_ = module.bias;
  const Table strings = out.find_tables(module, memory);
  if (out.symbols_ == 0 || strings.address == 0 || strings.bytes > kMostStringBytes) {
    return std::nullopt;
  }
  out.strings_.resize(strings.bytes);
  out.strings_.resize(
      memory.read(Address{strings.address}, std::as_writable_bytes(std::span(out.strings_))));
  return out;
}

std::string DynamicModule::name_of(const Elf64_Sym& symbol) const {
  if (symbol.st_name >= strings_.size()) return {};
  const std::size_t end = strings_.find('\0', symbol.st_name);
  return strings_.substr(symbol.st_name, end - symbol.st_name);
}

bool DynamicModule::is_definition(std::uint64_t index, std::string_view name,
                                  const MemoryReader& memory, Address* found) const {
  const auto symbol = memory.read_object<Elf64_Sym>(Address{symbols_ + index * sizeof(Elf64_Sym)});
  if (!symbol || symbol->st_shndx == SHN_UNDEF || name_of(*symbol) != name) return false;
  // Where the symbol leads to is not the function, but what chooses one.
  if (ELF64_ST_TYPE(symbol->st_info) == STT_GNU_IFUNC) return false;
  if (ELF64_ST_BIND(symbol->st_info) == STB_LOCAL) return false;
  if (versions_ != 0) {
    const Address version{versions_ + index * sizeof(std::uint16_t)};
    if ((memory.read_object<std::uint16_t>(version).value_or(0) & kHiddenVersion) != 0)
      return false;
  }
  *found = Address{bias_ + symbol->st_value};
  return true;
}

std::optional<Address> DynamicModule::definition(std::string_view name,
                                                 const MemoryReader& memory) const {
  if (gnu_hash_ != 0) return look_up_gnu(name, memory);
  if (sysv_hash_ != 0) return look_up_sysv(name, memory);
  return std::nullopt;
}

// [ buckets, first symbol, Bloom words, shift ] [ Bloom: 64 bits each ] [ buckets ] [ chain: hashes
// ]
std::optional<Address> DynamicModule::look_up_gnu(std::string_view name,
                                                  const MemoryReader& memory) const {
  struct Head {
    std::uint32_t buckets, first_symbol, bloom_words, bloom_shift;
  };
  const auto head = memory.read_object<Head>(Address{gnu_hash_});
  if (!head || head->buckets == 0) return std::nullopt;
  const std::uint32_t hash = gnu_hash(name);
  const std::uint64_t buckets = gnu_hash_ + sizeof(Head) + std::uint64_t{head->bloom_words} * 8;
  const std::uint64_t chain = buckets + std::uint64_t{head->buckets} * 4;
  std::uint64_t symbol = read_word(buckets + std::uint64_t{hash % head->buckets} * 4, memory);
  if (symbol < head->first_symbol) return std::nullopt;
  Address found;
  for (std::uint32_t i = 0; i < kMostChain; ++i, ++symbol) {
    const std::uint32_t other = read_word(chain + (symbol - head->first_symbol) * 4, memory);
    if ((other | 1U) == (hash | 1U) && is_definition(symbol, name, memory, &found)) return found;
    if ((other & 1U) != 0) break;
  }
  return std::nullopt;
}

// [ buckets, symbols ] [ buckets ] [ chain: the next symbol of each ]
std::optional<Address> DynamicModule::look_up_sysv(std::string_view name,
                                                   const MemoryReader& memory) const {
  const std::uint32_t buckets = read_word(sysv_hash_, memory);
  if (buckets == 0) return std::nullopt;
  const std::uint64_t table = sysv_hash_ + 8;
  std::uint32_t symbol = read_word(table + std::uint64_t{sysv_hash(name) % buckets} * 4, memory);
  Address found;
  for (std::uint32_t i = 0; i < kMostChain && symbol != 0; ++i) {
    if (is_definition(symbol, name, memory, &found)) return found;
    symbol = read_word(table + (std::uint64_t{buckets} + symbol) * 4, memory);
  }
  return std::nullopt;
}

std::vector<Import> DynamicModule::imports(const std::function<bool(std::string_view)>& is_wanted,
                                           const MemoryReader& memory) const {
  std::vector<Import> out;
  add_imports(calls_, is_wanted, memory, out);
  add_imports(addresses_, is_wanted, memory, out);
  return out;
}

void DynamicModule::add_imports(const Table& relocations,
                                const std::function<bool(std::string_view)>& is_wanted,
                                const MemoryReader& memory, std::vector<Import>& out) const {
  if (relocations.address == 0 || relocations.bytes > kMostRelocationBytes) return;
  std::vector<Elf64_Rela> some(kRelocationsAtOnce);
  const std::uint64_t total = relocations.bytes / sizeof(Elf64_Rela);
  for (std::uint64_t done = 0; done < total;) {
    const auto wanted = std::min<std::uint64_t>(total - done, kRelocationsAtOnce);
    const auto bytes = std::as_writable_bytes(std::span(some).first(wanted));
    const Address from{relocations.address + done * sizeof(Elf64_Rela)};
    const std::uint64_t got = memory.read(from, bytes) / sizeof(Elf64_Rela);
    for (std::uint64_t i = 0; i < got; ++i) {
      const Elf64_Rela& entry = some[i];
      const auto kind = static_cast<std::uint32_t>(ELF64_R_TYPE(entry.r_info));
      const std::uint64_t index = ELF64_R_SYM(entry.r_info);
      if (index == 0 || entry.r_addend != 0) continue;
      if (kind != kCallSlot && kind != kDataSlot && kind != kPointer) continue;
      const auto symbol =
          memory.read_object<Elf64_Sym>(Address{symbols_ + index * sizeof(Elf64_Sym)});
      std::string name = symbol ? name_of(*symbol) : "";
      if (name.empty() || !is_wanted(name)) continue;
      const bool may_be_stub = kind == kCallSlot && !definition(name, memory);
      out.push_back({.slot = Address{bias_ + entry.r_offset},
                     .name = std::move(name),
                     .may_be_stub = may_be_stub});
    }
    if (got < wanted) return;
    done += got;
  }
}

}  // namespace mini::inject
