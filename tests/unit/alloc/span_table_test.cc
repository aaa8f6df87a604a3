// The table of spans' records.
#include "alloc/span_table.h"

#include <set>

#include "alloc_test.h"

namespace mini::alloc {
namespace {

class SpanTableTest : public BackingTest {
 protected:
  SpanTable& spans() { return backing().spans; }
};

TEST_F(SpanTableTest, IdsBeginAtOneAndEndIsAboveAll) {
  EXPECT_EQ(spans().end(), 1U);
  Span* const first = spans().take();
  Span* const second = spans().take();
  ASSERT_NE(first, nullptr);
  EXPECT_EQ(window().id_of(*first), 1U);
  EXPECT_EQ(window().id_of(*second), 2U);
  EXPECT_EQ(spans().end(), 3U);
}

TEST_F(SpanTableTest, AReturnedRecordIsTakenAgainWithNothingSet) {
  Span* const span = spans().take();
  span->kind = SpanKind::kLarge;
  span->pages = pages(7);
  span->heap = 3;
  span->free.set_run({0, 200});
  spans().put(*span);
  EXPECT_EQ(span->kind, SpanKind::kFree);
  ASSERT_EQ(spans().take(), span);
  EXPECT_EQ(span->kind, SpanKind::kFree);
  EXPECT_EQ(span->pages, pages(0));
  EXPECT_EQ(span->heap, 0);
  EXPECT_EQ(span->free.count(), 0U);
  EXPECT_EQ(span->next, nullptr);
  EXPECT_EQ(span->previous, nullptr);
  EXPECT_EQ(spans().end(), 2U);
}

TEST_F(SpanTableTest, ManyAreApartFromEachOther) {
  std::set<SpanId> ids;
  for (int i = 0; i < 50'000; ++i) ids.insert(window().id_of(*spans().take()));
  EXPECT_EQ(ids.size(), 50'000U);
  EXPECT_EQ(spans().end(), 50'001U);
}

TEST_F(SpanTableTest, ThereAreNoneWhereTheKernelRefusesAndAgainOnceItDoesNot) {
  vm().limit_mapped(vm().mapped_bytes());
  std::size_t taken = 0;
  while (spans().take() != nullptr) ++taken;
  EXPECT_LT(taken, 10'000U);
  const SpanId end = spans().end();
  EXPECT_EQ(spans().take(), nullptr);
  EXPECT_EQ(spans().end(), end);
  vm().limit_mapped(SIZE_MAX);
  ASSERT_NE(spans().take(), nullptr);
  EXPECT_EQ(spans().end(), end + 1);
}

TEST(SpanList, RemovesFromFrontMiddleAndBack) {
  Span a;
  Span b;
  Span c;
  SpanList list;
  list.push(c);
  list.push(b);
  list.push(a);
  list.remove(b);
  EXPECT_EQ(list.front(), &a);
  EXPECT_EQ(a.next, &c);
  EXPECT_EQ(c.previous, &a);
  list.remove(c);
  EXPECT_EQ(a.next, nullptr);
  list.remove(a);
  EXPECT_EQ(list.front(), nullptr);
  EXPECT_EQ(b.next, nullptr);
  EXPECT_EQ(b.previous, nullptr);
}

}  // namespace
}  // namespace mini::alloc
