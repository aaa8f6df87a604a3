// The model's address space: mappings kept up to date from system calls alone, to be reconciled
// with /proc/PID/maps.
//
//  I1  mappings are sorted, disjoint and not empty
//  I2  mapped_bytes() == sum of their sizes
//  I3  the heap is [heap start, program break), whether or not the break was ever moved
//  I4  no two neighbours are alike, labels included: they are one mapping
//
// After merging neighbours that differ in labels only, the mappings equal the kernel's, range by
// range (compare_with_kernel says where not).
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/units.h"
#include "model/mapping.h"

namespace mini::model {

class AddressSpace {
 public:
  AddressSpace() = default;

  /// Each does what the system call of that name did when it succeeded; ranges are page-rounded by
  /// the caller. Parts of a range that are not mapped are ignored, as the kernel's own view
  /// decides.
  void map(Mapping mapping);  // replaces whatever overlaps
  void unmap(AddressRange range);
  void protect(AddressRange range, Protection protection);
  void name(AddressRange range, std::string path);                  // PR_SET_VMA_ANON_NAME
  void move(AddressRange from, AddressRange to, bool keep_source);  // mremap
  void label(AddressRange range, Role role, Cause cause);

  /// The program break as the kernel returns it, unaligned. The first known break is where the heap
  /// starts. Growth maps, shrinking unmaps.
  void set_break(Address program_break, Bytes page_size);
  std::optional<Address> program_break() const { return break_; }
  std::optional<Address> heap_start() const { return heap_start_; }

  /// The lower end of the main stack, which the kernel moves down by itself; nullptr without one.
  const Mapping* stack_end() const;

  const Mapping* find(Address address) const;
  /// What is mapped in `range`, cut to it, in address order.
  std::vector<Mapping> within(AddressRange range) const;
  std::vector<Mapping> mappings() const;  // in address order, neighbours that are alike merged
  Bytes heap_bytes() const;               // program break - heap start; 0 while unknown
  Bytes mapped_bytes() const { return mapped_; }
  std::size_t mapping_count() const { return by_begin_.size(); }

 private:
  using Map = std::map<Address, Mapping>;

  void split_at(Address address);
  void insert(Mapping mapping);
  Map::iterator erase(Map::iterator position);
  Map::iterator first_overlapping(Address address);
  void merge_neighbours(AddressRange around);
  template <typename Change>
  void change(AddressRange range, Change&& change_mapping);

  Map by_begin_;
  Bytes mapped_;
  std::optional<Address> heap_start_;
  std::optional<Address> break_;
};

/// What differs between the model and the kernel's own list, one line each; empty when they agree.
/// What the kernel does without a memory system call is not a difference: the main stack growing
/// downwards, [vsyscall], [uprobes], rings of io_setup. Files are the same when their device and
/// inode are, or their path.
std::vector<std::string> compare_with_kernel(const AddressSpace& model,
                                             const std::vector<Mapping>& kernel);

}  // namespace mini::model
