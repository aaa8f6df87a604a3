// The words that views and the JSON take from the model.
#include <gtest/gtest.h>
#include <set>

#include "model/cause.h"
#include "model/mapping.h"

namespace mini::model {
namespace {

TEST(NamesTest, CausesUseTheWordsOfTheJsonSchema) {
  EXPECT_EQ(cause_name(Cause::kUnknown), "unknown");
  EXPECT_EQ(cause_name(Cause::kLoader), "loader");
  EXPECT_EQ(cause_name(Cause::kLibcStartup), "libc-startup");
  EXPECT_EQ(cause_name(Cause::kMalloc), "malloc");
  EXPECT_EQ(cause_name(Cause::kProgram), "program");
  EXPECT_EQ(cause_name(Cause::kRuntime), "runtime");
}

TEST(NamesTest, PhasesHaveATitleForPeopleAndANameForMachines) {
  EXPECT_EQ(phase_title(Phase::kProgramStart), "Program start");
  EXPECT_EQ(phase_title(Phase::kLibcStartup), "C library start-up");
  EXPECT_EQ(phase_name(Phase::kLibraryLoading), "library-loading");
  EXPECT_EQ(phase_name(Phase::kExit), "exit");
}

TEST(NamesTest, EveryRoleHasANameOfItsOwn) {
  std::set<std::string_view> names;
  for (int i = 0; i <= static_cast<int>(Role::kAgent); ++i) {
    names.insert(role_name(static_cast<Role>(i)));
  }
  EXPECT_EQ(names.size(), static_cast<std::size_t>(Role::kAgent) + 1);
  EXPECT_EQ(role_name(Role::kMallocArena), "malloc arena");
  EXPECT_EQ(role_name(Role::kKernel), "kernel");
}

TEST(NamesTest, ProtectionIsWrittenAsInMaps) {
  EXPECT_EQ(format_protection({}), "---");
  EXPECT_EQ(format_protection({.read = true, .write = false, .execute = true}), "r-x");
  EXPECT_EQ(format_protection({.read = true, .write = true, .execute = false}), "rw-");
}

}  // namespace
}  // namespace mini::model
