#include "lab/glossary.h"

#include <gtest/gtest.h>
#include <set>

namespace mini::lab {
namespace {

TEST(GlossaryTest, EveryEntryHasANameATextAndAnAnchorOfItsOwn) {
  std::set<std::string_view> ids;
  ASSERT_GT(glossary().size(), 50U);
  for (const GlossaryEntry& entry : glossary()) {
    EXPECT_FALSE(entry.names.empty()) << entry.id;
    EXPECT_FALSE(entry.text.empty()) << entry.id;
    EXPECT_FALSE(entry.section.empty()) << entry.id;
    EXPECT_TRUE(ids.insert(entry.id).second) << entry.id;
    for (const std::string_view name : entry.names) EXPECT_EQ(name.find('*'), name.npos) << name;
  }
}

TEST(GlossaryTest, NoTwoEntriesHaveTheSameName) {
  std::set<std::string_view> names;
  for (const GlossaryEntry& entry : glossary()) {
    for (const std::string_view name : entry.names) EXPECT_TRUE(names.insert(name).second) << name;
  }
}

TEST(GlossaryTest, FindsAnyOfTheNames) {
  ASSERT_NE(find_in_glossary("Top Chunk"), nullptr);
  EXPECT_EQ(find_in_glossary("Top Chunk")->id, "top-chunk");
  EXPECT_EQ(find_in_glossary("RSS"), find_in_glossary("resident"));
  EXPECT_EQ(find_in_glossary("lost"), find_in_glossary("reachable"));
  EXPECT_EQ(find_in_glossary("chunks"), find_in_glossary("chunk"));
  EXPECT_EQ(find_in_glossary("tcache"), find_in_glossary("thread cache"));
  EXPECT_EQ(find_in_glossary("no such words"), nullptr);
}

TEST(GlossaryTest, ATerminalGetsTheTextWithoutMarks) {
  EXPECT_EQ(plain_text("`brk` moves\nthe *heap*, see [there](#x) **now**"),
            "brk moves the heap, see there now");
  EXPECT_EQ(plain_text("`[heap]` in `a*b](c)`"), "[heap] in a*b](c)") << "code stays as it is";
}

}  // namespace
}  // namespace mini::lab
