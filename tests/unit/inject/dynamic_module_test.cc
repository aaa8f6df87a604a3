#include "inject/dynamic_module.h"

#include <dlfcn.h>
#include <gtest/gtest.h>
#include <link.h>

#include "fake_module.h"
#include "kernel/process_memory.h"

namespace mini::inject {
namespace {

class DynamicModuleTest : public testing::TestWithParam<FakeModule::Hash> {};

TEST_P(DynamicModuleTest, FindsWhatIsDefinedThere) {
  FakeModule fake;
  fake.add_symbol("free");
  fake.add_symbol("malloc", 0x500);
  fake.add_symbol("calloc", 0x600);
  const auto module = DynamicModule::read(fake.build(GetParam()), fake);
  ASSERT_TRUE(module);
  EXPECT_EQ(module->definition("malloc", fake), Address{FakeModule::kBias + 0x500});
  EXPECT_EQ(module->definition("calloc", fake), Address{FakeModule::kBias + 0x600});
  EXPECT_FALSE(module->definition("free", fake)) << "it is only imported";
  EXPECT_FALSE(module->definition("realloc", fake));
}

TEST_P(DynamicModuleTest, LeavesOutWhatIsNotOffered) {
  FakeModule fake;
  fake.add_symbol("free");
  fake.add_symbol("malloc", 0x500, ELF64_ST_INFO(STB_GLOBAL, STT_FUNC), 0x8003);
  fake.add_symbol("malloc", 0x600, ELF64_ST_INFO(STB_LOCAL, STT_FUNC));
  fake.add_symbol("malloc", 0x700, ELF64_ST_INFO(STB_GLOBAL, STT_GNU_IFUNC));
  fake.add_symbol("malloc", 0x800, ELF64_ST_INFO(STB_WEAK, STT_FUNC));
  fake.add_symbol("calloc", 0x900, ELF64_ST_INFO(STB_GLOBAL, STT_FUNC), 0x8003);
  const auto module = DynamicModule::read(fake.build(GetParam()), fake);
  ASSERT_TRUE(module);
  EXPECT_EQ(module->definition("malloc", fake), Address{FakeModule::kBias + 0x800});
  EXPECT_FALSE(module->definition("calloc", fake));
}

INSTANTIATE_TEST_SUITE_P(Hashes, DynamicModuleTest,
                         testing::Values(FakeModule::Hash::kGnu, FakeModule::Hash::kSysv));

TEST(DynamicModuleTablesTest, FindsTheWordsOfImports) {
  FakeModule fake;
  fake.add_symbol("free");
  fake.add_symbol("printf");
  fake.add_symbol("malloc", 0x500);
  const auto call = fake.add_word("free", 1, R_X86_64_JUMP_SLOT, true);
  const auto own = fake.add_word("malloc", 2, R_X86_64_JUMP_SLOT, true);
  const auto pointer = fake.add_word("free", 3, R_X86_64_GLOB_DAT, false);
  fake.add_word("printf", 4, R_X86_64_JUMP_SLOT, true);
  fake.add_word("free", 5, R_X86_64_TPOFF64, false);  // no address of a function
  const auto module = DynamicModule::read(fake.build(FakeModule::Hash::kGnu), fake);
  ASSERT_TRUE(module);
  const auto imports =
      module->imports([](std::string_view name) { return name != "printf"; }, fake);
  ASSERT_EQ(imports.size(), 3U);
  EXPECT_EQ(imports[0].slot, Address{call});
  EXPECT_EQ(imports[0].name, "free");
  EXPECT_TRUE(imports[0].may_be_stub);
  EXPECT_EQ(imports[1].slot, Address{own});
  EXPECT_FALSE(imports[1].may_be_stub) << "the module may mean its own";
  EXPECT_EQ(imports[2].slot, Address{pointer});
  EXPECT_FALSE(imports[2].may_be_stub);
}

TEST(DynamicModuleTablesTest, IsNoneWithoutTables) {
  const FakeModule empty;
  LoadedModule nowhere;
  nowhere.dynamic = Address{FakeModule::kBias};
  EXPECT_FALSE(DynamicModule::read(nowhere, empty));
}

// The C library of this process, by the loader's own list.
TEST(DynamicModuleTablesTest, AgreesWithTheLoader) {
  const kernel::ProcessMemory memory(::getpid());
  void* const handle = ::dlopen("libc.so.6", RTLD_NOW | RTLD_NOLOAD);
  ASSERT_NE(handle, nullptr);
  const auto* const map = static_cast<const link_map*>(handle);
  LoadedModule libc;
  libc.bias = map->l_addr;
  libc.dynamic = Address{reinterpret_cast<std::uint64_t>(map->l_ld)};
  const auto module = DynamicModule::read(libc, memory);
  ASSERT_TRUE(module);
  for (const char* const name : {"malloc", "free", "posix_memalign", "dlopen", "environ"}) {
    const auto expected = reinterpret_cast<std::uint64_t>(::dlsym(handle, name));
    EXPECT_EQ(module->definition(name, memory), Address{expected}) << name;
  }
  ::dlclose(handle);
}

}  // namespace
}  // namespace mini::inject
