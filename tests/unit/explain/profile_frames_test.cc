#include "explain/profile_frames.h"

#include <gtest/gtest.h>

#include "base/utf8.h"
#include "sample_profile.h"

namespace mini::explain {
namespace {

/// All ways lead to the same.
std::string place_name(const model::HeapProfile& profile, std::uint32_t node) {
  const ProfileStackView stack = stack_view(profile, node);
  const std::string name = describe_place(stack);
  EXPECT_EQ(describe_place(place_of(profile, node)), name);
  const ProfileStackView way = way_to_place(profile, node);
  EXPECT_EQ(way.place, stack.place);
  EXPECT_EQ(way.frames.size(), stack.frames.empty() ? 0 : stack.place + 1);
  EXPECT_EQ(describe_place(way), name);
  return name;
}

TEST(ProfileFramesTest, ThePlaceIsBehindTheAllocatorAndItsPlumbing) {
  const model::HeapProfile profile = sample_profile();
  const ProfileStackView stack = stack_view(profile, profile.stacks[0].node);
  ASSERT_EQ(stack.frames.size(), 6U);
  EXPECT_EQ(describe(stack.frames[0]), "operator new in libc.so.6");
  EXPECT_EQ(stack.place, 2U);
  EXPECT_EQ(describe_place(stack), "app::parse at x.cc:88");
  EXPECT_EQ(describe(stack.frames[3]), "app::load_line at load.cc:21");
  EXPECT_EQ(describe(stack.frames[5]), "main at main.cc:12");
}

TEST(ProfileFramesTest, CodeOfHeapspysOwnIsSaidToBe) {
  model::HeapProfile profile = sample_profile();
  EXPECT_EQ(describe(stack_view(profile, profile.stacks[0].node).frames[2]),
            "app::parse at x.cc:88");
  for (model::ProfileModule& module : profile.modules) module.path = "/usr/lib/libheapspy-agent.so";
  EXPECT_EQ(describe(stack_view(profile, profile.stacks[0].node).frames[2]),
            "app::parse at x.cc:88, heapspy's own");
}

TEST(ProfileFramesTest, CodeWithoutANameIsAPlaceToo) {
  const model::HeapProfile profile = sample_profile();
  EXPECT_EQ(place_name(profile, profile.stacks[2].node), "libz.so.1+0x2000");
  EXPECT_EQ(place_name(profile, 0), "no stack");
}

TEST(ProfileFramesTest, CodeWithoutANameThatAMallocByAnotherNameCallsIsAPartOfThat) {
  model::HeapProfile profile = sample_profile();
  const auto code = static_cast<std::uint32_t>(profile.frames.size());
  profile.frames.push_back({.module = 1, .address = 0x30, .lines = {}});
  profile.frames.push_back({.module = 1, .address = 2, .lines = {{"ngx_palloc", "", 0, false}}});
  profile.frames.push_back({.module = 1, .address = 3, .lines = {{"load", "", 0, false}}});
  const auto called_by = [&](std::uint32_t caller, std::uint32_t frame) {
    profile.nodes.push_back({.caller = caller, .frame = code + frame});
    return static_cast<std::uint32_t>(profile.nodes.size() - 1);
  };
  const std::uint32_t load = called_by(0, 2);
  EXPECT_TRUE(place_name(profile, called_by(called_by(load, 1), 0)).starts_with("load in "));
  const std::string code_alone = place_name(profile, called_by(0, 0));
  EXPECT_TRUE(code_alone.ends_with("+0x30")) << code_alone;
  EXPECT_EQ(place_name(profile, called_by(load, 0)), code_alone);
  EXPECT_EQ(place_name(profile, called_by(called_by(0, 1), 0)), code_alone);
}

TEST(ProfileFramesTest, WhereAllIsPlumbingTheInnermostThatIsNotTheAllocatorIsThePlace) {
  model::HeapProfile profile = sample_profile();
  profile.frames.push_back({.module = 3, .address = 1, .lines = {{"malloc", "", 0, false}}});
  profile.frames.push_back({.module = 3, .address = 2, .lines = {{"strdup", "", 0, false}}});
  const auto frames = static_cast<std::uint32_t>(profile.frames.size());
  const auto nodes = static_cast<std::uint32_t>(profile.nodes.size());
  profile.nodes.push_back({.caller = 0, .frame = frames - 1});
  profile.nodes.push_back({.caller = nodes, .frame = frames - 2});
  EXPECT_EQ(place_name(profile, nodes + 1), "strdup in libc.so.6");
  profile.nodes.push_back({.caller = 0, .frame = frames - 2});
  EXPECT_EQ(place_name(profile, nodes + 2), "malloc in libc.so.6");
}

TEST(ProfileFramesTest, WhereTheFunctionIsTheProgramsByItsNameAloneItsFileTells) {
  model::HeapProfile profile = sample_profile();
  const std::string collect = "<app::Names as core::iter::Iterator>::collect";
  profile.frames.push_back(
      {.module = 0, .address = 1, .lines = {{"app::load", "load.rs", 7, false}}});
  profile.frames.push_back(
      {.module = 0,
       .address = 2,
       .lines = {{collect, "/rustc/5980/library/core/src/iter.rs", 1, false}}});
  const auto frames = static_cast<std::uint32_t>(profile.frames.size());
  const auto nodes = static_cast<std::uint32_t>(profile.nodes.size());
  profile.nodes.push_back({.caller = 0, .frame = frames - 2});
  profile.nodes.push_back({.caller = nodes, .frame = frames - 1});
  EXPECT_EQ(place_name(profile, nodes + 1), "app::load at load.rs:7");
}

TEST(ProfileFramesTest, AStackHasABound) {
  const model::HeapProfile profile = hostile_profile();
  const ProfileStackView stack = stack_view(profile, profile.stacks[0].node);
  EXPECT_TRUE(stack.is_cut);
  EXPECT_EQ(stack.frames.size(), kMostFrames);
}

TEST(ProfileFramesTest, KnowsPlumbing) {
  for (const char* name : {"operator new(unsigned long)",
                           "operator new[](unsigned long, std::align_val_t)",
                           "malloc",
                           "__libc_calloc",
                           "std::allocator<int>::allocate(unsigned long)",
                           "void std::vector<int>::_M_realloc_insert<int>(int&&)",
                           "std::enable_if<true, int>::type std::make<int>(int)",
                           "__gnu_cxx::new_allocator<int>::f()",
                           "g_malloc",
                           "ztrymalloc_usable_internal",
                           "AllocSetAlloc",
                           "luaM_realloc_",
                           "xmalloc",
                           "_int_malloc",
                           "<alloc::vec::Vec<app::Name>>::push",
                           "__rust_alloc",
                           "app::Node::operator new(unsigned long, unsigned int)",
                           "app::Node::operator new[](unsigned long)",
                           "os::malloc(unsigned long, MEMFLAGS)",
                           "Arena::grow(unsigned long, AllocFailStrategy::AllocFailEnum)",
                           "llvm::SmallVectorBase<unsigned int>::grow_pod(void*, unsigned long)",
                           "av_mallocz",
                           "__gmp_default_allocate"}) {
    EXPECT_TRUE(is_allocation_plumbing(name)) << name;
  }
  for (const char* name :
       {"", "main", "app::parse(std::string_view)", "mallocate", "stdio_open",
        "app::List<std::string>::push()", "int app::make<std::vector<int> >(int)",
        "app::operator<<(std::ostream&, int)", "app::operator_new()"}) {
    EXPECT_FALSE(is_allocation_plumbing(name)) << name;
  }
}

TEST(ProfileFramesTest, NamesAreShortened) {
  for (const auto& [name, expected] : std::vector<std::pair<std::string, std::string>>{
           {"main", "main"},
           {"app::load(char const*)", "app::load"},
           {"app::size(int) const", "app::size"},
           {"app::size() const [clone .cold]", "app::size"},
           {"int app::make<int>(std::function<void (int)>)", "app::make<int>"},
           {"app::X::operator()(int) const", "app::X::operator()"},
           {"app::X::operator()", "app::X::operator()"},
           {"app::operator<<(std::ostream&, int)", "app::operator<<"},
           {"app::operator< <int>(int)", "app::operator< <int>"},
           {"(anonymous namespace)::f(int)", "(anonymous namespace)::f"},
           {"main::{lambda(int)#1}::operator()(int) const", "main::{lambda(int)#1}::operator()"},
           {"A<std::map<int, std::vector<int> >, 7>::f()", "A<...>::f"},
           {"operator new(unsigned long)", "operator new"},
           {"f<(1>2)>(int)", "f<(1>2)>"},
           {"<app::registry::of_names::Registry>::insert",
            "<app::registry::of_names::Registry>::insert"},
           {"<app::Registry<alloc::string::String, app::Name> as core::clone::Clone>::clone",
            "<app::Registry<...> as core::clone::Clone>::clone"},
           {"<(u8, u16) as app::Keep>::keep::<alloc::vec::Vec<alloc::string::String>>",
            "<(u8, u16) as app::Keep>::keep::<...>"},
           {"app::call::<fn(u8) -> u8>", "app::call::<fn(u8) -> u8>"},
           {"app::call::<dyn core::ops::Fn(u8) -> u8 + core::marker::Send>::{closure#0}",
            "app::call::<...>::{closure#0}"},
           {"(", "("},
           {")", ")"},
           {"<<<>", "<<<>"},
           {">>", ">>"},
           {"()", "()"}}) {
    EXPECT_EQ(short_function(name), expected) << name;
  }
}

TEST(ProfileFramesTest, ANameThatIsTooLongToReadLosesItsMiddle) {
  EXPECT_EQ(short_function("a" + std::string(119, 'b')).size(), 120U);
  const std::string name = short_function("a" + std::string(5000, 'b') + "c(int)");
  EXPECT_LE(name.size(), 120U);
  EXPECT_TRUE(name.starts_with("ab") && name.ends_with("bc")) << name;
  EXPECT_NE(name.find("b...b"), std::string::npos);
}

TEST(ProfileFramesTest, ANameLosesWholeCharacters) {
  for (std::size_t shift = 0; shift < 4; ++shift) {
    std::string name(shift, 'a');
    for (int i = 0; i < 100; ++i) name += "\U0001d6fc";
    const std::string shown = short_function(name);
    EXPECT_EQ(well_formed_utf8(shown), shown) << shift;
    EXPECT_LE(shown.size(), 120U);
    EXPECT_GT(shown.size(), 108U);
  }
  EXPECT_FALSE(short_function(std::string(5000, '\x80')).empty()) << "bytes that are no character";
}

}  // namespace
}  // namespace mini::explain
