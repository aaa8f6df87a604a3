#include "unwind/mini_debug_info.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <iterator>
#include <vector>

#include "unwind/symbol_table.h"

namespace mini::unwind {
namespace {

constexpr std::array kMagic = std::to_array<unsigned char>({0xfd, '7', 'z', 'X', 'Z', 0});

class PackedModule : public testing::Test {
 protected:
  void SetUp() override {
    const std::string path = MINI_UNWIND_TARGETS "/chain_packed";
    if (!std::filesystem::exists(path)) GTEST_SKIP() << "xz was not there to pack it";
    std::ifstream in(path, std::ios::binary);
    const std::vector<char> bytes{std::istreambuf_iterator<char>(in), {}};
    std::ranges::transform(bytes, std::back_inserter(image_),
                           [](char c) { return static_cast<std::byte>(c); });
    const auto packed = std::ranges::search(
        image_, kMagic, [](std::byte a, unsigned char b) { return a == std::byte{b}; });
    ASSERT_FALSE(packed.empty());
    packed_ = static_cast<std::size_t>(packed.begin() - image_.begin());
  }

  std::unique_ptr<ElfFile> unpacked() const {
    const auto module = ElfFile::from_memory(image_);
    return module ? unpack_mini_debug_info(**module) : nullptr;
  }

  std::vector<std::byte> image_;
  std::size_t packed_ = 0;  // where it is in the file
};

TEST_F(PackedModule, HasTheNamesThatItWasStrippedOf) {
  const auto module = ElfFile::from_memory(image_);
  ASSERT_TRUE(module) << module.error().message;
  EXPECT_TRUE(SymbolTable(**module, SymbolTable::Kind::kStatic).empty());
  const auto file = unpacked();
  ASSERT_NE(file, nullptr);
  const SymbolTable names(*file, SymbolTable::Kind::kStatic);
  const auto address = names.address_of("gamma_stops");
  ASSERT_TRUE(address);
  EXPECT_EQ(names.function_at(*address)->name, "gamma_stops");
}

TEST_F(PackedModule, ThatIsDamagedHasNone) {
  constexpr std::size_t kSomeBytes = 256;
  const std::vector<std::byte> whole = image_;
  for (std::size_t i = 0; i < kSomeBytes; ++i) {
    image_[packed_ + i] ^= std::byte{0x55};
    EXPECT_EQ(unpacked(), nullptr) << i;
    image_ = whole;
  }
}

TEST(MiniDebugInfo, MostFilesHaveNone) {
  const auto module = ElfFile::open(MINI_UNWIND_TARGETS "/chain");
  ASSERT_TRUE(module) << module.error().message;
  EXPECT_EQ(unpack_mini_debug_info(**module), nullptr);
}

}  // namespace
}  // namespace mini::unwind
