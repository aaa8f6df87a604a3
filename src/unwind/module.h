// One ELF file of a target with everything we can say about its code: how to unwind it, what it is
// called, where it is in the source. Each part is made when it is first asked for.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "unwind/call_stack.h"
#include "unwind/cfi_table.h"
#include "unwind/elf_file.h"
#include "unwind/libc_symbols.h"
#include "unwind/source_lines.h"
#include "unwind/symbol_table.h"
#include "unwind/unwinder.h"

namespace mini::unwind {

class Module {
 public:
  /// `root` and `path` are where its debug file is looked for.
  Module(std::unique_ptr<ElfFile> file, std::string root, std::string path,
         const UnwinderOptions& options);
  ~Module();

  const ElfFile& file() const { return *file_; }

  UnwindRow row_at(std::uint64_t address);

  /// The frames at an address of the file: inlined ones first, the last is the function itself.
  /// Never empty. `pc` and `module` are left for the caller to fill in. For a caller's frame
  /// (`exact` false) pc is a return address, and what is resolved is the call before it. Valid
  /// until the next call.
  const std::vector<Frame>& resolve(std::uint64_t pc, bool exact);

  /// A function or datum by name.
  std::optional<std::uint64_t> address_of(std::string_view name);

 private:
  struct NamedFunction {
    std::uint64_t address = 0;
    std::string name;
    NameSource source = NameSource::kNone;
  };

  const SymbolTable& symbols();
  const SymbolTable* debug_symbols();
  const SymbolTable& dynamic_symbols();
  const SymbolTable* packed_symbols();
  const LibcBuild* libc();
  ElfFile* debug_file();
  SourceLines& source_lines();
  void use_debug_frame();
  UnwindRow::Kind go_boundary(std::uint64_t address);
  NamedFunction function_at(std::uint64_t address);
  std::vector<Frame> make_frames(std::uint64_t pc, std::uint64_t address);

  std::unique_ptr<ElfFile> file_;
  std::string root_;
  std::string path_;
  UnwinderOptions options_;
  // Everything below refers to these files and is destroyed before them.
  bool debug_file_sought_ = false;
  std::unique_ptr<ElfFile> debug_file_;
  bool mini_debug_info_sought_ = false;
  std::unique_ptr<ElfFile> mini_debug_info_;
  std::unique_ptr<SymbolTable> symbols_;
  std::unique_ptr<SymbolTable> debug_symbols_;
  std::unique_ptr<SymbolTable> dynamic_symbols_;
  std::unique_ptr<SymbolTable> packed_symbols_;
  std::optional<const LibcBuild*> libc_;
  std::unique_ptr<SourceLines> source_lines_;
  NameSource dwarf_source_ = NameSource::kNone;  // what names from source_lines_ count as
  bool debug_frame_sought_ = false;
  std::unique_ptr<CfiTable> cfi_;
  bool is_go_ = false;  // known once cfi_ is made
  std::unordered_map<std::uint64_t, std::vector<Frame>> resolved_;
};

}  // namespace mini::unwind
