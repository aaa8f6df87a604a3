// Unwinds a stopped thread of another process from outside: one read of its stack, call frame
// information compiled once per module, resolved frames from a cache.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/memory_reader.h"
#include "base/units.h"
#include "unwind/call_stack.h"

namespace mini::unwind {

/// A thread's registers by DWARF number (x86-64: 0-15 as the psABI numbers them, 16 is the return
/// address column, here the instruction pointer).
struct Registers {
  static constexpr std::size_t kCount = 17;
  static constexpr std::size_t kFramePointer = 6;
  static constexpr std::size_t kStackPointer = 7;
  static constexpr std::size_t kInstructionPointer = 16;
  std::array<std::uint64_t, kCount> value{};
};

/// An executable mapping of a file (or of the vdso) in the target.
struct ModuleMapping {
  AddressRange range;
  std::uint64_t file_offset = 0;
  std::string path;  // as in /proc/PID/maps: "/usr/bin/ls", "[vdso]"
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::vector<std::string> links = {};  // that may lead to the file where its path does not
};

struct UnwinderOptions {
  std::size_t max_frames = 256;
  std::size_t max_stack_bytes = 1 << 20;  // of the target's stack read for one unwinding at most
  bool use_debug_files = true;            // separate debug files under /usr/lib/debug
  bool source_lines = true;               // file:line and inlined frames from DWARF
  // The same within the C library and its loader. Their debug file takes a tenth of a second to
  // decompress, so only where whole stacks are shown; names do not depend on it.
  bool libc_source_lines = true;
};

struct UnwinderStatistics {
  std::uint64_t stacks_count = 0;
  std::uint64_t truncated_count = 0;  // every StackEnd but kComplete
  std::uint64_t modules_count = 0;
  std::uint64_t rejected_modules_count = 0;  // ELF files that could not be read or are malformed
};

/// What is known of ELF files, shared by all processes of a trace: opened, compiled and symbolised
/// once per file (device, inode). Not thread-safe.
class ModuleCache;
std::shared_ptr<ModuleCache> make_module_cache(const UnwinderOptions& options);

/// The unwinder of one address space. Not thread-safe.
class Unwinder {
 public:
  explicit Unwinder(std::shared_ptr<ModuleCache> modules);
  Unwinder(Unwinder&&) noexcept;
  Unwinder& operator=(Unwinder&&) noexcept;
  ~Unwinder();

  /// Replaces what is mapped executable. `root` is put before paths when files are opened, e.g.
  /// "/proc/123/root"; a file whose device and inode do not match is not used. Drops cached stacks.
  void set_modules(std::vector<ModuleMapping> modules, const std::string& root);

  /// The resolved stack of a thread stopped with `registers`. Never fails: what cannot be unwound
  /// ends the stack, with the reason in CallStack::end. Cost: about a microsecond for a stack whose
  /// frames are all cached, apart from the one read of the target's memory.
  CallStackRef unwind(const Registers& registers, const MemoryReader& memory);

  /// The words of the target's stack that the last unwind() read, from its stack pointer on, for
  /// whoever looks for values in frames. Valid until the next unwind().
  std::span<const std::uint64_t> last_stack_words() const;

  /// Registers of each physical (not inlined) frame of the last unwind(), innermost first, as far
  /// as CFI restores them; callee-saved ones keep their value from the inner frame otherwise.
  std::span<const Registers> last_frame_registers() const;

  UnwinderStatistics statistics() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Where a symbol of the module mapped at `path` is, in the target's addresses: from .symtab,
/// .dynsym, the debug file or the build-id table. nullopt where unknown.
std::optional<Address> find_symbol(ModuleCache& cache, const ModuleMapping& mapping,
                                   const std::string& root, const std::string& symbol);

}  // namespace mini::unwind
