// Values are the kernel's interface, include/uapi/linux/{mman,prctl}.h and asm-generic/mman*.h;
// they are written as numbers where the C library's headers may be older than the running kernel.
#include "kernel/flag_names.h"

#include <array>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/shm.h>

namespace mini::kernel {
namespace {

constexpr std::uint64_t kIntWidth = 0xffff'ffff;

constexpr auto kProtectionBits = std::to_array<FlagName>({
    {PROT_READ, "PROT_READ"},
    {PROT_WRITE, "PROT_WRITE"},
    {PROT_EXEC, "PROT_EXEC"},
    {0x8, "PROT_SEM"},
#if defined(__aarch64__)
    {0x10, "PROT_BTI"},
    {0x20, "PROT_MTE"},
#endif
    {0x0100'0000, "PROT_GROWSDOWN"},
    {0x0200'0000, "PROT_GROWSUP"},
});

constexpr auto kMapTypes = std::to_array<FlagName>({
    {0x1, "MAP_SHARED"},
    {0x2, "MAP_PRIVATE"},
    {0x3, "MAP_SHARED_VALIDATE"},
    {0x8, "MAP_DROPPABLE"},
});

// Base-2 logarithm of the page size, from bit 26 on.
constexpr std::uint64_t huge(std::uint64_t log2_bytes) {
  return log2_bytes << 26;
}
constexpr auto kHugeSizes = std::to_array<FlagName>({
    {huge(14), "MAP_HUGE_16KB"},
    {huge(16), "MAP_HUGE_64KB"},
    {huge(19), "MAP_HUGE_512KB"},
    {huge(20), "MAP_HUGE_1MB"},
    {huge(21), "MAP_HUGE_2MB"},
    {huge(23), "MAP_HUGE_8MB"},
    {huge(24), "MAP_HUGE_16MB"},
    {huge(25), "MAP_HUGE_32MB"},
    {huge(28), "MAP_HUGE_256MB"},
    {huge(29), "MAP_HUGE_512MB"},
    {huge(30), "MAP_HUGE_1GB"},
    {huge(31), "MAP_HUGE_2GB"},
    {huge(34), "MAP_HUGE_16GB"},
});

constexpr auto kMmapFields = std::to_array<FlagField>({
    {0xf, kMapTypes},
    {huge(0x3f), kHugeSizes},
});

constexpr auto kMmapBits = std::to_array<FlagName>({
    {0x10, "MAP_FIXED"},
    {0x20, "MAP_ANONYMOUS"},
#if defined(__x86_64__)
    {0x40, "MAP_32BIT"},
    {0x80, "MAP_ABOVE4G"},
#endif
    {0x100, "MAP_GROWSDOWN"},
    {0x800, "MAP_DENYWRITE"},
    {0x1000, "MAP_EXECUTABLE"},
    {0x2000, "MAP_LOCKED"},
    {0x4000, "MAP_NORESERVE"},
    {0x8000, "MAP_POPULATE"},
    {0x1'0000, "MAP_NONBLOCK"},
    {0x2'0000, "MAP_STACK"},
    {0x4'0000, "MAP_HUGETLB"},
    {0x8'0000, "MAP_SYNC"},
    {0x10'0000, "MAP_FIXED_NOREPLACE"},
    {0x400'0000, "MAP_UNINITIALIZED"},
});

constexpr auto kMremapBits = std::to_array<FlagName>({
    {1, "MREMAP_MAYMOVE"},
    {2, "MREMAP_FIXED"},
    {4, "MREMAP_DONTUNMAP"},
});

constexpr auto kAdvice = std::to_array<FlagName>({
    {0, "MADV_NORMAL"},           {1, "MADV_RANDOM"},          {2, "MADV_SEQUENTIAL"},
    {3, "MADV_WILLNEED"},         {4, "MADV_DONTNEED"},        {8, "MADV_FREE"},
    {9, "MADV_REMOVE"},           {10, "MADV_DONTFORK"},       {11, "MADV_DOFORK"},
    {12, "MADV_MERGEABLE"},       {13, "MADV_UNMERGEABLE"},    {14, "MADV_HUGEPAGE"},
    {15, "MADV_NOHUGEPAGE"},      {16, "MADV_DONTDUMP"},       {17, "MADV_DODUMP"},
    {18, "MADV_WIPEONFORK"},      {19, "MADV_KEEPONFORK"},     {20, "MADV_COLD"},
    {21, "MADV_PAGEOUT"},         {22, "MADV_POPULATE_READ"},  {23, "MADV_POPULATE_WRITE"},
    {24, "MADV_DONTNEED_LOCKED"}, {25, "MADV_COLLAPSE"},       {100, "MADV_HWPOISON"},
    {101, "MADV_SOFT_OFFLINE"},   {102, "MADV_GUARD_INSTALL"}, {103, "MADV_GUARD_REMOVE"},
});
constexpr auto kAdviceFields = std::to_array<FlagField>({{kIntWidth, kAdvice}});

constexpr auto kMlock2Bits = std::to_array<FlagName>({{1, "MLOCK_ONFAULT"}});
constexpr auto kMlockallBits = std::to_array<FlagName>({
    {1, "MCL_CURRENT"},
    {2, "MCL_FUTURE"},
    {4, "MCL_ONFAULT"},
});
constexpr auto kShmatBits = std::to_array<FlagName>({
    {SHM_RDONLY, "SHM_RDONLY"},
    {SHM_RND, "SHM_RND"},
    {SHM_REMAP, "SHM_REMAP"},
    {SHM_EXEC, "SHM_EXEC"},
});
constexpr auto kExecveatBits = std::to_array<FlagName>({
    {0x100, "AT_SYMLINK_NOFOLLOW"},
    {0x1000, "AT_EMPTY_PATH"},
    {0x1'0000, "AT_EXECVE_CHECK"},
});
constexpr auto kPrctl = std::to_array<FlagName>({{PR_SET_VMA, "PR_SET_VMA"}});
constexpr auto kPrctlFields = std::to_array<FlagField>({{kIntWidth, kPrctl}});
constexpr auto kVmaAttribute = std::to_array<FlagName>({{0, "PR_SET_VMA_ANON_NAME"}});
constexpr auto kVmaAttributeFields = std::to_array<FlagField>({{~std::uint64_t{0}, kVmaAttribute}});
constexpr auto kShadowStackBits = std::to_array<FlagName>({
    {1, "SHADOW_STACK_SET_TOKEN"},
    {2, "SHADOW_STACK_SET_MARKER"},
});

void append(std::string& text, std::string_view word) {
  if (!text.empty()) text += '|';
  text += word;
}

void append_field(std::string& text, const FlagField& field, std::uint64_t value) {
  for (const FlagName& flag : field.names) {
    if (flag.value == value) return append(text, flag.name);
  }
  if (value != 0) append(text, fmt::format("{:#x}", value));
}

}  // namespace

const FlagTable kProtectionFlags{.fields = {}, .bits = kProtectionBits, .zero = "PROT_NONE"};
const FlagTable kMmapFlags{.fields = kMmapFields, .bits = kMmapBits};
const FlagTable kMremapFlags{.fields = {}, .bits = kMremapBits};
const FlagTable kAdviceNames{.fields = kAdviceFields, .bits = {}, .width = kIntWidth};
const FlagTable kMlock2Flags{.fields = {}, .bits = kMlock2Bits, .width = kIntWidth};
const FlagTable kMlockallFlags{.fields = {}, .bits = kMlockallBits, .width = kIntWidth};
const FlagTable kShmatFlags{.fields = {}, .bits = kShmatBits, .width = kIntWidth};
const FlagTable kExecveatFlags{.fields = {}, .bits = kExecveatBits, .width = kIntWidth};
const FlagTable kPrctlOptions{.fields = kPrctlFields, .bits = {}, .width = kIntWidth};
const FlagTable kVmaAttributes{.fields = kVmaAttributeFields, .bits = {}};
const FlagTable kShadowStackFlags{.fields = {}, .bits = kShadowStackBits, .width = kIntWidth};

std::string format_flags(const FlagTable& table, std::uint64_t value) {
  std::uint64_t rest = value & table.width;
  std::string text;
  for (const FlagField& field : table.fields) {
    append_field(text, field, rest & field.mask);
    rest &= ~field.mask;
  }
  for (const FlagName& flag : table.bits) {
    if ((rest & flag.value) != flag.value) continue;
    append(text, flag.name);
    rest &= ~flag.value;
  }
  if (rest != 0) append(text, fmt::format("{:#x}", rest));
  return text.empty() ? std::string(table.zero) : text;
}

}  // namespace mini::kernel
