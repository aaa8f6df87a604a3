// Walks that are known again, and what makes one void, on stacks that no code has run on.
#include "unwind/self/earlier_walk.h"

#include <cstddef>
#include <cstdint>
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <string>
#include <sys/mman.h>

#include "unwinding.h"

#if defined(__x86_64__)

// Code that is never run: two return addresses, at which its frame is described so.
#define CODE(name, cfi)                                             \
  extern "C" void name();                                           \
  asm(".text\n"                                                     \
      ".type " #name ", @function\n" #name ": .cfi_startproc\n" cfi \
      "\n nop\n nop\n"                                              \
      ".cfi_endproc\n"                                              \
      ".size " #name ", . - " #name "\n");

CODE(outermost, ".cfi_undefined %rip")
CODE(of_4_words, ".cfi_def_cfa_offset 32")
CODE(of_6_words, ".cfi_def_cfa_offset 48")
CODE(saves_bp, ".cfi_def_cfa_offset 32 ; .cfi_offset %rbp, -16")
CODE(saves_bp_lower, ".cfi_def_cfa_offset 32 ; .cfi_offset %rbp, -24")
// Where the return address is.
CODE(saves_bp_nowhere, ".cfi_def_cfa_offset 32 ; .cfi_offset %rbp, -8")
CODE(by_bp, ".cfi_def_cfa %rbp, 16 ; .cfi_offset %rbp, -16")
CODE(by_bp_and_more, ".cfi_def_cfa %rbp, 32")
// Its CFA is the word at %rbp - 8.
CODE(by_word_below_bp, ".cfi_escape 0x0f, 0x03, 0x76, 0x78, 0x06")

namespace mini::unwind::self {
namespace {

std::uintptr_t into(void (*code)()) {
  return reinterpret_cast<std::uintptr_t>(code) + 1;
}

class EarlierWalkTest : public testing::Test {
 protected:
  static constexpr std::size_t kPageWords = 4096 / sizeof(std::uintptr_t);
  static constexpr std::size_t kBytes = std::size_t{4} * 4096;
  static constexpr std::size_t kSlot = 64;  // of the innermost frame, in words
  static constexpr std::size_t kOtherSlot = 8;

  void SetUp() override {
    ASSERT_NE(memory_, MAP_FAILED);
    words_ = static_cast<std::uintptr_t*>(memory_) + kPageWords;
    protect_from(0, PROT_READ | PROT_WRITE);
    ASSERT_TRUE(unwinder_.start(code()));
  }
  void TearDown() override {
    unwinder_.stop();
    munmap(memory_, kMappedBytes);
  }

  std::uintptr_t address_of(std::size_t word) const {
    return reinterpret_cast<std::uintptr_t>(words_ + word);
  }
  void put(std::size_t word, std::uintptr_t value) { words_[word] = value; }

  CallerRegisters caller(void (*code)(), std::uintptr_t bp = 0) const {
    return {.return_address = into(code), .sp = address_of(kSlot + 1), .bp = bp};
  }
  CallerRegisters other_caller() const {
    return {.return_address = into(outermost), .sp = address_of(kOtherSlot + 1), .bp = 0};
  }

  /// Of a walk that is not the last one any more.
  std::uint64_t key_of_walk(const CallerRegisters& caller) {
    EXPECT_EQ(unwinder_.unwind(caller).end, StackEnd::kComplete);
    const std::uint64_t key = unwinder_.key();
    unwinder_.unwind(other_caller());
    return key;
  }
  /// The same of one that began there before.
  std::uint64_t key_of_second_walk(const CallerRegisters& caller) {
    key_of_walk(caller);
    return key_of_walk(caller);
  }
  /// A walk has a key, until the frame pointer that its innermost frame saved is another one.
  void expect_keys_by_saved_bp(const CallerRegisters& caller, std::size_t saved_at) {
    const std::uint64_t key = key_of_walk(caller);
    EXPECT_TRUE(finds_key(caller, key));
    put(saved_at, address_of(kSlot + 9));
    put(kSlot + 10, into(outermost));
    EXPECT_FALSE(finds_key(caller, key));
  }
  bool finds_key(const CallerRegisters& caller) {
    std::uint64_t key = 0;
    return unwinder_.find_key(caller, &key);
  }
  bool finds_key(const CallerRegisters& caller, std::uint64_t expected) {
    std::uint64_t key = 0;
    return unwinder_.find_key(caller, &key) && key == expected;
  }
  void protect_from(std::size_t word, int protection) {
    ASSERT_EQ(mprotect(words_ + word, kBytes - word * sizeof *words_, protection), 0);
    StackBounds::forget_foreign_stacks({address_of(word), address_of(0) + kBytes});
  }

  // With a page on each side that keeps it from being one mapping with another.
  static constexpr std::size_t kMappedBytes = kBytes + std::size_t{2} * 4096;
  void* memory_ = mmap(nullptr, kMappedBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  std::uintptr_t* words_ = nullptr;
  SelfUnwinder unwinder_;
};

TEST_F(EarlierWalkTest, IsVoidWhereWhatIsLoadedHasChanged) {
  const CallerRegisters earlier = caller(of_4_words);
  put(kSlot + 4, into(outermost));
  const std::uint64_t key = key_of_second_walk(earlier);
  ASSERT_TRUE(finds_key(earlier, key));
  ASSERT_TRUE(finds_key(other_caller()));

  void* const plugin = dlopen(MINI_UNWIND_SELF_PLUGINS "/plugin_1.so", RTLD_NOW | RTLD_LOCAL);
  ASSERT_NE(plugin, nullptr) << dlerror();
  code().refresh();
  EXPECT_FALSE(finds_key(earlier));
  EXPECT_FALSE(finds_key(other_caller()));  // the last one's
  EXPECT_EQ(unwinder_.unwind(other_caller()).unchanged_outer, 0U);
  EXPECT_FALSE(finds_key(earlier));

  const std::uint64_t key_with_plugin = key_of_second_walk(earlier);
  EXPECT_TRUE(finds_key(earlier, key_with_plugin));
  dlclose(plugin);
  code().refresh();
  EXPECT_FALSE(finds_key(earlier));
}

TEST_F(EarlierWalkTest, NeedsTheSavedFramePointersThatItWentBy) {
  put(kSlot + 3, address_of(kSlot + 9));
  put(kSlot + 4, into(by_bp));
  put(kSlot + 10, into(outermost));
  put(kSlot + 12, into(outermost));
  const std::uint64_t key = key_of_second_walk(caller(saves_bp));
  EXPECT_TRUE(finds_key(caller(saves_bp), key));
  put(kSlot + 3, address_of(kSlot + 11));
  EXPECT_FALSE(finds_key(caller(saves_bp)));
}

TEST_F(EarlierWalkTest, NeedsTheWordsThatSaidWhereAFrameIs) {
  const CallerRegisters earlier = caller(by_word_below_bp, address_of(kSlot + 3));
  put(kSlot + 2, address_of(kSlot + 5));
  put(kSlot + 4, into(outermost));
  put(kSlot + 6, into(outermost));
  const std::uint64_t key = key_of_second_walk(earlier);
  EXPECT_TRUE(finds_key(earlier, key));
  put(kSlot + 2, address_of(kSlot + 7));
  EXPECT_FALSE(finds_key(earlier));
}

TEST_F(EarlierWalkTest, NeedsAllOfItsStackAsTheLastOneDoes) {
  const CallerRegisters earlier = caller(by_bp, address_of(kPageWords));
  put(kPageWords + 1, into(outermost));
  for (const bool is_last : {false, true}) {
    key_of_second_walk(earlier);
    if (is_last) unwinder_.unwind(earlier);
    EXPECT_TRUE(finds_key(earlier));
    protect_from(kPageWords, PROT_NONE);
    EXPECT_FALSE(finds_key(earlier));
    protect_from(0, PROT_NONE);
    EXPECT_FALSE(finds_key(earlier));
    protect_from(0, PROT_READ | PROT_WRITE);
  }
}

TEST_F(EarlierWalkTest, IsNotRememberedWhereASavedFramePointerIsNonsense) {
  put(kSlot + 4, into(outermost));
  key_of_second_walk(caller(saves_bp_nowhere));
  EXPECT_FALSE(finds_key(caller(saves_bp_nowhere)));
}

TEST_F(EarlierWalkTest, HasRoomForSoManyWords) {
  for (const std::size_t count : {EarlierWalk::kMostWords, EarlierWalk::kMostWords + 1}) {
    std::size_t bp = kSlot + 3;
    const CallerRegisters earlier = caller(by_bp, address_of(bp));
    for (std::size_t i = 0; i < count; ++i, bp += 4) {
      put(bp, address_of(bp + 4));
      put(bp + 1, into(by_bp));
    }
    put(bp + 1, into(outermost));
    key_of_second_walk(earlier);
    EXPECT_EQ(finds_key(earlier), count == EarlierWalk::kMostWords);
    unwinder_.forget();
  }
}

TEST_F(EarlierWalkTest, HasRoomForSoManyFrames) {
  for (const std::size_t count : {EarlierWalk::kMostFrames, EarlierWalk::kMostFrames + 1}) {
    for (std::size_t i = 1; i < count; ++i) put(kSlot + 4 * i, into(of_4_words));
    put(kSlot + 4 * (count - 1), into(outermost));
    key_of_second_walk(caller(of_4_words));
    EXPECT_EQ(finds_key(caller(of_4_words)), count == EarlierWalk::kMostFrames);
    unwinder_.forget();
  }
}

// Two walks that begin at the same place. The second must not have keys as if it went the way of
// the first: then what only the second went by changes, so that a third one would find other
// frames.

TEST_F(EarlierWalkTest, WithOtherPlacesHasOtherKeys) {
  put(kSlot + 4, into(outermost));
  key_of_second_walk(caller(of_4_words));
  put(kSlot + 6, into(outermost));
  const std::uint64_t key = key_of_walk(caller(of_6_words));
  EXPECT_TRUE(finds_key(caller(of_6_words), key));
  put(kSlot + 6, into(outermost) + 1);
  EXPECT_FALSE(finds_key(caller(of_6_words), key));
}

TEST_F(EarlierWalkTest, WithMoreWordsHasOtherKeys) {
  put(kSlot + 4, into(of_4_words));
  put(kSlot + 8, into(outermost));
  key_of_second_walk(caller(of_4_words));
  put(kSlot + 3, address_of(kSlot + 7));
  put(kSlot + 4, into(by_bp));
  expect_keys_by_saved_bp(caller(saves_bp), kSlot + 3);
}

TEST_F(EarlierWalkTest, WithAWordElsewhereHasOtherKeys) {
  put(kSlot + 3, address_of(kSlot + 7));
  put(kSlot + 4, into(by_bp));
  put(kSlot + 8, into(outermost));
  key_of_second_walk(caller(saves_bp));
  put(kSlot + 2, address_of(kSlot + 7));
  expect_keys_by_saved_bp(caller(saves_bp_lower), kSlot + 2);
}

TEST_F(EarlierWalkTest, ByTheFramePointerHasOtherKeys) {
  const std::uintptr_t bp = address_of(kSlot + 3);
  put(kSlot + 4, into(outermost));
  key_of_second_walk(caller(of_4_words, bp));
  const std::uint64_t key = key_of_walk(caller(by_bp, bp));
  EXPECT_TRUE(finds_key(caller(by_bp, bp), key));
  put(kSlot + 6, into(outermost));
  EXPECT_FALSE(finds_key(caller(by_bp, address_of(kSlot + 5)), key));
}

TEST_F(EarlierWalkTest, ByAnotherFramePointerHasOtherKeys) {
  put(kSlot + 4, into(outermost));
  key_of_second_walk(caller(by_bp, address_of(kSlot + 3)));
  const std::uint64_t key = key_of_walk(caller(by_bp_and_more, address_of(kSlot + 1)));
  EXPECT_TRUE(finds_key(caller(by_bp_and_more, address_of(kSlot + 1)), key));
  put(kSlot + 6, into(outermost));
  EXPECT_FALSE(finds_key(caller(by_bp_and_more, address_of(kSlot + 3)), key));
}

TEST_F(EarlierWalkTest, WithFewerWordsNeedsNoOthers) {
  put(kSlot + 3, address_of(kSlot + 7));
  put(kSlot + 4, into(by_bp));
  put(kSlot + 8, into(outermost));
  key_of_second_walk(caller(saves_bp));
  put(kSlot + 4, into(of_4_words));
  const std::uint64_t key = key_of_walk(caller(of_4_words));
  put(kSlot + 3, 0);
  EXPECT_TRUE(finds_key(caller(of_4_words), key));
}

// Another call from the same place is no other way.
TEST_F(EarlierWalkTest, WithOtherReturnAddressesHasTheSameKeysAgain) {
  put(kSlot + 4, into(outermost));
  const std::uint64_t first = key_of_second_walk(caller(of_4_words));
  put(kSlot + 4, into(outermost) + 1);
  const std::uint64_t second = key_of_walk(caller(of_4_words));
  EXPECT_NE(first, second);
  EXPECT_TRUE(finds_key(caller(of_4_words), second));
  put(kSlot + 4, into(outermost));
  EXPECT_TRUE(finds_key(caller(of_4_words), first));
}

}  // namespace
}  // namespace mini::unwind::self

#endif
