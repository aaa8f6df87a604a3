// Random operations on AddressSpace against a reference that remembers every page by itself.
#include <algorithm>
#include <array>
#include <gtest/gtest.h>
#include <map>
#include <random>

#include "model/address_space.h"

namespace mini::model {
namespace {

constexpr Bytes kPage{4096};
constexpr std::uint64_t kPagesCount = 96;
constexpr std::uint64_t kHeapFirstPage = 64;

AddressRange pages(std::uint64_t first, std::uint64_t end) {
  return {Address{first * kPage.count}, Address{end * kPage.count}};
}

// One page at a time: slow, and too simple to be wrong in the ways the real one could be.
class ReferenceSpace {
 public:
  void map(const Mapping& mapping) {
    for (auto page = first(mapping.range); page < end(mapping.range); ++page) {
      pages_[page] = slice(mapping, pages(page, page + 1));
    }
  }
  void unmap(AddressRange range) {
    for (auto page = first(range); page < end(range); ++page) pages_.erase(page);
  }
  template <typename Change>
  void change(AddressRange range, Change&& change_page) {
    for (auto page = first(range); page < end(range); ++page) {
      if (const auto it = pages_.find(page); it != pages_.end()) change_page(it->second);
    }
  }
  void move(AddressRange from, AddressRange to, bool keep_source) {
    std::map<std::uint64_t, Mapping> moved;
    for (auto page = first(from); page < end(from); ++page) {
      if (const auto it = pages_.find(page); it != pages_.end()) moved.insert(*it);
    }
    if (moved.empty()) return;
    if (!keep_source) unmap(from);
    unmap(to);
    const std::uint64_t last_page = moved.rbegin()->first;
    for (auto page = first(to); page < end(to); ++page) {
      const std::uint64_t wanted = page - first(to) + first(from);
      const auto source = moved.find(std::min(wanted, last_page));
      if (source == moved.end()) continue;
      Mapping copy = source->second;
      if (copy.path == "[heap]" && first(to) != first(from)) copy.path = "";
      if (!is_anonymous(copy)) copy.file_offset += (wanted - source->first) * kPage.count;
      copy.range = pages(page, page + 1);
      pages_[page] = copy;
    }
  }
  std::vector<Mapping> list() const {
    std::vector<Mapping> result;
    for (const auto& [page, mapping] : pages_) result.push_back(mapping);
    return result;
  }
  std::size_t count() const { return pages_.size(); }

 private:
  static std::uint64_t first(AddressRange range) { return range.begin.value / kPage.count; }
  static std::uint64_t end(AddressRange range) { return range.end.value / kPage.count; }
  std::map<std::uint64_t, Mapping> pages_;
};

void expect_same_page(const Mapping& expected, const Mapping& actual) {
  EXPECT_EQ(expected.protection, actual.protection);
  EXPECT_EQ(expected.shared, actual.shared);
  EXPECT_EQ(expected.path, actual.path);
  EXPECT_EQ(expected.inode, actual.inode);
  EXPECT_EQ(expected.role, actual.role);
  EXPECT_EQ(expected.cause, actual.cause);
  if (!is_anonymous(expected)) {
    EXPECT_EQ(expected.file_offset, actual.file_offset);
  }
}

void expect_invariants(const AddressSpace& space, const ReferenceSpace& reference) {
  const auto list = space.mappings();
  Bytes sum;
  for (std::size_t i = 0; i < list.size(); ++i) {
    EXPECT_LT(list[i].range.begin, list[i].range.end);
    sum += list[i].range.size();
    if (i == 0) continue;
    EXPECT_LE(list[i - 1].range.end, list[i].range.begin);
    const bool one = continues(list[i - 1], list[i]) && list[i - 1].role == list[i].role &&
                     list[i - 1].cause == list[i].cause;
    EXPECT_FALSE(one) << "neighbours alike at " << list[i].range.begin.value;
  }
  EXPECT_EQ(space.mapped_bytes(), sum);
  EXPECT_EQ(space.mapped_bytes(), kPage * reference.count());
  for (const Mapping& page : reference.list()) {
    const Mapping* found = space.find(page.range.begin);
    ASSERT_NE(found, nullptr) << page.range.begin.value;
    expect_same_page(page, slice(*found, page.range));
  }
}

class RandomOperations {
 public:
  explicit RandomOperations(std::uint64_t seed) : random_(seed) {
    space_.set_break(heap_begin(), kPage);
  }

  void step() {
    switch (pick(7)) {
      case 0:
      case 1:
        return map();
      case 2:
        return unmap();
      case 3:
        return protect();
      case 4:
        return move();
      case 5:
        return label();
      default:
        return pick(2) == 0 ? name() : move_break();
    }
  }

  AddressSpace& space() { return space_; }
  ReferenceSpace& reference() { return reference_; }

 private:
  static Address heap_begin() { return pages(kHeapFirstPage, kHeapFirstPage).begin; }

  std::uint64_t pick(std::uint64_t bound) { return random_() % bound; }

  AddressRange range(std::uint64_t limit = kPagesCount) {
    const std::uint64_t begin = pick(limit);
    return pages(begin, std::min(limit, begin + pick(10)));
  }

  Protection protection() {
    const std::uint64_t bits = pick(4);
    return {.read = (bits & 1) != 0, .write = (bits & 2) != 0, .execute = false};
  }

  void map() {
    Mapping mapping;
    mapping.range = range();
    mapping.protection = protection();
    mapping.shared = pick(4) == 0;
    if (pick(2) == 0) {
      mapping.path = "/lib/x.so";
      mapping.inode = 1 + pick(2);
      // Often the offset at which it would continue its neighbour.
      mapping.file_offset = pick(2) == 0 ? mapping.range.begin.value : 0;
    }
    space_.map(mapping);
    reference_.map(mapping);
  }

  void unmap() {
    const AddressRange where = range();
    space_.unmap(where);
    reference_.unmap(where);
  }

  void protect() {
    const AddressRange where = range();
    const Protection wanted = protection();
    space_.protect(where, wanted);
    reference_.change(where, [&](Mapping& page) { page.protection = wanted; });
  }

  void label() {
    const AddressRange where = range();
    const Role role = pick(2) == 0 ? Role::kAnonymous : Role::kMmappedChunk;
    space_.label(where, role, Cause::kMalloc);
    reference_.change(where, [&](Mapping& page) {
      page.role = role;
      page.cause = Cause::kMalloc;
    });
  }

  void name() {
    const AddressRange where = range();
    space_.name(where, "[anon:a]");
    reference_.change(where, [&](Mapping& page) {
      if (page.path != "[heap]") page.path = "[anon:a]";
    });
  }

  // As mremap does: the source is mapped throughout and does not overlap its destination.
  void move() {
    const AddressRange from = range(kHeapFirstPage / 2);
    if (from.empty() || space_.within(from).empty()) return;
    const auto mapped = space_.within(from);
    const AddressRange source = mapped.front().range;
    const Address begin = pages(kHeapFirstPage / 2 + pick(20), 0).begin;
    const AddressRange to = {begin, begin + kPage * (1 + pick(10))};
    const bool keep = pick(3) == 0;
    space_.move(source, to, keep);
    reference_.move(source, to, keep);
  }

  void move_break() {
    const Address wanted = heap_begin() + Bytes{pick(20 * kPage.count)};
    const auto page_of = [](Address a) { return (a.value + kPage.count - 1) / kPage.count; };
    const std::uint64_t old_page = page_of(*space_.program_break());
    const std::uint64_t new_page = page_of(wanted);
    Mapping growth;
    growth.range = pages(old_page, std::max(old_page, new_page));
    growth.protection = {.read = true, .write = true, .execute = false};
    growth.path = "[heap]";
    if (const Mapping* before = space_.find(growth.range.begin - Bytes{1}); before != nullptr) {
      if (before->path == "[heap]") {
        growth.role = before->role;
        growth.cause = before->cause;
      }
    }
    reference_.map(growth);
    reference_.unmap(pages(new_page, std::max(old_page, new_page)));
    space_.set_break(wanted, kPage);
    EXPECT_EQ(space_.heap_bytes(), wanted - heap_begin());
  }

  std::mt19937_64 random_;
  AddressSpace space_;
  ReferenceSpace reference_;
};

TEST(AddressSpacePropertyTest, AgreesWithAReferenceThatRemembersEveryPage) {
  for (std::uint64_t seed = 1; seed <= 400; ++seed) {
    RandomOperations operations(seed);
    for (int i = 0; i < 150; ++i) {
      operations.step();
      ASSERT_NO_FATAL_FAILURE(expect_invariants(operations.space(), operations.reference()));
      ASSERT_FALSE(testing::Test::HasFailure()) << "seed " << seed << " step " << i;
    }
  }
}

TEST(AddressSpacePropertyTest, ComparingWithTheReferenceFindsNothingAndOneLostPageSomething) {
  std::mt19937_64 random(7);
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    RandomOperations operations(seed);
    for (int i = 0; i < 60; ++i) operations.step();
    auto kernel = operations.reference().list();
    ASSERT_FALSE(kernel.empty());
    for (Mapping& page : kernel) {
      page.role = Role::kUnknown;
      page.cause = Cause::kUnknown;
    }
    ASSERT_EQ(compare_with_kernel(operations.space(), kernel), std::vector<std::string>{})
        << "seed " << seed;
    const auto victim = static_cast<std::ptrdiff_t>(random() % kernel.size());
    kernel.erase(kernel.begin() + victim);
    EXPECT_FALSE(compare_with_kernel(operations.space(), kernel).empty()) << "seed " << seed;
  }
}

}  // namespace
}  // namespace mini::model
