// The tables of a library are as the loader left them in memory: System V gABI, chapter 5; of
// DT_GNU_HASH and DT_VERSYM, glibc's elf/dl-lookup.c and the LSB's "Symbol Versioning".
#include "agent/library_order.h"

#include <cstdint>
#include <cstring>
#include <elf.h>
#include <link.h>
#include <sys/auxv.h>

#include "base/symbol_hash.h"

#if defined(__aarch64__)
#include <sys/ifunc.h>
#endif

namespace mini::agent {
namespace {

// Of a version that only programs of an older library ask for.
constexpr std::uint16_t kHiddenVersion = 0x8000;

/// A name and what the two kinds of tables find it by.
struct Name {
  explicit Name(const char* name)
      : text(name), gnu_hash(mini::gnu_hash(name)), sysv_hash(mini::sysv_hash(name)) {}

  const char* text;
  std::uint32_t gnu_hash;
  std::uint32_t sysv_hash;
};

/// What a library offers by name.
class SymbolTable {
 public:
  explicit SymbolTable(const link_map& library);

  /// Null where there is none.
  const ElfW(Sym) * find(const Name& name) const {
    if (symbols_ == nullptr || names_ == nullptr) return nullptr;
    if (gnu_hash_ != nullptr) return find_gnu(name);
    return sysv_hash_ != nullptr ? find_sysv(name) : nullptr;
  }

 private:
  const ElfW(Sym) * find_gnu(const Name& name) const;
  const ElfW(Sym) * find_sysv(const Name& name) const;
  bool is_offered(std::uint32_t number, const Name& name) const;

  const ElfW(Sym) * symbols_ = nullptr;
  const char* names_ = nullptr;
  const std::uint32_t* gnu_hash_ = nullptr;
  const std::uint32_t* sysv_hash_ = nullptr;
  const std::uint16_t* versions_ = nullptr;  // null: all are one
};

SymbolTable::SymbolTable(const link_map& library) {
  // One that is being loaded just now has none yet.
  for (const ElfW(Dyn)* entry = library.l_ld; entry != nullptr && entry->d_tag != DT_NULL;
       ++entry) {
    // The loader adds the bias in place, but not where the section is read-only.
    const ElfW(Addr) value = entry->d_un.d_ptr;
    const ElfW(Addr) address = value < library.l_addr ? value + library.l_addr : value;
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

bool SymbolTable::is_offered(std::uint32_t number, const Name& name) const {
  const ElfW(Sym)& symbol = symbols_[number];
  const unsigned type = ELF64_ST_TYPE(symbol.st_info);
  const bool is_function = type == STT_FUNC || type == STT_GNU_IFUNC || type == STT_NOTYPE;
  return symbol.st_shndx != SHN_UNDEF && is_function &&
         ELF64_ST_BIND(symbol.st_info) != STB_LOCAL &&
         (versions_ == nullptr || (versions_[number] & kHiddenVersion) == 0) &&
         std::strcmp(names_ + symbol.st_name, name.text) == 0;
}

const ElfW(Sym) * SymbolTable::find_gnu(const Name& name) const {
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

const ElfW(Sym) * SymbolTable::find_sysv(const Name& name) const {
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

/// Where a symbol leads to: an indirect function is asked for another one, as the loader does.
void* address_of(const link_map& library, const ElfW(Sym) & symbol) {
  const ElfW(Addr) place = library.l_addr + symbol.st_value;
  if (ELF64_ST_TYPE(symbol.st_info) != STT_GNU_IFUNC) return reinterpret_cast<void*>(place);
#if defined(__aarch64__)
  const unsigned long features = ::getauxval(AT_HWCAP);
  const __ifunc_arg_t arguments{sizeof arguments, features, ::getauxval(AT_HWCAP2)};
  return reinterpret_cast<void* (*)(std::uint64_t, const __ifunc_arg_t*)>(place)(
      features | _IFUNC_ARG_HWCAP, &arguments);
#else
  return reinterpret_cast<void* (*)()>(place)();
#endif
}

bool is_ours(const link_map& library) {
  return library.l_ld == &_DYNAMIC[0];  // which is each library's own
}

}  // namespace

void* next_function(const char* name) {
  const Name wanted(name);
  bool is_behind = false;
  for (const link_map* library = _r_debug.r_map; library != nullptr; library = library->l_next) {
    if (is_behind) {
      const ElfW(Sym)* const found = SymbolTable(*library).find(wanted);
      if (found != nullptr) return address_of(*library, *found);
    }
    is_behind = is_behind || is_ours(*library);
  }
  return nullptr;
}

bool program_has_function(const char* name) {
  const link_map* const program = _r_debug.r_map;
  return program != nullptr && SymbolTable(*program).find(Name(name)) != nullptr;
}

}  // namespace mini::agent
