// Separate debug files of modules that have no build-id, found by .gnu_debuglink.
#include "unwind/debug_file.h"

#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>

#include "support/temporary_folder.h"

namespace mini::unwind {
namespace {

namespace fs = std::filesystem;

class LinkedModule : public testing::Test {
 protected:
  void SetUp() override {
    fs::copy(MINI_UNWIND_TARGETS "/chain_linked", folder_ / "program");
    auto module = ElfFile::open(folder_ / "program");
    ASSERT_TRUE(module) << module.error().message;
    module_ = std::move(*module);
    ASSERT_TRUE(module_->build_id().empty());
    ASSERT_FALSE(module_->has_debug_info());
  }

  void put_debug_file(const std::string& name) {
    const fs::path path = folder_ / name;
    fs::create_directories(path.parent_path());
    fs::copy(MINI_UNWIND_TARGETS "/chain_linked.debug", path);
  }
  std::unique_ptr<ElfFile> found() const {
    return find_debug_file(*module_, "", folder_ / "program");
  }

  test::TemporaryFolder folder_;
  std::unique_ptr<ElfFile> module_;
};

TEST_F(LinkedModule, HasItsDebugFileBesideIt) {
  EXPECT_EQ(found(), nullptr);
  put_debug_file("chain_linked.debug");
  const auto file = found();
  ASSERT_NE(file, nullptr);
  EXPECT_TRUE(file->has_debug_info());
}

TEST_F(LinkedModule, HasItsDebugFileInAFolderBesideIt) {
  put_debug_file(".debug/chain_linked.debug");
  EXPECT_NE(found(), nullptr);
}

TEST_F(LinkedModule, TakesNoFileOfAnotherChecksum) {
  put_debug_file("chain_linked.debug");
  std::fstream(folder_ / "chain_linked.debug", std::ios::in | std::ios::out | std::ios::ate)
      << "changed";
  EXPECT_EQ(found(), nullptr);
  put_debug_file(".debug/chain_linked.debug");  // the next place has the right one
  EXPECT_NE(found(), nullptr);
}

}  // namespace
}  // namespace mini::unwind
