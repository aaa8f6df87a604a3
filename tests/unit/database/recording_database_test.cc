// A recording as a database: what was written into the recording is what SQL finds.
#include "database/recording_database.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <string>
#include <vector>

#include "../recording/file_parts.h"
#include "../recording/recordings.h"
#include "support/temporary_folder.h"

namespace mini::database {
namespace {

using recording::Allocation;
using recording::CallKind;
using recording::Free;
using recording::Writer;

class DatabaseTest : public testing::Test {
 protected:
  ~DatabaseTest() override { sqlite3_close(handle_); }

  std::string database() const { return folder_ / "out.db"; }
  std::string recording() const { return folder_ / "in.heapspy"; }
  std::vector<std::string> files() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder_.path())) {
      names.push_back(entry.path().filename());
    }
    std::ranges::sort(names);
    return names;
  }

  Result<void> convert(const recording::FileBytes& file, const NameFrame& name_frame = {}) {
    std::ofstream(recording(), std::ios::binary)
        .write(reinterpret_cast<const char*>(file.data()),
               static_cast<std::streamsize>(file.size()));
    return write_recording_database(recording(), database(), "1.2.3", {}, name_frame);
  }
  void open(const recording::FileBytes& file, const NameFrame& name_frame = {}) {
    const auto converted = convert(file, name_frame);
    ASSERT_TRUE(converted.has_value()) << converted.error().message;
    ASSERT_EQ(sqlite3_open(database().c_str(), &handle_), SQLITE_OK);
  }

  /// The rows of a query, their columns joined by '|'; NULL is "-".
  std::vector<std::string> rows(const std::string& sql) {
    std::vector<std::string> found;
    const auto take = [](void* rows, int count, char** values, char** /*names*/) {
      std::string row;
      for (int i = 0; i < count; ++i) {
        row += i > 0 ? "|" : "";
        row += values[i] != nullptr ? values[i] : "-";
      }
      static_cast<std::vector<std::string>*>(rows)->push_back(row);
      return 0;
    };
    char* error = nullptr;
    EXPECT_EQ(sqlite3_exec(handle_, sql.c_str(), take, &found, &error), SQLITE_OK) << error;
    return found;
  }

 private:
  test::TemporaryFolder folder_;
  sqlite3* handle_ = nullptr;
};

using Rows = std::vector<std::string>;

recording::FileBytes small_file() {
  recording::ProcessFacts process;
  process.pid = 4711;
  process.command = {"./program", "-x"};
  process.executable = "/opt/program";
  return recording::written(process, [](Writer& writer) {
    const auto module = writer.define_module(
        {.path = "/opt/program", .build_id = "ab12", .load_bias = Address{0x5000}});
    const auto thread = writer.define_thread({.tid = 4711, .name = "main"});
    const auto outer = writer.frame({.module = module, .address = 0x100});
    const auto inner = writer.frame({.module = 0, .address = 0xffff'8000'0000'0000});
    const std::vector<recording::SourceFrame> lines = {
        {.function = "get", .file = "x.h", .line = 7, .inlined = true},
        {.function = "main", .file = "x.cc", .line = 5}};
    writer.define_source(outer, lines);
    const auto stack = writer.stack(writer.stack(0, outer), inner);
    const auto allocate = [&](std::uint64_t time_ns, std::uint64_t address, CallKind kind) {
      writer.add(Allocation{.time_ns = time_ns,
                            .thread = thread,
                            .address = Address{address},
                            .requested_bytes = 100,
                            .stack = stack,
                            .kind = kind});
    };
    allocate(1000, 0x9000, CallKind::kMalloc);
    writer.add(Free{.time_ns = 2000, .thread = thread, .address = Address{0x9000}});
    allocate(3000, 0x9000, CallKind::kNew);
    allocate(4000, 0x9000, CallKind::kCalloc);  // its free was lost
    writer.add(Free{.time_ns = 5000, .thread = thread, .address = Address{0x1234}});
    writer.add(recording::KernelSample{.time_ns = 6000, .resident = Bytes{4096}});
    writer.add(recording::Marker{.time_ns = 7000, .thread = thread, .text = "request"});
    recording::Ending ending;
    ending.time_ns = 8000;
    ending.kind = recording::Ending::Kind::kKilled;
    ending.status = 9;
    EXPECT_TRUE(writer.finish(ending).has_value());
  });
}

TEST_F(DatabaseTest, FramesThatTheRecordingDoesNotNameAreAskedFor) {
  const recording::FileBytes file = recording::written({}, [](Writer& writer) {
    const auto module = writer.define_module({.path = "/bin/a", .build_id = "ab", .load_bias = {}});
    writer.define_source(writer.frame({.module = module, .address = 1}), {});
    writer.frame({.module = module, .address = 2});
    writer.frame({.module = 0, .address = 3});
    EXPECT_TRUE(writer.flush().has_value());  // and then it was killed
  });
  const auto name = [](const recording::ModuleFacts& facts, std::uint64_t address) {
    return std::vector<recording::SourceFrame>{
        {.function = facts.path + std::to_string(address), .file = facts.build_id, .line = 7}};
  };
  open(file, name);
  EXPECT_EQ(rows("SELECT * FROM lines"), Rows{"2|0|/bin/a2|ab|7|0"});
}

TEST_F(DatabaseTest, EventsAreRowsThatKnowWhatTheyEnd) {
  open(small_file());
  EXPECT_EQ(rows("SELECT * FROM events"),
            (Rows{"1|1000|1|malloc|36864|100|-|2|-", "2|2000|1|free|36864|-|-|-|1",
                  "3|3000|1|new|36864|100|-|2|-", "4|4000|1|calloc|36864|100|-|2|3",
                  "5|5000|1|free|4660|-|-|-|-"}));
  EXPECT_EQ(rows("SELECT id FROM leaks"), Rows{"4"});
  EXPECT_EQ(rows("SELECT time_ns, resident_bytes FROM samples"), Rows{"6000|4096"});
  EXPECT_EQ(rows("SELECT * FROM markers"), Rows{"7000|1|request"});
  EXPECT_EQ(rows("SELECT value FROM recording WHERE key IN ('argument 1', 'ending', 'signal', "
                 "'exit_status', 'heapspy') ORDER BY key"),
            (Rows{"-x", "killed", "-", "1.2.3", "9"}));
  EXPECT_EQ(rows("PRAGMA user_version"), Rows{"1"});
}

TEST_F(DatabaseTest, ACopySaysOfWhomAndAnOriginalWhatCameBeforeEachFork) {
  open(recording::written(
      {.pid = 12, .origin = "/elsewhere/parent.heapspy", .origin_fork = 7}, [](Writer& writer) {
        writer.add(Free{.time_ns = 10, .thread = 1, .address = Address{0x9000}});
        writer.add(recording::Fork{.time_ns = 20, .number = 1});
        writer.add(Free{.time_ns = 30, .thread = 1, .address = Address{0x9100}});
        writer.add(recording::Fork{.time_ns = 40, .number = 2});
      }));
  EXPECT_EQ(rows("SELECT key, value FROM recording WHERE key LIKE 'inherited%' ORDER BY key"),
            (Rows{"inherited_fork|7", "inherited_recording|parent.heapspy"}));
  EXPECT_EQ(rows("SELECT * FROM forks"), (Rows{"1|20|1", "2|40|2"}));
}

TEST_F(DatabaseTest, NoCopySaysSo) {
  open(small_file());
  EXPECT_EQ(rows("SELECT value FROM recording WHERE key LIKE 'inherited%'"), (Rows{"-", "-"}));
}

TEST_F(DatabaseTest, AReallocThatFailedIsNoRow) {
  open(recording::written({}, [](Writer& writer) {
    const auto allocate = [&](std::uint64_t address, CallKind kind) {
      writer.add(Allocation{
          .thread = 1, .address = Address{address}, .requested_bytes = 100, .kind = kind});
    };
    const auto free = [&](std::uint64_t address) {
      writer.add(Free{.thread = 1, .address = Address{address}});
    };
    allocate(0x10, CallKind::kMalloc);
    free(0x10);
    allocate(0x10, CallKind::kRestored);
    allocate(0x10, CallKind::kRestored);  // it is live
    free(0x20);
    allocate(0x20, CallKind::kRestored);  // nobody knew of it
    allocate(0x30, CallKind::kRestored);  // nobody freed it
    EXPECT_TRUE(writer.finish({}).has_value());
  }));
  EXPECT_EQ(rows("SELECT id, kind, address, ends_id FROM events"),
            (Rows{"1|malloc|16|-", "4|malloc|48|-"}));
  EXPECT_EQ(rows("SELECT id FROM leaks"), (Rows{"1", "4"}));
  EXPECT_EQ(rows("SELECT value FROM recording WHERE key = 'peak_live_bytes'"), Rows{"200"});
}

TEST_F(DatabaseTest, APoolsMemoryIsNoBlock) {
  open(recording::written({}, [](Writer& writer) {
    const auto allocate = [&](std::uint64_t address, std::uint64_t bytes, CallKind kind) {
      writer.add(Allocation{
          .thread = 1, .address = Address{address}, .requested_bytes = bytes, .kind = kind});
    };
    allocate(0x10, 100, CallKind::kMalloc);
    allocate(0x1000, 5000, CallKind::kMalloc);
    allocate(0x1000, 0, CallKind::kPool);
    allocate(0x1000 | recording::kPoolAddress, 20, CallKind::kPool);
    writer.add(Free{.thread = 1, .address = Address{0x1000}});
    EXPECT_TRUE(writer.finish({}).has_value());
  }));
  EXPECT_EQ(rows("SELECT id, kind, bytes, ends_id FROM events"),
            (Rows{"1|malloc|100|-", "2|pool memory|5000|-", "3|pool|20|-", "4|free|-|2"}));
  EXPECT_EQ(rows("SELECT id FROM allocations"), (Rows{"1", "3"}));
  EXPECT_EQ(rows("SELECT id FROM leaks"), (Rows{"1", "3"}));
  EXPECT_EQ(rows("SELECT id FROM peak_blocks"), (Rows{"1", "3"}));
  EXPECT_EQ(rows("SELECT value FROM recording WHERE key = 'peak_live_bytes'"), Rows{"120"});
}

TEST_F(DatabaseTest, StacksLeadToFramesLinesAndModules) {
  open(small_file());
  EXPECT_EQ(rows("SELECT depth, function, file, line, module, printf('0x%x', address) "
                 "FROM stack_frames WHERE stack_id = 2 ORDER BY depth, inline_depth"),
            (Rows{"0|-|-|-|-|0xffff800000000000", "1|get|x.h|7|/opt/program|0x100",
                  "1|main|x.cc|5|/opt/program|0x100"}));
  EXPECT_EQ(rows("SELECT depth, function, inlined FROM lines"), (Rows{"0|get|1", "1|main|0"}));
  EXPECT_EQ(rows("SELECT * FROM modules"), Rows{"1|/opt/program|ab12|20480"});
}

TEST_F(DatabaseTest, MappingsAreCallsAndTheRangesThatTheyMade) {
  using recording::Mapping;
  using Operation = Mapping::Operation;
  open(recording::written({}, [](Writer& writer) {
    const auto first = writer.stack(0, writer.frame({.module = 0, .address = 0x10}));
    const auto second = writer.stack(0, writer.frame({.module = 0, .address = 0x20}));
    std::uint64_t time_ns = 0;
    const auto add = [&](Mapping event, recording::StackNumber stack) {
      event.time_ns = time_ns += 1000;
      event.stack = stack;
      writer.add(event);
    };
    add({.operation = Operation::kMap, .address = Address{0x10000}, .bytes = Bytes{0x4001}}, first);
    // Out of the middle, then over what is left at the end.
    add({.operation = Operation::kUnmap, .address = Address{0x11000}, .bytes = Bytes{0x1000}},
        second);
    add({.operation = Operation::kMap, .address = Address{0x14000}, .bytes = Bytes{0x2000}},
        second);
    add({.operation = Operation::kDiscard, .address = Address{0x12000}, .bytes = Bytes{0x1000}},
        second);
    add({.operation = Operation::kRemap,
         .address = Address{0x50000},
         .bytes = Bytes{0x8000},
         .old_address = Address{0x12000},
         .old_bytes = Bytes{0x2000}},
        second);
    EXPECT_TRUE(writer.finish({}).has_value());
  }));
  EXPECT_EQ(rows("SELECT id, time_ns, kind, address, bytes, old_address, old_bytes, stack_id "
                 "FROM mapping_events"),
            (Rows{"1|1000|map|65536|16385|-|-|1", "2|2000|unmap|69632|4096|-|-|2",
                  "3|3000|map|81920|8192|-|-|2", "4|4000|discard|73728|4096|-|-|2",
                  "5|5000|remap|327680|32768|73728|8192|2"}));
  EXPECT_EQ(rows("SELECT printf('%x', address), bytes, stack_id, begun_id, ended_id FROM mappings "
                 "ORDER BY begun_id, address"),
            (Rows{"10000|4096|1|1|-", "11000|4096|1|1|2", "12000|8192|1|1|5", "14000|4096|1|1|3",
                  "14000|8192|2|3|-", "50000|32768|1|5|-"}));
}

TEST_F(DatabaseTest, WhatAThreadUnmapsAndRemapsStaysWhoseItWas) {
  using recording::Mapping;
  using Operation = Mapping::Operation;
  open(recording::written({}, [](Writer& writer) {
    const auto first = writer.stack(0, writer.frame({.module = 0, .address = 0x10}));
    const auto second = writer.stack(0, writer.frame({.module = 0, .address = 0x20}));
    const auto add = [&](recording::ThreadNumber thread, Operation operation, std::uint64_t address,
                         recording::StackNumber stack, std::uint64_t old_address = 0) {
      writer.add(Mapping{.time_ns = 1000,
                         .thread = thread,
                         .operation = operation,
                         .address = Address{address},
                         .bytes = Bytes{0x1000},
                         .old_address = Address{old_address},
                         .old_bytes = Bytes{old_address == 0 ? 0U : 0x1000U},
                         .stack = stack});
    };
    add(1, Operation::kMap, 0x10000, first);
    add(1, Operation::kUnmap, 0x10000, second);
    add(1, Operation::kRemap, 0x10000, second, 0x10000);
    add(1, Operation::kUnmap, 0x10000, second);
    add(2, Operation::kMap, 0x10000, second);
    add(1, Operation::kRemap, 0x20000, second, 0x10000);
    EXPECT_TRUE(writer.finish({}).has_value());
  }));
  EXPECT_EQ(rows("SELECT printf('%x', address), bytes, stack_id, begun_id, ended_id FROM mappings "
                 "ORDER BY begun_id, address"),
            (Rows{"10000|4096|1|1|2", "10000|4096|1|3|4", "10000|4096|2|5|-", "20000|4096|1|6|-"}));
}

TEST_F(DatabaseTest, NamesOfAnyBytesAreText) {
  open(recording::written({}, [](Writer& writer) {
    writer.define_thread({.tid = 1, .name = std::string("a\xff\0'b", 5)});
    EXPECT_TRUE(writer.finish({}).has_value());
  }));
  EXPECT_EQ(rows("SELECT name FROM threads"), Rows{"a\uFFFD\uFFFD'b"});
}

TEST_F(DatabaseTest, WhatASampledBlockStandsForIsBesideItsSize) {
  recording::ProcessFacts process;
  process.sample_bytes = 512;
  open(recording::written(process, [](Writer& writer) {
    writer.add(Allocation{
        .time_ns = 1000, .address = Address{0x9000}, .requested_bytes = 100, .weight_bytes = 560});
    EXPECT_TRUE(writer.finish({}).has_value());
  }));
  EXPECT_EQ(rows("SELECT bytes, stands_for_bytes FROM allocations"), Rows{"100|560"});
}

TEST_F(DatabaseTest, WhereAnythingFailsTheOldFileStays) {
  std::ofstream(database()) << "old";
  EXPECT_FALSE(convert(recording::FileBytes(100)).has_value());
  EXPECT_EQ(std::filesystem::file_size(database()), 3U);
  EXPECT_EQ(files(), (Rows{"in.heapspy", "out.db"}));
  const auto refused = write_recording_database(recording(), "/no/such/folder/x.db", "1", {});
  ASSERT_FALSE(refused.has_value());
  EXPECT_TRUE(convert(small_file()).has_value());
  EXPECT_GT(std::filesystem::file_size(database()), 1000U);
}

TEST_F(DatabaseTest, AFileMayHaveTheLongestName) {
  ASSERT_TRUE(convert(small_file()).has_value());
  const std::string folder = std::filesystem::path(database()).parent_path().string() + "/";
  EXPECT_TRUE(
      write_recording_database(recording(), folder + std::string(255, 'n'), "1", {}).has_value());
  const auto refused =
      write_recording_database(recording(), folder + std::string(256, 'n'), "1", {});
  ASSERT_FALSE(refused.has_value());
  EXPECT_TRUE(refused.error().message.ends_with("File name too long")) << refused.error().message;
}

TEST_F(DatabaseTest, OtherFilesBesideItStay) {
  const std::string other = database() + ".partial";
  std::ofstream(other) << "other";
  open(small_file());
  EXPECT_EQ(std::filesystem::file_size(other), 5U);
  EXPECT_EQ(files(), (Rows{"in.heapspy", "out.db", "out.db.partial"}));
}

TEST_F(DatabaseTest, ASymbolicLinkLeadsToIt) {
  const std::string file = database() + ".file";
  std::filesystem::create_symlink("out.db.file", database());
  for (int i = 0; i < 2; ++i) {  // the file is not there, and is
    EXPECT_TRUE(convert(small_file()).has_value());
    EXPECT_TRUE(std::filesystem::is_symlink(database()));
    EXPECT_GT(std::filesystem::file_size(file), 1000U);
  }
}

TEST_F(DatabaseTest, NamesOfWhatIsOpenAreRefused) {
  std::ofstream(database()) << "old";
  std::ifstream is_open(database());
  std::filesystem::create_symlink("/proc/self/fd", database() + ".fd");
  for (int fd = 0; fd < 64; ++fd) {
    const std::string path = database() + ".fd/" + std::to_string(fd);
    EXPECT_FALSE(write_recording_database(recording(), path, "1", {}).has_value()) << path;
  }
  EXPECT_EQ(std::filesystem::file_size(database()), 3U);
}

TEST_F(DatabaseTest, SaysHowManyEventsTheFileHasLost) {
  recording::FileBytes file = small_file();
  const auto blocks = recording::blocks_of(file);
  const auto events = recording::indexes_of(blocks, recording::BlockType::kEvents);
  ASSERT_EQ(events.size(), 1U);
  file[blocks[events[0]].offset + recording::kBlockHeaderBytes] ^= std::byte{1};
  open(file);
  EXPECT_EQ(rows("SELECT value FROM recording WHERE key = 'lost_file_events'"), Rows{"5"});
}

/// Cut or flipped anywhere, a recording gives a sound database of what is left, or an error.
TEST_F(DatabaseTest, DamagedRecordingsGiveWhatIsSound) {
  const recording::FileBytes sound = recording::small_recording().file;
  for (std::size_t at = 16; at < sound.size(); at += sound.size() / 20) {
    recording::FileBytes damaged = sound;
    damaged[at] ^= std::byte{0x55};
    EXPECT_TRUE(convert(damaged).has_value());
    damaged.resize(at);
    EXPECT_TRUE(convert(damaged).has_value());
  }
}

}  // namespace
}  // namespace mini::database
