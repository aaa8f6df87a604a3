#include "views/event_headline.h"

#include <cerrno>
#include <gtest/gtest.h>

#include "views/event_facts.h"

namespace mini::views {
namespace {

using model::Argument;
using model::Event;

const Glyphs& glyphs() {
  static const TextStyle style;
  return style.glyphs();
}

Event brk_event(std::uint64_t asked, std::uint64_t before, std::uint64_t after) {
  Event event;
  event.syscall = "brk";
  event.arguments = {
      {.name = "addr", .form = Argument::Form::kAddress, .value = asked, .text = {}}};
  event.break_before = Address{before};
  event.break_after = Address{after};
  return event;
}

TEST(HeadlineTest, BrkOfNullAndOfTheBreakItselfAsk) {
  EXPECT_EQ(headline_of(brk_event(0, 0x5000, 0x5000), glyphs()).change, "asks where the break is");
  EXPECT_TRUE(is_break_question(brk_event(0x5000, 0x5000, 0x5000)));
}

TEST(HeadlineTest, TheFirstQuestionHasNoBreakBeforeIt) {
  Event event = brk_event(0, 0, 0x5000);
  event.break_before.reset();
  EXPECT_TRUE(is_break_question(event));
  EXPECT_EQ(headline_of(event, glyphs()).where, "0x5000");
}

TEST(HeadlineTest, BrkThatLeavesTheBreakWasRefused) {
  const Headline line = headline_of(brk_event(0x9000, 0x5000, 0x5000), glyphs());
  EXPECT_EQ(line.ink, Ink::kError);
  EXPECT_EQ(line.change, "refused: the break stays");
}

TEST(HeadlineTest, BrkMovesBothWaysByTheByte) {
  EXPECT_EQ(headline_of(brk_event(0x53e8, 0x5000, 0x53e8), glyphs()).change, "+1000 bytes");
  EXPECT_EQ(headline_of(brk_event(0x1000, 0x5000, 0x1000), glyphs()).change,
            "−16 KiB (16384 bytes)");
}

TEST(HeadlineTest, AnErrorIsNamedAndTold) {
  Event event;
  event.syscall = "mmap";
  event.error_number = ENOMEM;
  EXPECT_EQ(headline_of(event, glyphs()).change, "failed: ENOMEM (Cannot allocate memory)");
  event.error_number = 4711;
  EXPECT_EQ(headline_of(event, glyphs()).change, "failed: errno 4711 (an error without a name)");
}

TEST(HeadlineTest, LargestChangesDoNotOverflow) {
  EXPECT_EQ(format_change(INT64_MIN, glyphs()), "−8 EiB (9223372036854775808 bytes)");
  EXPECT_EQ(format_change(INT64_MAX, glyphs()), "+8 EiB (9223372036854775807 bytes)");
}

TEST(EndingTest, ASignalIsNamedAndShellsStatusGiven) {
  EXPECT_EQ(ending_of(0).description, "exit status 0");
  EXPECT_EQ(ending_of(3 << 8).exit_status, 3);
  EXPECT_EQ(ending_of(11).signal, "SIGSEGV");
  EXPECT_EQ(ending_of(11).exit_status, 139);
  EXPECT_EQ(ending_of(11).description, "killed by SIGSEGV (Segmentation fault)");
}

}  // namespace
}  // namespace mini::views
