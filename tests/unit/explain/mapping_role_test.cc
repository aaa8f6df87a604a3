// What memory is for, in a word and in words, and that the address space is labelled so.
#include <gtest/gtest.h>

#include "story.h"

namespace mini::explain {
namespace {

using model::Cause;
using model::Role;

constexpr std::uint64_t kFixed = 0x812;
constexpr std::uint64_t kPrivate = 0x802;

std::string libc() {
  return std::string(kLibcPath);
}

void expect_meaning(const model::Event& event, Role role, std::string_view text) {
  EXPECT_EQ(role_name(event.role), role_name(role));
  EXPECT_EQ(event.mapping_text, text);
}

TEST(MappingRoleTest, TheSegmentsOfALibrary) {
  Story story;
  const std::uint64_t base = 0x7f0000000000;
  expect_meaning(story.mmap(range_of(base, 0x9000), kLoaderMaps, libc(), 1, kPrivate),
                 Role::kLibraryFile, "libc.so.6 (whole image reserved) r--");
  expect_meaning(
      story.mmap(range_of(base + 0x1000, 0x3000), kLoaderMaps, libc(), 5, kFixed, 0x1000),
      Role::kLibraryFile, "libc.so.6 text r-x");
  expect_meaning(
      story.mmap(range_of(base + 0x4000, 0x2000), kLoaderMaps, libc(), 1, kFixed, 0x4000),
      Role::kLibraryFile, "libc.so.6 read-only data r--");
  expect_meaning(
      story.mmap(range_of(base + 0x6000, 0x2000), kLoaderMaps, libc(), 3, kFixed, 0x5000),
      Role::kLibraryFile, "libc.so.6 data rw-");
  expect_meaning(story.mmap(range_of(base + 0x8000, 0x1000), kLoaderMaps, "", 3, 0x32), Role::kBss,
                 "libc.so.6 bss rw-");
  expect_meaning(story.mprotect(range_of(base + 0x6000, 0x1000), 1, kLoaderMaps),
                 Role::kLibraryFile, "libc.so.6 RELRO r--");
  EXPECT_EQ(story.process.space->find(Address{base + 0x8000})->role, Role::kBss);
  EXPECT_EQ(story.process.space->find(Address{base})->cause, Cause::kLoader);
}

TEST(MappingRoleTest, FilesThatAreNoCode) {
  Story story;
  expect_meaning(story.mmap(range_of(0x1000, 0x1000), kLoaderMaps, "/etc/ld.so.cache", 1, kPrivate),
                 Role::kDataFile, "ld.so.cache r--");
  expect_meaning(story.mmap(range_of(0x4000, 0x1000), "mmap@c setlocale@c main@p",
                            "/usr/lib/locale/locale-archive", 1, kPrivate),
                 Role::kDataFile, "locale-archive r--");
  expect_meaning(story.munmap(range_of(0x1000, 0x1000), kLoaderMaps), Role::kDataFile,
                 "ld.so.cache r--");
}

TEST(MappingRoleTest, AnonymousMemoryByItsCause) {
  Story story;
  const auto map = [&](std::uint64_t at, std::string_view stack, std::uint64_t prot = 3) {
    return story.mmap(range_of(at, 0x1000), stack, "", prot);
  };
  expect_meaning(map(0x1000, kLoaderMaps), Role::kLoader, "loader's own memory");
  expect_meaning(map(0x4000, "mmap@c malloc@c main@p"), Role::kMmappedChunk, "mmapped chunk");
  expect_meaning(map(0x8000, "mmap@c pthread_create@c main@p", 0), Role::kThreadStack,
                 "thread stack with its guard");
  expect_meaning(map(0xc000, "mmap@c pthread_create@c main@p"), Role::kThreadStack, "thread stack");
  expect_meaning(map(0x10000, "mmap@c ?@j malloc@j main@p"), Role::kRuntimeHeap,
                 "memory of jemalloc");
  expect_meaning(map(0x14000, kOwnMmap), Role::kAnonymous, "the program's own memory");
  expect_meaning(map(0x18000, kOwnMmap, 0), Role::kAnonymous, "reserved addresses of the program");
  expect_meaning(map(0x1c000, "mmap@c posix_spawn@c main@p"), Role::kAnonymous,
                 "libc's memory for posix_spawn");
  expect_meaning(map(0x20000, ""), Role::kAnonymous, "anonymous memory");
}

TEST(MappingRoleTest, ArenasAreWhatMallocReserves) {
  Story story;
  const auto stack = "mmap@c malloc@c run@p start_thread@c";
  const std::uint64_t base = 0x7ff000000000;
  expect_meaning(story.mmap(range_of(base, 0x8000000), stack, "", 0, 0x4022), Role::kMallocArena,
                 "malloc arena (heap of 64 MiB reserved)");
  expect_meaning(story.mprotect(range_of(base, 0x21000), 3, "mprotect@c malloc@c run@p"),
                 Role::kMallocArena, "malloc arena");
}

TEST(MappingRoleTest, SharedMemoryIsNoFile) {
  Story story;
  expect_meaning(story.mmap(range_of(0x1000, 0x1000), kOwnMmap, "/dev/zero (deleted)", 3, 0x21),
                 Role::kSharedMemory, "shared memory /dev/zero (deleted)");
}

TEST(MappingRoleTest, HugePagesOfThePoolAreNoFile) {
  Story story;
  const std::string name = "/anon_hugepage (deleted)";
  expect_meaning(story.mmap(range_of(0x200000, 0x200000), kOwnMmap, name, 3, 0x40022),
                 Role::kAnonymous, "the program's own memory");
  expect_meaning(story.mmap(range_of(0x400000, 0x200000), kOwnMmap, name, 3, 0x40021),
                 Role::kSharedMemory, "shared memory " + name);
}

TEST(MappingRoleTest, CallsThatMapOneKindOfThing) {
  for (const auto& [syscall, role] :
       {std::pair{"shmat", Role::kSharedMemory}, {"io_setup", Role::kKernel}}) {
    Story story;
    model::Mapping mapping;
    mapping.range = range_of(0x1000, 0x1000);
    story.process.space->map(mapping);
    model::Event event;
    event.syscall = syscall;
    event.range = mapping.range;
    event.mappings_before = {mapping};
    story.tell(event, kOwnMmap, {});
    EXPECT_EQ(event.role, role);
    EXPECT_EQ(story.process.space->find(Address{0x1000})->role, role);
  }
}

TEST(MappingRoleTest, NoAccessInTheProgramsOwnMemoryIsAGuard) {
  Story story;
  story.mmap(range_of(0x1000, 0x4000), kOwnMmap);
  expect_meaning(story.mprotect(range_of(0x1000, 0x1000), 0, "mprotect@c main@p"), Role::kGuard,
                 "guard");
  EXPECT_EQ(story.process.space->find(Address{0x1000})->role, Role::kGuard);
  EXPECT_EQ(story.process.space->find(Address{0x2000})->role, Role::kAnonymous);
}

TEST(MappingRoleTest, AGuardWithAccessAgainIsNone) {
  Story story;
  story.mmap(range_of(0x1000, 0x4000), kOwnMmap);
  story.mprotect(range_of(0x2000, 0x1000), 0, "mprotect@c main@p");
  expect_meaning(story.mprotect(range_of(0x1000, 0x3000), 3, "mprotect@c main@p"), Role::kAnonymous,
                 "anonymous");
  EXPECT_EQ(story.process.space->find(Address{0x2000})->role, Role::kAnonymous);
}

TEST(MappingRoleTest, TheHeapBelongsToWhoGrewIt) {
  Story story;
  story.brk(0x5000'0000, kLoaderMaps);
  story.brk(0x5002'1000, kMallocGrowth);
  story.brk(0x5002'2000, kOwnSbrk);
  const auto& space = *story.process.space;
  EXPECT_EQ(space.find(Address{0x5000'0000})->role, Role::kHeap);
  EXPECT_EQ(space.find(Address{0x5000'0000})->cause, Cause::kMalloc);
  EXPECT_EQ(space.find(Address{0x5002'1000})->cause, Cause::kProgram);
}

TEST(MappingRoleTest, WhatIsMappedBehindAFilesDataIsNotItsBss) {
  Story story;
  model::Mapping mapping;
  mapping.range = range_of(0x2000, 0x1000);
  mapping.path = kProgramPath;
  mapping.protection = {.read = true, .write = true, .execute = false};
  mapping.data_end = Address{0x4000};
  story.process.space->map(mapping);
  mapping = {};
  mapping.range = range_of(0x3000, 0x8000);
  mapping.protection = {.read = true, .write = true, .execute = false};
  story.process.space->map(mapping);
  story.exec();
  EXPECT_EQ(story.process.space->find(Address{0x3000})->role, Role::kBss);
  EXPECT_EQ(story.process.space->find(Address{0x4000})->role, Role::kUnknown);
}

TEST(MappingRoleTest, WhatTheKernelMappedAtExec) {
  Story story;
  const auto add = [&](std::uint64_t at, std::string path, bool write, std::uint64_t inode) {
    model::Mapping mapping;
    mapping.range = range_of(at, 0x1000);
    mapping.path = std::move(path);
    mapping.protection = {.read = true, .write = write, .execute = false};
    mapping.inode = inode;
    story.process.space->map(mapping);
  };
  add(0x1000, std::string(kProgramPath), false, 5);
  add(0x2000, std::string(kProgramPath), true, 5);
  add(0x3000, "", true, 0);
  add(0x9000, "/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2", false, 6);
  add(0x20000, "[stack]", true, 0);
  add(0x30000, "[vdso]", false, 0);
  add(0x40000, "/memfd:heapspy (deleted)", true, 0);
  add(0x50000, "/usr/lib/heapspy/libheapspy-agent.so", false, 7);
  story.exec();
  const auto role = [&](std::uint64_t at) { return story.process.space->find(Address{at})->role; };
  EXPECT_EQ(role(0x1000), Role::kProgramFile);
  EXPECT_EQ(role(0x2000), Role::kProgramFile);
  EXPECT_EQ(role(0x3000), Role::kBss);
  EXPECT_EQ(role(0x9000), Role::kLoader);
  EXPECT_EQ(role(0x20000), Role::kMainStack);
  EXPECT_EQ(role(0x30000), Role::kKernel);
  EXPECT_EQ(role(0x40000), Role::kAgent);
  EXPECT_EQ(role(0x50000), Role::kAgent);
}

TEST(MappingRoleTest, AFailedCallMapsNothing) {
  Story story;
  const auto event = story.failed("mmap", 12, kOwnMmap);
  expect_meaning(event, Role::kUnknown, "");
}

}  // namespace
}  // namespace mini::explain
