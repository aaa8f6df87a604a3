// What is loaded, and following dlopen and dlclose.
#include "unwind/self/module_table.h"

#include <array>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <set>
#include <string>
#include <vector>

#include "unwind/self/code_table.h"
#include "unwind/self/loader_index.h"
#include "unwinding.h"

namespace mini::unwind::self {
namespace {

using PluginCall = std::size_t (*)(void (*)(void*), void*);

std::string plugin_path(int number) {
  return std::string(MINI_UNWIND_SELF_PLUGINS "/plugin_") + std::to_string(number) + ".so";
}

struct Changes {
  std::vector<const Module*> appeared;
  std::vector<const Module*> vanished;

  ModuleListener listener() {
    return {
        .context = this,
        .vanished = [](void* self,
                       const Module& m) { static_cast<Changes*>(self)->vanished.push_back(&m); },
        .appeared = [](void* self,
                       const Module& m) { static_cast<Changes*>(self)->appeared.push_back(&m); }};
  }
};

std::uintptr_t address_of(PluginCall call) {
  return reinterpret_cast<std::uintptr_t>(call);
}

TEST(ModuleTableTest, KnowsWhereCodeIs) {
  ModuleTable table;
  EXPECT_EQ(table.list().count, 0U);
  EXPECT_EQ(table.list().find(0x1234), nullptr);
  Changes changes;
  ASSERT_TRUE(table.refresh(changes.listener()));
  EXPECT_EQ(changes.appeared.size(), table.list().count);
  EXPECT_TRUE(changes.vanished.empty());

  Dl_info info;
  ASSERT_NE(dladdr(reinterpret_cast<void*>(&std::strtoull), &info), 0);
  const Module* const libc = table.list().find(reinterpret_cast<std::uintptr_t>(info.dli_saddr));
  ASSERT_NE(libc, nullptr);
  EXPECT_EQ(libc->bias, reinterpret_cast<std::uintptr_t>(info.dli_fbase));
  EXPECT_STREQ(libc->path, info.dli_fname);
  EXPECT_EQ(libc->path_bytes, std::strlen(info.dli_fname));
  EXPECT_TRUE(libc->frames.bytes.contains(libc->frames.header));
  EXPECT_EQ(libc->build_id_bytes, 20U);  // every distribution's C library has one

  const Module* const program = table.list().find(reinterpret_cast<std::uintptr_t>(&plugin_path));
  ASSERT_NE(program, nullptr);
  EXPECT_STREQ(program->path, "");
  EXPECT_EQ(table.list().find(reinterpret_cast<std::uintptr_t>(&changes)), nullptr);
  EXPECT_FALSE(table.refresh(changes.listener()));
}

// As they lie in a segment that is aligned to 8, behind a note of the processor's properties.
TEST(ModuleTableTest, FindsTheBuildIdBehindOtherNotes) {
  alignas(4096) static const std::array<std::uint32_t, 16> words = {
      4, 12, 5, 0x554e47, 0xc0000002, 4,         3, 0,  // 12 bytes are padded to 16
      4, 8,  3, 0x554e47, 0x03020100, 0x07060504};
  ElfW(Phdr) segment{};
  segment.p_type = PT_LOAD;
  segment.p_flags = PF_R | PF_X;
  segment.p_vaddr = reinterpret_cast<std::uintptr_t>(words.data());
  segment.p_memsz = segment.p_filesz = sizeof words;
  ElfW(Phdr) notes = segment;
  notes.p_type = PT_NOTE;
  notes.p_memsz = notes.p_filesz = 14 * sizeof(std::uint32_t);
  notes.p_align = 8;
  const std::array headers = {segment, notes};
  Module module;
  ASSERT_TRUE(describe_module(headers.data(), headers.size(), 0, &module));
  ASSERT_EQ(module.build_id_bytes, 8U);
  for (std::size_t i = 0; i < 8; ++i) EXPECT_EQ(module.build_id[i], i);
}

// What call frame information is read from a second time is the same, and says the same.
TEST(ModuleTableTest, FramePagesAreThoseOfTheModule) {
  ModuleTable table;
  table.refresh({});
  const Module* const libc = table.list().find(reinterpret_cast<std::uintptr_t>(&std::strtoull));
  ASSERT_NE(libc, nullptr);
  const ByteRange pages = libc->frame_pages;
  ASSERT_NE(pages.begin, 0U);
  EXPECT_TRUE(libc->frames.bytes.contains(libc->frame_pages_of));
  EXPECT_LE(libc->frame_pages_of, libc->frames.header);
  EXPECT_GE(libc->frame_pages_of + (pages.end - pages.begin), libc->frames.bytes.end);
  EXPECT_EQ(std::memcmp(reinterpret_cast<const void*>(pages.begin),
                        reinterpret_cast<const void*>(libc->frame_pages_of),
                        libc->frames.bytes.end - libc->frame_pages_of),
            0);
}

TEST(CodeTableTest, PagesAreDiscardedWhenNothingWasCompiledForAWhile) {
  constexpr std::uint64_t kLong = std::uint64_t{1} << 40;
  CodeTable table;
  table.refresh();
  char buffer[4096];
  const auto pc = reinterpret_cast<std::uintptr_t>(&std::strtoull);
  EXPECT_FALSE(table.has_read_pages());
  const Row row = table.compile(pc, buffer);
  EXPECT_NE(row.kind(), RowKind::kFramePointer);
  EXPECT_TRUE(table.has_read_pages());
  EXPECT_FALSE(table.discard_read_pages(kLong, 0));  // when it was compiled is found out here
  EXPECT_FALSE(table.discard_read_pages(kLong + 1, 0));
  EXPECT_TRUE(table.has_read_pages());
  EXPECT_TRUE(table.discard_read_pages(2 * kLong, 0));
  EXPECT_FALSE(table.has_read_pages());
  EXPECT_EQ(table.compile(pc, buffer), row);
  table.discard_no_pages_until(5 * kLong);
  EXPECT_FALSE(table.discard_read_pages(3 * kLong, 0));
  EXPECT_FALSE(table.discard_read_pages(4 * kLong, 0));
  EXPECT_TRUE(table.discard_read_pages(5 * kLong, 0));
}

// How much of them is in memory is not known: 64 KiB for a row, of the module's at the most.
TEST(CodeTableTest, PagesAreKeptWhereTheyAreNoMoreThanMayBe) {
  constexpr std::uint64_t kLong = std::uint64_t{1} << 40;
  constexpr std::uint64_t kARow = std::uint64_t{64} << 10;
  CodeTable table;
  table.refresh();
  char buffer[4096];
  const auto pc = reinterpret_cast<std::uintptr_t>(&std::strtoull);
  const ByteRange pages = table.modules().find(pc)->frame_pages;
  const std::uint64_t all = pages.end - pages.begin;
  ASSERT_GT(all, kARow);
  table.compile(pc, buffer);
  EXPECT_FALSE(table.discard_read_pages(kLong, all));  // when it was compiled is found out here
  EXPECT_FALSE(table.discard_read_pages(2 * kLong, kARow));
  EXPECT_TRUE(table.has_read_pages());
  EXPECT_TRUE(table.discard_read_pages(3 * kLong, kARow - 1));
  EXPECT_FALSE(table.has_read_pages());
  for (std::uint64_t bytes = 0; bytes <= all; bytes += kARow) table.compile(pc, buffer);
  EXPECT_FALSE(table.discard_read_pages(4 * kLong, all));
  EXPECT_FALSE(table.discard_read_pages(5 * kLong, all));
  EXPECT_FALSE(table.discard_read_pages(6 * kLong - 1, all));
  EXPECT_TRUE(table.has_read_pages());
  EXPECT_FALSE(table.discard_read_pages(6 * kLong, all - 1));  // all were enough just now
  EXPECT_TRUE(table.discard_read_pages(7 * kLong, all - 1));
}

TEST(ModuleTableTest, EachChangeIsToldOnce) {
  ModuleTable table;
  table.refresh({});
  Changes changes;
  void* const plugin = dlopen(plugin_path(1).c_str(), RTLD_NOW | RTLD_LOCAL);
  ASSERT_NE(plugin, nullptr) << dlerror();
  ASSERT_TRUE(table.refresh(changes.listener()));
  ASSERT_EQ(changes.appeared.size(), 1U);
  EXPECT_EQ(plugin_path(1), changes.appeared[0]->path);
  const std::uint32_t index = changes.appeared[0]->index;
  EXPECT_EQ(index + 1, table.list().count);
  EXPECT_FALSE(table.refresh(changes.listener()));
  dlclose(plugin);
  ASSERT_TRUE(table.refresh(changes.listener()));
  ASSERT_EQ(changes.vanished.size(), 1U);
  EXPECT_EQ(changes.vanished[0], changes.appeared[0]);
  EXPECT_EQ(changes.vanished[0]->index, index);
  EXPECT_EQ(changes.appeared.size(), 1U);
}

// A program that opens and closes plug-ins without end would grow while it is recorded.
TEST(ModuleTableTest, WhatComesBackToItsPlaceTakesNoMemoryAgain) {
  ModuleTable table;
  table.refresh({});
  std::set<std::uintptr_t> places;
  std::set<const Module*> records;
  std::set<const ModuleList*> lists;
  for (int round = 0; round < 100; ++round) {
    void* const plugin = dlopen(plugin_path(1).c_str(), RTLD_NOW | RTLD_LOCAL);
    ASSERT_NE(plugin, nullptr) << dlerror();
    table.refresh({});
    const auto call = address_of(reinterpret_cast<PluginCall>(dlsym(plugin, "plugin_call")));
    const Module* const module = table.list().find(call);
    ASSERT_NE(module, nullptr);
    places.insert(call);
    records.insert(module);
    lists.insert(&table.list());
    dlclose(plugin);
    table.refresh({});
    EXPECT_EQ(table.list().find(call), nullptr);
    lists.insert(&table.list());
  }
  EXPECT_EQ(records.size(), places.size());
  EXPECT_LE(lists.size(), places.size() + 1);
}

struct Visit {
  Taker& taker;
  Both both;
  static void here(void* self) {
    auto& visit = *static_cast<Visit*>(self);
    visit.both = visit.taker.take();
  }
};

// It came and went between two looks at what is loaded.
TEST(ModuleTableTest, RowsOfAModuleThatWasNeverListedGoWithIt) {
  CodeTable table;
  table.refresh();
  void* const plugin = dlopen(plugin_path(1).c_str(), RTLD_NOW | RTLD_LOCAL);
  ASSERT_NE(plugin, nullptr) << dlerror();
  const auto pc = address_of(reinterpret_cast<PluginCall>(dlsym(plugin, "plugin_call")));
  const auto here = reinterpret_cast<std::uintptr_t>(&plugin_path);
  std::array<char, 4096> buffer{};
  table.compile(pc, buffer);
  const Row row = table.compile(here, buffer);
  EXPECT_NE(RowCache::find(table.rows().table(), pc).word(), 0U);
  dlclose(plugin);
  table.refresh();
  EXPECT_EQ(RowCache::find(table.rows().table(), pc).word(), 0U);
  EXPECT_EQ(RowCache::find(table.rows().table(), here).word(), row.word());
}

// Two libraries take turns at what is often the same address; their frames have different sizes.
TEST(ModuleTableTest, StacksThroughLibrariesThatComeAndGo) {
  Taker taker;
  for (int round = 0; round < 6; ++round) {
    void* const plugin = dlopen(plugin_path(1 + round % 2).c_str(), RTLD_NOW | RTLD_LOCAL);
    ASSERT_NE(plugin, nullptr) << dlerror();
    if (round % 3 != 0) code().refresh();  // else its frames are found through the loader's index
    const auto call = reinterpret_cast<PluginCall>(dlsym(plugin, "plugin_call"));
    ASSERT_NE(call, nullptr);
    Visit visit{taker, {}};
    for (int i = 0; i < 2; ++i) {
      call(&Visit::here, &visit);
      expect_same(visit.both, "plugin");
      EXPECT_LT(visit.both.ours.at(2) - address_of(call), 64U);
    }
    dlclose(plugin);
    code().refresh();
  }
}

Visit* g_visit = nullptr;

}  // namespace
}  // namespace mini::unwind::self

// What the plugin's constructor asks for.
extern "C" __attribute__((visibility("default"))) void (*plugin_observer(void** context))(void*);
extern "C" void (*plugin_observer(void** context))(void*) {
  *context = mini::unwind::self::g_visit;
  return *context == nullptr ? nullptr : &mini::unwind::self::Visit::here;
}

namespace mini::unwind::self {
namespace {

TEST(ModuleTableTest, ALibraryThatIsBeingLoadedIsKnownToTheLoadersIndex) {
  LoaderObject object;
  if (ask_loader_index(reinterpret_cast<std::uintptr_t>(&plugin_path), &object) ==
      LoaderAnswer::kNoIndex) {
    GTEST_SKIP() << "this C library has no such index";
  }
  Taker taker;
  Visit visit{taker, {}};
  g_visit = &visit;
  void* const plugin = dlopen(plugin_path(2).c_str(), RTLD_NOW | RTLD_LOCAL);
  g_visit = nullptr;
  ASSERT_NE(plugin, nullptr) << dlerror();
  expect_same(visit.both, "constructor");
  dlclose(plugin);
  code().refresh();
}

TEST(ModuleTableTest, AModuleIsDescribedByItsHeaderAsByTheLoader) {
  LoaderObject object;
  const auto here = reinterpret_cast<std::uintptr_t>(&plugin_path);
  if (ask_loader_index(here, &object) != LoaderAnswer::kModule) GTEST_SKIP();
  const Module* const listed = code().modules().find(here);
  ASSERT_NE(listed, nullptr);
  Module mapped;
  ASSERT_TRUE(describe_mapped_module(object, &mapped));
  EXPECT_EQ(mapped.frames.header, listed->frames.header);
  EXPECT_EQ(mapped.frames.bytes.end, listed->frames.bytes.end);
  EXPECT_EQ(mapped.code.begin, listed->code.begin);
  EXPECT_EQ(ask_loader_index(0x1000, &object), LoaderAnswer::kNotAModule);
}

}  // namespace
}  // namespace mini::unwind::self
