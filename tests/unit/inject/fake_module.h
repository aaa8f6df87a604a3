// A module in a target's memory without a target: a dynamic section, symbols, relocations and the
// words that they are about.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <elf.h>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/memory_reader.h"
#include "inject/loaded_modules.h"

namespace mini::inject {

class FakeModule final : public MemoryReader {
 public:
  enum class Hash : std::uint8_t { kGnu, kSysv };
  static constexpr std::uint64_t kBias = 0x7f0000000000;

  /// Names with an address are defined at it, in the file's numbering; those without are imported.
  /// To be called before anything else, imports first.
  void add_symbol(const std::string& name, std::uint64_t address = 0,
                  unsigned char info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC),
                  std::uint16_t version = 2) {
    versions_.push_back(version);
    symbols_.push_back({.st_name = static_cast<Elf64_Word>(strings_.size()),
                        .st_info = info,
                        .st_other = 0,
                        .st_shndx = static_cast<Elf64_Section>(address == 0 ? SHN_UNDEF : 1),
                        .st_value = address,
                        .st_size = 16});
    names_.push_back(name);
    strings_ += name + '\0';
  }
  /// A word for the symbol of that name. Its address.
  std::uint64_t add_word(const std::string& name, std::uint64_t value, unsigned kind,
                         bool is_call) {
    const auto symbol =
        static_cast<std::uint64_t>(std::ranges::find(names_, name) - names_.begin());
    const std::uint64_t slot = 0x8000 + 8 * words_.size();
    words_.push_back(value);
    (is_call ? calls_ : addresses_)
        .push_back({.r_offset = slot, .r_info = ELF64_R_INFO(symbol, kind), .r_addend = 0});
    return kBias + slot;
  }

  LoadedModule build(Hash hash) {
    put(0x1000, std::as_bytes(std::span(symbols_)));
    put(0x2000, std::as_bytes(std::span(strings_)));
    hash == Hash::kGnu ? put_gnu_hash() : put_sysv_hash();
    put(0x4000, std::as_bytes(std::span(calls_)));
    put(0x5000, std::as_bytes(std::span(addresses_)));
    put(0x7000, std::as_bytes(std::span(versions_)));
    put(0x8000, std::as_bytes(std::span(words_)));
    const std::vector<Elf64_Dyn> dynamic = {
        {DT_SYMTAB, {kBias + 0x1000}},
        {DT_STRTAB, {kBias + 0x2000}},
        {DT_STRSZ, {strings_.size()}},
        {DT_VERSYM, {kBias + 0x7000}},
        {hash == Hash::kGnu ? Elf64_Sxword{DT_GNU_HASH} : Elf64_Sxword{DT_HASH}, {kBias + 0x3000}},
        {DT_JMPREL, {kBias + 0x4000}},
        {DT_PLTRELSZ, {calls_.size() * sizeof(Elf64_Rela)}},
        {DT_PLTREL, {DT_RELA}},
        {DT_RELA, {0x5000}},  // as in a section that the loader could not write to
        {DT_RELASZ, {addresses_.size() * sizeof(Elf64_Rela)}},
        {DT_NULL, {0}}};
    put(0x6000, std::as_bytes(std::span(dynamic)));
    return {
        .link_map = Address{0x1234}, .bias = kBias, .dynamic = Address{kBias + 0x6000}, .path = ""};
  }

  std::size_t read(Address from, std::span<std::byte> out) const override {
    if (from.value < kBias) return 0;
    const std::uint64_t offset = from.value - kBias;
    if (offset >= image_.size()) return 0;
    const std::size_t count = std::min<std::size_t>(out.size(), image_.size() - offset);
    std::memcpy(out.data(), image_.data() + offset, count);
    return count;
  }

 private:
  void put(std::size_t at, std::span<const std::byte> bytes) {
    image_.resize(std::max(image_.size(), at + bytes.size() + 16));
    std::ranges::copy(bytes, image_.begin() + static_cast<std::ptrdiff_t>(at));
  }
  void put_gnu_hash() {
    const auto first = static_cast<std::uint32_t>(
        std::ranges::find_if(symbols_, [](const Elf64_Sym& s) { return s.st_shndx != SHN_UNDEF; }) -
        symbols_.begin());
    std::vector<std::uint32_t> table = {1, first, 1, 0, 0, 0, first};
    for (std::size_t i = first; i < symbols_.size(); ++i) {
      std::uint32_t hash = 5381;
      for (const char c : names_[i]) hash = hash * 33 + static_cast<unsigned char>(c);
      table.push_back((hash & ~1U) | (i + 1 == symbols_.size() ? 1U : 0U));
    }
    put(0x3000, std::as_bytes(std::span(table)));
  }
  void put_sysv_hash() {
    std::vector<std::uint32_t> table = {1, static_cast<std::uint32_t>(symbols_.size()), 1};
    for (std::uint32_t i = 0; i < symbols_.size(); ++i) {
      table.push_back(i != 0 && i + 1 < symbols_.size() ? i + 1 : 0);
    }
    put(0x3000, std::as_bytes(std::span(table)));
  }

  std::vector<Elf64_Sym> symbols_ = {Elf64_Sym{}};
  std::vector<std::string> names_ = {""};
  std::vector<std::uint16_t> versions_ = {0};
  std::string strings_ = std::string(1, '\0');
  std::vector<Elf64_Rela> calls_;
  std::vector<Elf64_Rela> addresses_;
  std::vector<std::uint64_t> words_;
  std::vector<std::byte> image_;
};

}  // namespace mini::inject
