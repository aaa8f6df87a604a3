#include "model/malloc_versions.h"

#include <gtest/gtest.h>

namespace mini::model {
namespace {

TEST(MallocVersionsTest, VersionsAreTakenApart) {
  EXPECT_EQ(glibc_minor("2.36"), 36);
  EXPECT_EQ(glibc_minor("2.43.9000"), 43);
  EXPECT_FALSE(glibc_minor("3.1"));
  EXPECT_FALSE(glibc_minor("2."));
  EXPECT_FALSE(glibc_minor(""));
}

TEST(MallocVersionsTest, FreedChunksGoElsewhereInNewerVersions) {
  EXPECT_EQ(free_lists("2.25").cached_of_a_size, 0u);
  EXPECT_EQ(free_lists("2.36").cached_of_a_size, 7u);
  EXPECT_EQ(free_lists("2.43").cached_of_a_size, 16u);
  EXPECT_FALSE(free_lists("2.40").small_sorted_at_once);
  EXPECT_TRUE(free_lists("2.41").small_sorted_at_once);
  EXPECT_TRUE(free_lists("2.42").fast_bins);
  EXPECT_FALSE(free_lists("2.43").fast_bins);
  EXPECT_EQ(free_lists("2.41").cache_made_by_free, Bytes{});
  EXPECT_EQ(free_lists("2.43").cache_made_by_free, Bytes{768});
}

TEST(MallocVersionsTest, AnMmappedChunkIsShorterThanItsMapping) {
  EXPECT_EQ(chunk_of_mapping(Bytes{266240}, "2.41"), Bytes{266240});
  EXPECT_EQ(chunk_of_mapping(Bytes{266240}, "2.43"), Bytes{266224});
}

}  // namespace
}  // namespace mini::model
