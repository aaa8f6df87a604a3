#include "views/protobuf_writer.h"

#include <gtest/gtest.h>

namespace mini::views {
namespace {

// The examples of https://protobuf.dev/programming-guides/encoding
TEST(ProtobufWriterTest, WritesWhatTheSpecificationShows) {
  std::string out;
  ProtobufWriter(out).number(1, 150);
  EXPECT_EQ(out, "\x08\x96\x01");
  out.clear();
  ProtobufWriter(out).bytes(2, "testing");
  EXPECT_EQ(out, "\x12\x07testing");
  out.clear();
  const std::uint64_t numbers[] = {3, 270, 86942};
  ProtobufWriter(out).packed(6, numbers);
  EXPECT_EQ(out, "\x32\x06\x03\x8e\x02\x9e\xa7\x05");
}

TEST(ProtobufWriterTest, WritesTheLargestNumbersAndLeavesOutDefaults) {
  std::string out;
  ProtobufWriter(out).number(1, 0).packed(2, {}).number(16, UINT64_MAX);
  EXPECT_EQ(out, "\x80\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01");
}

}  // namespace
}  // namespace mini::views
