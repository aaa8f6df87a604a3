// The functions of one symbol table, found by address; its symbols, found by name.
#include "unwind/symbol_table.h"

#include <algorithm>
#include <elf.h>
#include <gelf.h>

#include "base/checked.h"
#include "unwind/demangle.h"

namespace mini::unwind {
namespace {

// Steps back from an address over functions that begin before it and end before it: real tables
// need one or two, a hostile one could ask for millions.
constexpr std::size_t kMaxStepsBack = 4096;

struct SectionBounds {
  std::uint64_t end = 0;
  bool executable = false;
};

std::vector<SectionBounds> section_bounds(Elf* elf) {
  std::vector<SectionBounds> bounds(1);  // index 0 is SHN_UNDEF
  for (Elf_Scn* section = elf_nextscn(elf, nullptr); section != nullptr;
       section = elf_nextscn(elf, section)) {
    GElf_Shdr header;
    SectionBounds bound;
    if (gelf_getshdr(section, &header) != nullptr) {
      bound.end = checked_add<std::uint64_t>(header.sh_addr, header.sh_size).value_or(0);
      bound.executable = (header.sh_flags & SHF_EXECINSTR) != 0;
    }
    bounds.push_back(bound);
  }
  return bounds;
}

/// Calls visit(symbol, name) for each defined, named symbol of the table; stops where it returns
/// false.
template <typename Visit>
void for_each_symbol(Elf* elf, SymbolTable::Kind kind, Visit visit) {
  const GElf_Word wanted = kind == SymbolTable::Kind::kStatic ? SHT_SYMTAB : SHT_DYNSYM;
  for (Elf_Scn* section = elf_nextscn(elf, nullptr); section != nullptr;
       section = elf_nextscn(elf, section)) {
    GElf_Shdr header;
    if (gelf_getshdr(section, &header) == nullptr || header.sh_type != wanted) continue;
    Elf_Data* data = elf_getdata(section, nullptr);
    if (data == nullptr || data->d_buf == nullptr) return;
    const auto count =
        static_cast<int>(std::min<std::uint64_t>(data->d_size / sizeof(Elf64_Sym), 1U << 30));
    for (int i = 1; i < count; ++i) {
      GElf_Sym symbol;
      if (gelf_getsym(data, i, &symbol) == nullptr) return;
      if (symbol.st_shndx == SHN_UNDEF) continue;
      const char* name = elf_strptr(elf, header.sh_link, symbol.st_name);
      if (name == nullptr || *name == '\0') continue;
      if (!visit(symbol, name)) return;
    }
    return;
  }
}

std::size_t leading_underscores(std::string_view name) {
  return std::min(name.find_first_not_of('_'), name.size());
}

}  // namespace

struct SymbolTable::Candidate {
  std::uint64_t begin = 0;
  std::uint64_t size = 0;
  std::uint64_t section_end = 0;
  const char* name = nullptr;
  bool is_function = false;  // by its type, and not only by the section it is in
};

bool is_better_alias(std::string_view a, std::string_view b) {
  a = without_version(a);
  b = without_version(b);
  const std::size_t underscores_a = leading_underscores(a);
  const std::size_t underscores_b = leading_underscores(b);
  if (underscores_a != underscores_b) return underscores_a < underscores_b;
  if (a.size() != b.size()) return a.size() < b.size();
  return a < b;
}

SymbolTable::SymbolTable(const ElfFile& file, Kind kind) : file_(file), kind_(kind) {
  const std::vector<SectionBounds> sections = section_bounds(file.elf());
  std::vector<Candidate> candidates;
  for_each_symbol(file.elf(), kind, [&](const GElf_Sym& symbol, const char* name) {
    const auto type = GELF_ST_TYPE(symbol.st_info);
    const bool is_function = type == STT_FUNC || type == STT_GNU_IFUNC;
    if (!is_function && type != STT_NOTYPE) return true;
    if (symbol.st_shndx >= sections.size() || !sections[symbol.st_shndx].executable) return true;
    candidates.push_back(
        {symbol.st_value, symbol.st_size, sections[symbol.st_shndx].end, name, is_function});
    return true;
  });
  keep_functions(std::move(candidates));
}

void SymbolTable::keep_functions(std::vector<Candidate> candidates) {
  // At one address: functions first, then those with a size, then the best name.
  std::ranges::sort(candidates, [](const Candidate& a, const Candidate& b) {
    if (a.begin != b.begin) return a.begin < b.begin;
    if ((a.size > 0) != (b.size > 0)) return a.size > 0;
    if (a.is_function != b.is_function) return a.is_function;
    return is_better_alias(a.name, b.name);
  });
  const auto [first, last] = std::ranges::unique(candidates, {}, &Candidate::begin);
  candidates.erase(first, last);
  std::uint64_t furthest_end = 0;
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    const Candidate& candidate = candidates[i];
    if (candidate.size > 0) {
      const auto end = checked_add(candidate.begin, candidate.size);
      if (!end) continue;
      furthest_end = std::max(furthest_end, *end);
      sized_.push_back({candidate.begin, *end, furthest_end, candidate.name});
    } else if (kind_ == Kind::kStatic) {
      std::uint64_t end = candidate.section_end;
      if (i + 1 < candidates.size()) end = std::min(end, candidates[i + 1].begin);
      unsized_.push_back({candidate.begin, end, 0, candidate.name});
    }
  }
}

std::optional<Symbol> SymbolTable::function_at(std::uint64_t address) const {
  const auto last_not_after = [address](const std::vector<Entry>& entries) {
    return static_cast<std::size_t>(std::ranges::upper_bound(entries, address, {}, &Entry::begin) -
                                    entries.begin());
  };
  std::size_t steps = 0;
  for (std::size_t i = last_not_after(sized_); i > 0 && steps < kMaxStepsBack; --i, ++steps) {
    const Entry& entry = sized_[i - 1];
    if (entry.end > address) return Symbol{entry.begin, entry.name};
    if (entry.furthest_end <= address) break;
  }
  const std::size_t i = last_not_after(unsized_);
  if (i > 0 && unsized_[i - 1].end > address)
    return Symbol{unsized_[i - 1].begin, unsized_[i - 1].name};
  return std::nullopt;
}

std::optional<std::uint64_t> SymbolTable::address_of(std::string_view name) const {
  std::optional<std::uint64_t> address;
  for_each_symbol(file_.elf(), kind_, [&](const GElf_Sym& symbol, const char* candidate) {
    const auto type = GELF_ST_TYPE(symbol.st_info);
    if (type != STT_FUNC && type != STT_OBJECT && type != STT_NOTYPE) return true;
    if (name != without_version(candidate)) return true;
    address = symbol.st_value;
    return false;
  });
  return address;
}

}  // namespace mini::unwind
