// Names of the flags and enumerations that memory system calls take, as data.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace mini::kernel {

struct FlagName {
  std::uint64_t value = 0;
  std::string_view name;
};

/// Some bits of a word that are one number together: MAP_TYPE in mmap's flags.
struct FlagField {
  std::uint64_t mask = 0;
  std::span<const FlagName> names;
};

struct FlagTable {
  std::span<const FlagField> fields;
  std::span<const FlagName> bits;
  std::string_view zero = "0";              // what a value of 0 is called
  std::uint64_t width = ~std::uint64_t{0};  // bits the kernel looks at: an int's or a long's
};

extern const FlagTable kProtectionFlags;  // PROT_*
extern const FlagTable kMmapFlags;        // MAP_*
extern const FlagTable kMremapFlags;      // MREMAP_*
extern const FlagTable kAdviceNames;      // MADV_*
extern const FlagTable kMlock2Flags;      // MLOCK_*
extern const FlagTable kMlockallFlags;    // MCL_*
extern const FlagTable kShmatFlags;       // SHM_*
extern const FlagTable kExecveatFlags;    // AT_*
extern const FlagTable kPrctlOptions;     // PR_SET_VMA
extern const FlagTable kVmaAttributes;    // PR_SET_VMA_ANON_NAME
extern const FlagTable kShadowStackFlags;

/// "PROT_READ|PROT_WRITE"; what has no name is shown in hexadecimal, never dropped.
std::string format_flags(const FlagTable& table, std::uint64_t value);

}  // namespace mini::kernel
