#include "inject/import_binder.h"

#include <gtest/gtest.h>

#include "fake_module.h"

namespace mini::inject {
namespace {

constexpr std::uint64_t kReal = 0x111000;
constexpr std::uint64_t kAgent = 0x222000;
constexpr std::uint64_t kOther = 0x333000;
constexpr std::uint64_t kStub = FakeModule::kBias + 0x40;

const Standins kStandins = {{"malloc", {.real = Address{kReal}, .agent = Address{kAgent}}}};

bool is_code(Address address) {
  return address.value >= FakeModule::kBias && address.value < FakeModule::kBias + 0x1000;
}

/// What becomes of a word that holds `value`; the value itself where it stays.
std::uint64_t changed(std::uint64_t value, Direction direction, unsigned kind = R_X86_64_JUMP_SLOT,
                      bool is_call = true, std::uint64_t own_definition = 0) {
  FakeModule fake;
  fake.add_symbol("malloc", own_definition);
  fake.add_symbol("end", 0x900);
  const std::uint64_t slot = fake.add_word("malloc", value, kind, is_call);
  const LoadedModule module = fake.build(FakeModule::Hash::kGnu);
  const auto imports = find_imports(module, kStandins, fake);
  EXPECT_EQ(imports.size(), 1U);
  const auto changes = find_changes(imports, kStandins, direction, fake, is_code);
  if (changes.empty()) return value;
  EXPECT_EQ(changes.size(), 1U);
  EXPECT_EQ(changes[0].slot, Address{slot});
  EXPECT_EQ(changes[0].from, value);
  return changes[0].to;
}

TEST(ImportBinderTest, SendsTheRealFunctionToTheAgentAndBack) {
  EXPECT_EQ(changed(kReal, Direction::kToAgent), kAgent);
  EXPECT_EQ(changed(kReal, Direction::kToAgent, R_X86_64_GLOB_DAT, false), kAgent);
  EXPECT_EQ(changed(kReal, Direction::kToAgent, R_X86_64_64, false), kAgent);
  EXPECT_EQ(changed(kAgent, Direction::kToReal), kReal);
  EXPECT_EQ(changed(kAgent, Direction::kToReal, R_X86_64_GLOB_DAT, false), kReal);
}

TEST(ImportBinderTest, LeavesOtherFunctionsAlone) {
  EXPECT_EQ(changed(kOther, Direction::kToAgent), kOther);
  EXPECT_EQ(changed(kOther, Direction::kToReal), kOther);
  EXPECT_EQ(changed(kAgent, Direction::kToAgent), kAgent);
  EXPECT_EQ(changed(kReal, Direction::kToReal), kReal);
}

TEST(ImportBinderTest, TakesAStubForCallsForTheRealFunction) {
  EXPECT_EQ(changed(kStub, Direction::kToAgent), kAgent);
  EXPECT_EQ(changed(kStub, Direction::kToAgent, R_X86_64_GLOB_DAT, false), kStub);
  EXPECT_EQ(changed(kStub, Direction::kToAgent, R_X86_64_JUMP_SLOT, true, 0x40), kStub)
      << "the module's own malloc";
}

TEST(ImportBinderTest, TheFirstDefinitionIsTheRealOne) {
  FakeModule fake;
  fake.add_symbol("free");
  fake.add_symbol("malloc", 0x500);
  const LoadedModule module = fake.build(FakeModule::Hash::kGnu);
  const auto found = find_real_functions({"malloc", "free", "calloc"}, {module}, fake);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found.at("malloc"), Address{FakeModule::kBias + 0x500});
}

TEST(ImportBinderTest, OperatorsCountThatComeWithMalloc) {
  FakeModule fake;
  fake.add_symbol("malloc", 0x500);
  fake.add_symbol("_Znwm", 0x600);
  const LoadedModule allocator = fake.build(FakeModule::Hash::kGnu);
  const auto found = find_real_functions({"malloc", "_Znwm"}, {allocator}, fake);
  ASSERT_TRUE(found.contains("_Znwm"));
  EXPECT_EQ(found.at("_Znwm"), Address{FakeModule::kBias + 0x600});
}

TEST(ImportBinderTest, OperatorsOfOthersDoNot) {
  FakeModule cxx_library;
  cxx_library.add_symbol("malloc");
  cxx_library.add_symbol("_Znwm", 0x600);
  const LoadedModule module = cxx_library.build(FakeModule::Hash::kGnu);
  EXPECT_TRUE(find_real_functions({"malloc", "_Znwm"}, {module}, cxx_library).empty());
}

TEST(ImportBinderTest, TheAgentIsNoRealFunction) {
  FakeModule agent;
  agent.add_symbol("malloc", 0x500);
  agent.add_symbol("heapspy_agent_attach", 0x600);
  const LoadedModule module = agent.build(FakeModule::Hash::kGnu);
  EXPECT_TRUE(find_real_functions({"malloc"}, {module}, agent).empty());
}

}  // namespace
}  // namespace mini::inject
