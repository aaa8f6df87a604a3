// What glibc's malloc would tell, told of this allocator.
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <gtest/gtest.h>
#include <malloc.h>
#include <minimalloc/minimalloc.h>
#include <string>
#include <vector>

#include "in_child.h"

namespace mini::api {
namespace {

TEST(Glibc, MallinfoAddsUpAndFollowsTheStatistics) {
  std::vector<void*> blocks(2000);
  for (std::size_t i = 0; i < blocks.size(); ++i) blocks[i] = std::malloc(i * 31 % 90'000);
  for (std::size_t i = 0; i < blocks.size(); i += 3) std::free(blocks[i]);
  const struct mallinfo2 info = mallinfo2();
  minimalloc_stats stats{};
  stats.struct_size = sizeof stats;
  minimalloc_stats_read(&stats);
  EXPECT_EQ(info.arena, info.uordblks + info.fordblks);
  EXPECT_EQ(info.arena + info.hblkhd, stats.heap_bytes + stats.fixed_bytes);
  EXPECT_EQ(info.uordblks + info.hblkhd, stats.live_bytes);
  EXPECT_EQ(info.hblks, stats.large_count);
  EXPECT_EQ(info.hblkhd, stats.large_bytes);
  EXPECT_EQ(info.ordblks, stats.cached_count + stats.depot_count + stats.slab_free_count);
  EXPECT_EQ(info.smblks, stats.cached_count + stats.depot_count);
  EXPECT_EQ(info.fsmblks, stats.cached_bytes + stats.depot_bytes);
  EXPECT_EQ(info.keepcost, stats.resident_free_bytes);
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    if (i % 3 != 0) std::free(blocks[i]);
  }
}

std::string info_text() {
  char* text = nullptr;
  std::size_t size = 0;
  FILE* const file = open_memstream(&text, &size);
  EXPECT_EQ(malloc_info(0, file), 0);
  std::fclose(file);
  std::string copy(text, size);
  std::free(text);
  return copy;
}

TEST(Glibc, MallocInfoNamesHeapsSafely) {
  minimalloc_heap* const heap = minimalloc_heap_create("<&\"\x01\xc3 odd");
  const std::string text = info_text();
  EXPECT_NE(text.find("<heap nr=\"0\">"), std::string::npos) << text;
  EXPECT_NE(text.find("name=\"&#60;&#38;&#34;?? odd\""), std::string::npos) << text;
  EXPECT_TRUE(text.starts_with("<malloc version=\"1\">\n"));
  EXPECT_TRUE(text.ends_with("</malloc>\n"));
  minimalloc_heap_destroy(heap);
}

TEST(Glibc, MallocInfoAndTheTableShowTheSameOfNames) {
  // Of two and three bytes; a control character of two, half a character, a surrogate, one beyond
  // all, one in more bytes than it needs.
  constexpr std::array<const char*, 2> kNames = {
      "gr\u00fcn \u20ac \xc2\x9b\x7f \xe2\x82",
      "\xed\xa0\x80 \xf4\x90\x80\x80 \xc0\x80 \U0001f600"};
  constexpr std::array<const char*, 2> kShown = {"\"gr\u00fcn \u20ac ??? ??\"",
                                                 "\"??? ???? ?? \U0001f600\""};
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    minimalloc_heap* const heap = minimalloc_heap_create(kNames[i]);
    for (const std::string& text : {info_text(), error_output_of([] { malloc_stats(); })}) {
      EXPECT_NE(text.find(kShown[i]), std::string::npos) << text;
    }
    minimalloc_heap_destroy(heap);
  }
}

TEST(Glibc, MallocInfoKnowsNoOptions) {
  EXPECT_EQ(malloc_info(1, stdout), EINVAL);
}

TEST(Glibc, MallocStatsShowsTheTable) {
  const std::string text = error_output_of([] { malloc_stats(); });
  EXPECT_NE(text.find("pages in use"), std::string::npos) << text;
}

TEST(Glibc, TrimSaysThatThereWasSomething) {
  std::vector<void*> blocks(100);
  for (void*& block : blocks) block = ::memset(std::malloc(10'000), 1, 10'000);
  for (void* block : blocks) std::free(block);
  EXPECT_EQ(malloc_trim(0), 1);
}

}  // namespace
}  // namespace mini::api
