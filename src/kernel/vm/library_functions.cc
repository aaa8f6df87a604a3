// The tables of a library are as the loader left them in memory: System V gABI, chapter 5; of
// DT_GNU_HASH and DT_VERSYM, glibc's elf/dl-lookup.c and the LSB's "Symbol Versioning".
#include "kernel/vm/library_functions.h"

#include <cstring>
#include <elf.h>

#include "base/symbol_hash.h"

namespace mini::kernel::vm {
namespace {

const ElfW(Dyn) * dynamic_of(const dl_phdr_info& library) {
  for (unsigned i = 0; i < library.dlpi_phnum; ++i) {
    const ElfW(Phdr)& segment = library.dlpi_phdr[i];
    if (segment.p_type == PT_DYNAMIC) {
      return reinterpret_cast<const ElfW(Dyn)*>(library.dlpi_addr + segment.p_vaddr);
    }
  }
  return nullptr;
}

}  // namespace

FunctionName::FunctionName(const char* name)
    : text(name), gnu_hash(mini::gnu_hash(name)), sysv_hash(mini::sysv_hash(name)) {}

LibraryFunctions::LibraryFunctions(const dl_phdr_info& library)
    : LibraryFunctions(library.dlpi_addr, dynamic_of(library)) {}

LibraryFunctions::LibraryFunctions(ElfW(Addr) bias, const ElfW(Dyn) * dynamic) {
  // One that is being loaded just now has none yet.
  for (const ElfW(Dyn)* entry = dynamic; entry != nullptr && entry->d_tag != DT_NULL; ++entry) {
    // The loader adds the bias in place, but not where the section is read-only.
    const ElfW(Addr) value = entry->d_un.d_ptr;
    const ElfW(Addr) address = value < bias ? value + bias : value;
    switch (entry->d_tag) {
      case DT_SYMTAB:
        symbols_ = reinterpret_cast<const ElfW(Sym)*>(address);
        break;
      case DT_STRTAB:
        names_ = reinterpret_cast<const char*>(address);
        break;
      case DT_GNU_HASH:
        gnu_hash_ = reinterpret_cast<const std::uint32_t*>(address);
        break;
      case DT_HASH:
        sysv_hash_ = reinterpret_cast<const std::uint32_t*>(address);
        break;
      case DT_VERSYM:
        versions_ = reinterpret_cast<const std::uint16_t*>(address);
        break;
      default:
        break;
    }
  }
}

const ElfW(Sym) * LibraryFunctions::find(const FunctionName& name) const {
  if (symbols_ == nullptr || names_ == nullptr) return nullptr;
  if (gnu_hash_ != nullptr) return find_gnu(name);
  return sysv_hash_ != nullptr ? find_sysv(name) : nullptr;
}

bool LibraryFunctions::is_offered(std::uint32_t number, const FunctionName& name) const {
  const ElfW(Sym)& symbol = symbols_[number];
  const unsigned type = ELF64_ST_TYPE(symbol.st_info);
  const bool is_function = type == STT_FUNC || type == STT_GNU_IFUNC || type == STT_NOTYPE;
  return symbol.st_shndx != SHN_UNDEF && is_function &&
         ELF64_ST_BIND(symbol.st_info) != STB_LOCAL &&
         (versions_ == nullptr || (versions_[number] & kHiddenVersion) == 0) &&
         std::strcmp(names_ + symbol.st_name, name.text) == 0;
}

const ElfW(Sym) * LibraryFunctions::find_gnu(const FunctionName& name) const {
  // [ buckets ][ first symbol ][ filter words ][ shift ][ filter ][ first of each bucket ][ hashes
  // ]
  const std::uint32_t buckets_count = gnu_hash_[0];
  const std::uint32_t first_symbol = gnu_hash_[1];
  const std::uint32_t filter_words = gnu_hash_[2];
  const auto* const filter = reinterpret_cast<const ElfW(Addr)*>(gnu_hash_ + 4);
  constexpr std::uint32_t kWordBits = 8 * sizeof(ElfW(Addr));
  const ElfW(Addr) word = filter[name.gnu_hash / kWordBits % filter_words];
  const ElfW(Addr) both = ElfW(Addr){1} << name.gnu_hash % kWordBits |
                          ElfW(Addr){1} << (name.gnu_hash >> gnu_hash_[3]) % kWordBits;
  if ((word & both) != both || buckets_count == 0) return nullptr;
  const auto* const buckets = reinterpret_cast<const std::uint32_t*>(filter + filter_words);
  const std::uint32_t* const hashes = buckets + buckets_count;
  std::uint32_t number = buckets[name.gnu_hash % buckets_count];
  if (number < first_symbol) return nullptr;  // an empty bucket
  while (true) {
    const std::uint32_t hash = hashes[number - first_symbol];
    // The lowest bit says that the bucket ends here.
    if ((hash | 1U) == (name.gnu_hash | 1U) && is_offered(number, name)) return &symbols_[number];
    if ((hash & 1U) != 0) return nullptr;
    ++number;
  }
}

const ElfW(Sym) * LibraryFunctions::find_sysv(const FunctionName& name) const {
  // [ buckets ][ symbols ][ first of each bucket ][ next of each symbol ]
  const std::uint32_t buckets_count = sysv_hash_[0];
  if (buckets_count == 0) return nullptr;
  const std::uint32_t* const next = sysv_hash_ + 2 + buckets_count;
  std::uint32_t number = sysv_hash_[2 + name.sysv_hash % buckets_count];
  for (; number != STN_UNDEF; number = next[number]) {
    if (is_offered(number, name)) return &symbols_[number];
  }
  return nullptr;
}

}  // namespace mini::kernel::vm
