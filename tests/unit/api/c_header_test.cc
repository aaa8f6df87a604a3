#include <gtest/gtest.h>
#include <minimalloc/minimalloc.h>
#include <string>

extern "C" int c_header_is_usable(void);

TEST(Header, IsUsableFromC11) {
  EXPECT_EQ(c_header_is_usable(), 1);
}

TEST(Header, HasTheLibrarysVersion) {
  const std::string version = std::to_string(MINIMALLOC_VERSION_MAJOR) + "." +
                              std::to_string(MINIMALLOC_VERSION_MINOR) + "." +
                              std::to_string(MINIMALLOC_VERSION_PATCH);
  EXPECT_EQ(version, minimalloc_version());
}
