// Options in a program that runs; those of the environment are tested from outside.
#include <algorithm>
#include <cerrno>
#include <gtest/gtest.h>
#include <malloc.h>
#include <minimalloc/minimalloc.h>
#include <string>
#include <thread>
#include <vector>

namespace mini::api {
namespace {

std::string value_of(const char* name) {
  char text[32];
  return minimalloc_option_get(name, text, sizeof text) == 0 ? text : "none";
}

class OptionsTest : public testing::Test {
 protected:
  ~OptionsTest() override {
    minimalloc_option_set("RETAIN", "auto");
    minimalloc_option_set("THREAD_CACHE", "auto");
    minimalloc_option_set("HUGE_PAGES", "auto");
    minimalloc_option_set("WRONG_SIZES", "abort");
  }
};

TEST_F(OptionsTest, HaveDefaults) {
  EXPECT_EQ(value_of("STATS"), "0");
  EXPECT_EQ(value_of("VERBOSE"), "0");
  EXPECT_EQ(value_of("RETAIN"), "auto");
  EXPECT_EQ(value_of("THREAD_CACHE"), "auto");
  EXPECT_EQ(value_of("HUGE_PAGES"), "auto");
  EXPECT_EQ(value_of("WRONG_SIZES"), "abort");
}

TEST_F(OptionsTest, SizesHaveUnits) {
  const std::pair<const char*, const char*> sizes[] = {
      {"0", "0"},        {"1", "1"},           {"4096", "4096"},
      {"64K", "65536"},  {"64KB", "65536"},    {"64KiB", "65536"},
      {"3M", "3145728"}, {"2G", "2147483648"}, {"1T", "1099511627776"},
      {"12B", "12"},     {"auto", "auto"},
  };
  for (const auto& [text, value] : sizes) {
    EXPECT_EQ(minimalloc_option_set("RETAIN", text), 0) << text;
    EXPECT_EQ(value_of("RETAIN"), value) << text;
  }
}

TEST_F(OptionsTest, WhatIsNoValueChangesNothing) {
  ASSERT_EQ(minimalloc_option_set("RETAIN", "7M"), 0);
  for (const char* text :
       {"", " ", "-1", "+1", "K", "1.5M", "1k", "0x10", "1M ", "1MiBs", "1Mi",
        "18446744073709551616", "99999999999T", "18446744073709551615", "never"}) {
    EXPECT_EQ(minimalloc_option_set("RETAIN", text), EINVAL) << text;
    EXPECT_EQ(value_of("RETAIN"), "7340032") << text;
  }
  EXPECT_EQ(minimalloc_option_set("HUGE_PAGES", "7M"), EINVAL);
  EXPECT_EQ(minimalloc_option_set("STATS", "2"), EINVAL);
  EXPECT_EQ(minimalloc_option_set("WRONG_SIZES", "1"), EINVAL);
}

TEST_F(OptionsTest, NamesAreExact) {
  for (const char* name : {"", "RETAI", "RETAINS", "retain", "MINIMALLOC_RETAIN"}) {
    EXPECT_EQ(minimalloc_option_set(name, "1M"), ENOENT) << name;
    char text[32];
    EXPECT_EQ(minimalloc_option_get(name, text, sizeof text), ENOENT) << name;
  }
}

TEST_F(OptionsTest, AValueThatDoesNotFitIsNotCut) {
  char text[4] = "xyz";
  EXPECT_EQ(minimalloc_option_get("RETAIN", text, sizeof text), ERANGE);
  EXPECT_STREQ(text, "xyz");
}

TEST_F(OptionsTest, FreesOfAnotherSizeMayGoOn) {
  ASSERT_EQ(minimalloc_option_set("WRONG_SIZES", "warn"), 0);
  testing::internal::CaptureStderr();
  for (const std::size_t size : {40U, 400U, 4'000U, 400'000U, 40'000'000U}) {
    ::operator delete(::operator new(size), std::size_t{1});
    ::operator delete(::operator new(size), 10 * size);
  }
  const std::string said = testing::internal::GetCapturedStderr();
  EXPECT_NE(said.find("a block of 48 bytes; freed as 1 bytes; the program goes on"),
            std::string::npos)
      << said;
  EXPECT_EQ(std::ranges::count(said, '\n'), 1) << said;
}

std::uint64_t resident_free_after_freeing() {
  std::vector<void*> blocks(100);
  for (void*& block : blocks) block = ::memset(std::malloc(1 << 20), 1, 1 << 20);
  for (void* block : blocks) std::free(block);
  minimalloc_stats stats{};
  stats.struct_size = sizeof stats;
  minimalloc_stats_read(&stats);
  return stats.resident_free_bytes;
}

TEST_F(OptionsTest, RetainLimitsWhatIsKept) {
  minimalloc_option_set("RETAIN", "1G");
  EXPECT_GT(resident_free_after_freeing(), 90U << 20);
  minimalloc_option_set("RETAIN", "8M");
  // And what other tests left in pieces too small to be given back.
  EXPECT_LE(resident_free_after_freeing(), 16U << 20);
}

TEST_F(OptionsTest, TheTrimThresholdOfMalloptIsTheSame) {
  EXPECT_EQ(mallopt(M_TRIM_THRESHOLD, 50 << 20), 1);
  EXPECT_EQ(value_of("RETAIN"), std::to_string(50 << 20));
  EXPECT_EQ(mallopt(M_TRIM_THRESHOLD, 1000), 1);
  EXPECT_EQ(value_of("RETAIN"), std::to_string(1 << 20));
  EXPECT_EQ(mallopt(M_TRIM_THRESHOLD, -1), 1);
  EXPECT_GT(resident_free_after_freeing(), 90U << 20);
}

// What a thread caches after it worked with a given option; the cache goes with the thread.
std::uint64_t cached_bytes_of_thread(const char* option) {
  minimalloc_option_set("THREAD_CACHE", option);
  minimalloc_stats stats{};
  stats.struct_size = sizeof stats;
  std::thread([&stats] {
    std::vector<void*> blocks(10'000);
    for (int round = 0; round < 20; ++round) {
      for (void*& block : blocks) block = std::malloc(528);
      for (void* block : blocks) std::free(block);
    }
    minimalloc_stats_read(&stats);
  }).join();
  return stats.cached_bytes;
}

TEST_F(OptionsTest, AThreadCacheMayBeForbiddenToGrow) {
  EXPECT_LT(cached_bytes_of_thread("0"), cached_bytes_of_thread("64M"));
}

}  // namespace
}  // namespace mini::api
