// What a block of a heap seems to hold, by its first bytes: an object of a C++ type, text,
// pointers.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/memory_reader.h"
#include "heaps/page_cache.h"
#include "model/inspection.h"

namespace mini::sources {

/// Guesses, from a target's memory that may hold anything: every read is bounded, every name that
/// is shown made safe. Not thread-safe.
class ContentHinter {
 public:
  /// Both must outlive it.
  ContentHinter(const MemoryReader& memory, const model::Inspection& inspection)
      : pages_(memory), inspection_(inspection) {}

  /// "Node" where the block begins with the address of a vtable of that class; else "". Known from
  /// the type information before the vtable, which needs no symbols: C++ without -fno-rtti has it.
  std::string_view type_of(Address block);

  /// Of the first bytes: "vtable of Node", "text "hello"", "2 of 8 words point into the heap, …";
  /// "" where nothing can be said.
  std::string describe(AddressRange block);

 private:
  std::string read_type(Address vtable) const;
  std::string text_at(AddressRange block) const;
  std::string pointers_at(AddressRange block) const;
  bool is_in_file(Address address) const;
  std::string name_of(const model::MemoryRegion& region) const;

  heaps::PageCache pages_;
  const model::Inspection& inspection_;
  std::map<Address, std::string> types_;  // by vtable
};

/// Says of each pin what it seems to hold.
void hint_pins(const MemoryReader& memory, model::Inspection& inspection);

}  // namespace mini::sources
