// One ELF file of a target with everything we can say about its code.
#include "unwind/module.h"

#include <algorithm>
#include <iterator>
#include <string_view>
#include <utility>

#include "base/text.h"
#include "unwind/debug_file.h"
#include "unwind/demangle.h"
#include "unwind/mini_debug_info.h"

namespace mini::unwind {
namespace {

// Resolved addresses kept for one module: hundreds of bytes each; past this the cache starts anew.
constexpr std::size_t kMaxResolved = 1 << 16;

// Where Go's own call frame information goes wrong: it says nothing of the stacks that its runtime
// switches between, nor of where one begins (src/runtime/asm_amd64.s). Following it there finds
// leftovers of earlier calls.
struct GoFunction {
  std::string_view name;  // without .abi0
  UnwindRow::Kind kind;
};
constexpr GoFunction kGoBoundaries[] = {
    {"runtime.rt0_go", UnwindRow::Kind::kOutermost},
    {"runtime.goexit", UnwindRow::Kind::kOutermost},
    {"runtime.mstart", UnwindRow::Kind::kOutermost},
    {"runtime.systemstack", UnwindRow::Kind::kCut},
    {"runtime.mcall", UnwindRow::Kind::kCut},
    {"runtime.morestack", UnwindRow::Kind::kCut},
    {"runtime.asmcgocall", UnwindRow::Kind::kCut},
};

bool is_libc_or_loader(const std::string& path) {
  const std::string_view name = path_basename(path);
  return name.starts_with("libc.so.") || name.starts_with("libc-") || name.starts_with("ld-");
}

}  // namespace

Module::Module(std::unique_ptr<ElfFile> file, std::string root, std::string path,
               const UnwinderOptions& options)
    : file_(std::move(file)), root_(std::move(root)), path_(std::move(path)), options_(options) {
  if (!options_.libc_source_lines && is_libc_or_loader(path_)) options_.source_lines = false;
}

Module::~Module() = default;

UnwindRow Module::row_at(std::uint64_t address) {
  if (cfi_ == nullptr) {
    cfi_ = std::make_unique<CfiTable>(*file_);
    is_go_ = file_->section(".gopclntab") != nullptr;
  }
  if (is_go_) {
    UnwindRow boundary;
    boundary.kind = go_boundary(address);
    if (boundary.kind != UnwindRow::Kind::kNone) return boundary;
  }
  const UnwindRow row = cfi_->row_at(address);
  if (row.kind != UnwindRow::Kind::kNone || debug_frame_sought_) return row;
  use_debug_frame();
  return cfi_->row_at(address);
}

UnwindRow::Kind Module::go_boundary(std::uint64_t address) {
  const auto symbol = symbols().function_at(address);
  if (!symbol) return UnwindRow::Kind::kNone;
  std::string_view name = symbol->name;
  constexpr std::string_view kAbi = ".abi0";
  if (name.ends_with(kAbi)) name.remove_suffix(kAbi.size());
  const auto found = std::ranges::find(kGoBoundaries, name, &GoFunction::name);
  return found == std::end(kGoBoundaries) ? UnwindRow::Kind::kNone : found->kind;
}

void Module::use_debug_frame() {
  debug_frame_sought_ = true;
  ElfFile* holder = file_->section(".debug_frame") != nullptr ? file_.get() : debug_file();
  if (holder != nullptr) cfi_->add_debug_frame(*holder);
}

const SymbolTable& Module::symbols() {
  if (symbols_ == nullptr)
    symbols_ = std::make_unique<SymbolTable>(*file_, SymbolTable::Kind::kStatic);
  return *symbols_;
}

const SymbolTable& Module::dynamic_symbols() {
  if (dynamic_symbols_ == nullptr)
    dynamic_symbols_ = std::make_unique<SymbolTable>(*file_, SymbolTable::Kind::kDynamic);
  return *dynamic_symbols_;
}

ElfFile* Module::debug_file() {
  if (!debug_file_sought_) {
    debug_file_sought_ = true;
    if (options_.use_debug_files) debug_file_ = find_debug_file(*file_, root_, path_);
  }
  return debug_file_.get();
}

const SymbolTable* Module::debug_symbols() {
  if (debug_symbols_ == nullptr && debug_file() != nullptr)
    debug_symbols_ = std::make_unique<SymbolTable>(*debug_file(), SymbolTable::Kind::kStatic);
  return debug_symbols_.get();
}

const SymbolTable* Module::packed_symbols() {
  if (!mini_debug_info_sought_) {
    mini_debug_info_sought_ = true;
    mini_debug_info_ = unpack_mini_debug_info(*file_);
    if (mini_debug_info_ != nullptr)
      packed_symbols_ =
          std::make_unique<SymbolTable>(*mini_debug_info_, SymbolTable::Kind::kStatic);
  }
  return packed_symbols_.get();
}

const LibcBuild* Module::libc() {
  if (!libc_) libc_ = find_libc_build(file_->build_id());
  return *libc_;
}

SourceLines& Module::source_lines() {
  if (source_lines_ == nullptr) {
    const bool own = file_->has_debug_info() || debug_file() == nullptr;
    source_lines_ = std::make_unique<SourceLines>(own ? *file_ : *debug_file(), root_);
    dwarf_source_ = own ? NameSource::kSymbolTable : NameSource::kDebugFile;
  }
  return *source_lines_;
}

Module::NamedFunction Module::function_at(std::uint64_t address) {
  if (const auto symbol = symbols().function_at(address))
    return {symbol->address, display_name(symbol->name), NameSource::kSymbolTable};
  if (symbols().empty() && debug_symbols() != nullptr) {
    if (const auto symbol = debug_symbols()->function_at(address))
      return {symbol->address, display_name(symbol->name), NameSource::kDebugFile};
  }
  if (const auto symbol = dynamic_symbols().function_at(address))
    return {symbol->address, display_name(symbol->name), NameSource::kDynamicSymbol};
  if (packed_symbols() != nullptr) {
    if (const auto symbol = packed_symbols()->function_at(address))
      return {symbol->address, display_name(symbol->name), NameSource::kSymbolTable};
  }
  if (libc() != nullptr) {
    if (const auto symbol = unwind::function_at(*libc(), address))
      return {symbol->address, display_name(symbol->name), NameSource::kBuildIdTable};
  }
  return {};
}

std::optional<std::uint64_t> Module::address_of(std::string_view name) {
  if (const auto address = symbols().address_of(name)) return address;
  if (const auto address = dynamic_symbols().address_of(name)) return address;
  if (libc() != nullptr) {
    if (const auto symbol = symbol_named(*libc(), name)) return symbol->address;
  }
  for (const SymbolTable* table : {packed_symbols(), debug_symbols()}) {
    const auto address = table != nullptr ? table->address_of(name) : std::nullopt;
    if (address) return address;
  }
  return std::nullopt;
}

std::vector<Frame> Module::make_frames(std::uint64_t pc, std::uint64_t address) {
  std::vector<SourceFrame> sources;
  if (options_.source_lines) sources = source_lines().frames_at(address);
  if (sources.empty()) sources.emplace_back();
  std::vector<Frame> frames;
  for (SourceFrame& source : sources) {
    Frame& frame = frames.emplace_back();
    frame.module_offset = pc;
    frame.function = std::move(source.function);
    frame.file = std::move(source.file);
    frame.line = source.line;
    frame.inlined = source.inlined;
    if (!frame.function.empty()) frame.name_source = dwarf_source_;
  }
  // The symbol table knows the names that programs call: malloc, where DWARF has __libc_malloc.
  NamedFunction function = function_at(address);
  if (function.source == NameSource::kNone) return frames;
  frames.back().function = std::move(function.name);
  frames.back().function_offset = pc - function.address;
  frames.back().name_source = function.source;
  return frames;
}

const std::vector<Frame>& Module::resolve(std::uint64_t pc, bool exact) {
  const std::uint64_t address = exact ? pc : pc - 1;
  // One address may be asked for both ways; the bit keeps them apart.
  const std::uint64_t key = pc * 2 + (exact ? 1 : 0);
  const auto known = resolved_.find(key);
  if (known != resolved_.end()) return known->second;
  if (resolved_.size() >= kMaxResolved) resolved_.clear();
  return resolved_.emplace(key, make_frames(pc, address)).first->second;
}

}  // namespace mini::unwind
