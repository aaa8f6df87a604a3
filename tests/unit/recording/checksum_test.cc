// XXH64's published values.
#include "recording/checksum.h"

#include <gtest/gtest.h>
#include <string_view>

namespace mini::recording {
namespace {

std::uint64_t hash_of(std::string_view text) {
  return xxh64({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
}

TEST(Checksum, PublishedValues) {
  EXPECT_EQ(hash_of(""), 0xEF46DB3751D8E999U);
  EXPECT_EQ(hash_of("a"), 0xD24EC4F1A98C6E5BU);
  EXPECT_EQ(hash_of("abc"), 0x44BC2CF5AD770999U);
  EXPECT_EQ(hash_of("Nobody inspects the spammish repetition"), 0xFBCEA83C8A378BF1U);
}

}  // namespace
}  // namespace mini::recording
