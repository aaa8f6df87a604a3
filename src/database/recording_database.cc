#include "database/recording_database.h"

#include <algorithm>
#include <bit>
#include <fmt/format.h>
#include <map>
#include <utility>

#include "base/partial_file.h"
#include "base/seeded_hash.h"
#include "base/text.h"
#include "database/live_allocations.h"
#include "database/mapping_rows.h"
#include "database/schema.h"
#include "database/sqlite.h"
#include "recording/reader.h"

namespace mini::database {
namespace {

using recording::CallKind;

/// A quantity; SQLite's numbers have a sign.
std::int64_t quantity(std::uint64_t n) {
  return static_cast<std::int64_t>(std::min<std::uint64_t>(n, INT64_MAX));
}

/// An address, bit by bit: those of the upper half are negative numbers.
std::int64_t bits(std::uint64_t n) {
  return std::bit_cast<std::int64_t>(n);
}

/// A number of which 0 is none.
Value number_or_null(std::uint32_t number) {
  return number == 0 ? Value() : Value(std::int64_t{number});
}

/// An event of which 0 is none.
Value event_or_null(EventId id) {
  return id == 0 ? Value() : Value(id);
}

Value text_or_null(std::string_view text) {
  return text.empty() ? Value() : Value(text);
}

std::string_view kind_name(CallKind kind) {
  static constexpr std::string_view kNames[] = {"malloc",  "calloc", "realloc",
                                                "aligned", "new",    "pool"};
  const auto i = static_cast<std::size_t>(kind);
  return i < std::size(kNames) ? kNames[i] : kNames[0];
}

std::string_view kind_name(recording::Mapping::Operation operation) {
  static constexpr std::string_view kNames[] = {"map", "unmap", "remap", "discard"};
  const auto i = static_cast<std::size_t>(operation);
  return i < std::size(kNames) ? kNames[i] : kNames[0];
}

class DatabaseWriter final : public recording::Visitor {
 public:
  DatabaseWriter(Database& database, const ReadProgress& progress)
      : progress_(progress),
        database_(database),
        facts_(database, "INSERT INTO recording VALUES (?, ?)"),
        // The first definition of a number holds.
        modules_(database, "INSERT OR IGNORE INTO modules VALUES (?, ?, ?, ?)"),
        threads_(database,
                 "INSERT INTO threads VALUES (?, ?, ?) "
                 "ON CONFLICT (id) DO UPDATE SET name = excluded.name"),
        frames_(database, "INSERT OR IGNORE INTO frames VALUES (?, ?, ?)"),
        forget_lines_(database, "DELETE FROM lines WHERE frame_id = ?"),
        lines_(database, "INSERT INTO lines VALUES (?, ?, ?, ?, ?, ?)"),
        stacks_(database, "INSERT OR IGNORE INTO stacks VALUES (?, ?, ?)"),
        events_(database, "INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"),
        become_pool_memory_(database, "UPDATE events SET kind = 'pool memory' WHERE id = ?"),
        forget_event_(database, "DELETE FROM events WHERE id = ?"),
        samples_(database, "INSERT INTO samples VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"),
        markers_(database, "INSERT INTO markers VALUES (?, ?, ?)"),
        forks_(database, "INSERT OR IGNORE INTO forks VALUES (?, ?, ?)"),
        usable_sizes_(database, "INSERT INTO usable_sizes VALUES (?, ?, ?, ?)"),
        touches_(database, "INSERT INTO touches VALUES (?, ?, ?, ?)"),
        mapping_events_(database, "INSERT INTO mapping_events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"),
        mappings_(database, "INSERT INTO mappings VALUES (?, ?, ?, ?, ?)"),
        mapping_rows_([this](const MappingRow& row) { put_mapping(row); }) {}

  void module(recording::ModuleNumber number, const recording::ModuleFacts& facts) override {
    module_facts_.try_emplace(number, facts);
    modules_.run({std::int64_t{number}, facts.path, text_or_null(facts.build_id),
                  bits(facts.load_bias.value)});
  }
  void thread(recording::ThreadNumber number, const recording::ThreadFacts& facts) override {
    threads_.run({std::int64_t{number}, quantity(facts.tid), text_or_null(facts.name)});
  }
  void frame(recording::FrameNumber number, const recording::FrameFacts& facts) override {
    unnamed_frames_.try_emplace(number, facts);
    frames_.run({std::int64_t{number}, number_or_null(facts.module), bits(facts.address)});
  }
  void source(recording::FrameNumber number,
              const std::vector<recording::SourceFrame>& lines) override {
    unnamed_frames_.erase(number);
    forget_lines_.run({std::int64_t{number}});
    std::int64_t depth = 0;
    for (const recording::SourceFrame& line : lines) {
      lines_.run({std::int64_t{number}, depth++, text_or_null(line.function),
                  text_or_null(line.file), number_or_null(line.line), std::int64_t{line.inlined}});
    }
  }
  void stack(recording::StackNumber number, const recording::StackFacts& facts) override {
    stacks_.run({std::int64_t{number}, number_or_null(facts.caller), number_or_null(facts.frame)});
  }
  void allocation(const recording::Allocation& event) override {
    if (event.kind == CallKind::kRestored && restored(event)) return;
    if (is_pool_memory(event.kind, event.address)) return become_pool_memory(event.address);
    ++last_id_;
    const auto bytes = std::min(event.requested_bytes, recording::kMostBlockBytes);
    const auto stands_for = std::min(event.weight_bytes, recording::kMostBlockBytes);
    const EventId ended =
        live_.allocate(last_id_, event.address, stands_for == 0 ? bytes : stands_for);
    events_.run({last_id_, quantity(event.time_ns), number_or_null(event.thread),
                 kind_name(event.kind), bits(event.address.value), quantity(bytes),
                 stands_for == 0 ? Value() : Value(quantity(stands_for)),
                 number_or_null(event.stack), event_or_null(ended)});
  }
  void free(const recording::Free& event) override {
    const EventId ended = live_.free(++last_id_, event.address, event.thread);
    events_.run({last_id_, quantity(event.time_ns), number_or_null(event.thread), "free",
                 bits(event.address.value), Value(), Value(), number_or_null(event.stack),
                 event_or_null(ended)});
  }
  void sample(const recording::KernelSample& sample) override {
    samples_.run(
        {quantity(sample.time_ns), quantity(sample.resident.count),
         quantity(sample.peak_resident.count), quantity(sample.agent_resident.count),
         quantity(sample.break_bytes.count), quantity(sample.mapped_bytes.count),
         quantity(sample.minor_faults), quantity(sample.major_faults),
         sample.proportional.count == 0 ? Value() : Value(quantity(sample.proportional.count))});
  }
  void mapping(const recording::Mapping& event) override {
    const bool moves = event.operation == recording::Mapping::Operation::kRemap;
    mapping_events_.run(
        {++last_mapping_id_, quantity(event.time_ns), number_or_null(event.thread),
         kind_name(event.operation), bits(event.address.value), quantity(event.bytes.count),
         moves ? Value(bits(event.old_address.value)) : Value(),
         moves ? Value(quantity(event.old_bytes.count)) : Value(), number_or_null(event.stack)});
    mapping_rows_.add(event, last_mapping_id_);
  }
  void marker(const recording::Marker& marker) override {
    markers_.run({quantity(marker.time_ns), number_or_null(marker.thread), marker.text});
  }
  void fork(const recording::Fork& fork) override {
    forks_.run({quantity(fork.number), quantity(fork.time_ns), last_id_});
  }
  void usable_size(const recording::UsableSize& usable) override {
    usable_sizes_.run({quantity(usable.time_ns), number_or_null(usable.thread),
                       quantity(usable.requested_bytes), quantity(usable.usable_bytes)});
  }
  void touch(const recording::Touch& touch) override {
    touches_.run({quantity(touch.time_ns), number_or_null(touch.thread), bits(touch.address.value),
                  number_or_null(touch.stack)});
  }
  bool progress(std::uint64_t read_bytes, std::uint64_t file_bytes) override {
    if (progress_) progress_(read_bytes, file_bytes);
    return database_.healthy();
  }

  /// Those of a recorder that was killed, which names them at the end. REQUIRES: all was read.
  void name_frames(const NameFrame& name_frame) {
    for (const auto& [number, facts] : std::exchange(unnamed_frames_, {})) {
      const auto module = module_facts_.find(facts.module);
      if (module != module_facts_.end()) source(number, name_frame(module->second, facts.address));
    }
  }

  /// After the last event.
  void summary(const recording::Summary& summary, std::string_view heapspy_version) {
    mapping_rows_.finish();
    const auto fact = [this](std::string_view key, const Value& value) {
      facts_.run({key, value});
    };
    const recording::ProcessFacts& process = summary.process;
    fact("heapspy", heapspy_version);
    fact("pid", quantity(process.pid));
    fact("parent_pid", quantity(process.parent_pid));
    fact("executable", text_or_null(process.executable));
    for (std::size_t i = 0; i < process.command.size(); ++i) {
      fact(fmt::format("argument {}", i), process.command[i]);
    }
    fact("started_unix_ns", quantity(process.start_unix_ns));
    fact("sample_bytes", quantity(process.sample_bytes));
    const bool is_copy = !process.origin.empty();
    fact("inherited_recording", text_or_null(path_basename(process.origin)));
    fact("inherited_fork", is_copy ? Value(quantity(process.origin_fork)) : Value());
    fact("peak_event_id", event_or_null(live_.peak().id));
    fact("peak_live_bytes", quantity(live_.peak().bytes));
    end(fact, summary.ending.value_or(recording::Ending{}));
    fact("is_cut", std::int64_t{summary.damage.is_cut});
    fact("skipped_file_blocks", quantity(summary.damage.skipped_blocks));
    fact("skipped_file_bytes", quantity(summary.damage.skipped_bytes));
    fact("lost_file_events", quantity(summary.damage.lost_events));
  }

 private:
  template <typename Fact>
  static void end(const Fact& fact, const recording::Ending& ending) {
    using Kind = recording::Ending::Kind;
    static constexpr std::string_view kEndings[] = {"exited", "killed", "exec", "detached",
                                                    "unknown"};
    const auto status_of = [&](Kind kind) {
      return ending.kind == kind ? Value(std::int64_t{ending.status}) : Value();
    };
    const auto kind = std::min(static_cast<std::size_t>(ending.kind), std::size(kEndings) - 1);
    fact("ending", kEndings[kind]);
    fact("exit_status", status_of(Kind::kExited));
    fact("signal", status_of(Kind::kKilled));
    fact("ended_ns", quantity(ending.time_ns));
    fact("dropped_events", quantity(ending.losses.dropped_events));
    fact("truncated_stacks", quantity(ending.losses.truncated_stacks));
  }

  void put_mapping(const MappingRow& row) {
    mappings_.run({bits(row.address.value), quantity(row.bytes.count), number_or_null(row.stack),
                   row.begun_id, row.ended_id == 0 ? Value() : Value(row.ended_id)});
  }

  /// Takes a free back. False: it is not known.
  bool restored(const recording::Allocation& event) {
    const auto free = live_.restore(event.address, event.thread);
    if (free && *free != 0) forget_event_.run({*free});
    return free.has_value();
  }

  void become_pool_memory(Address address) {
    if (const EventId id = live_.become_pool_memory(address); id != 0)
      become_pool_memory_.run({id});
  }

  const ReadProgress& progress_;
  Database& database_;
  Statement facts_;
  Statement modules_;
  Statement threads_;
  Statement frames_;
  Statement forget_lines_;
  Statement lines_;
  Statement stacks_;
  Statement events_;
  Statement become_pool_memory_;
  Statement forget_event_;
  Statement samples_;
  Statement markers_;
  Statement forks_;
  Statement usable_sizes_;
  Statement touches_;
  Statement mapping_events_;
  Statement mappings_;
  MappingRows mapping_rows_;
  std::int64_t last_mapping_id_ = 0;
  SeededMap<recording::ModuleNumber, recording::ModuleFacts> module_facts_;
  std::map<recording::FrameNumber, recording::FrameFacts> unnamed_frames_;
  LiveAllocations live_;
  EventId last_id_ = 0;
};

/// Nobody but us has the file, and nobody wants half of it: no journal, no waiting for the disk.
void prepare(Database& database) {
  database.execute(
      "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA locking_mode = EXCLUSIVE;");
  database.execute(fmt::format("PRAGMA user_version = {};", kSchemaVersion));
  database.execute("BEGIN");
  database.execute(kSchema);
}

Result<void> fill(Database& database, const std::string& recording,
                  std::string_view heapspy_version, const ReadProgress& progress,
                  const NameFrame& name_frame) {
  prepare(database);
  DatabaseWriter writer(database, progress);
  const auto summary = recording::read_recording(recording, writer);
  if (!summary) return std::unexpected(summary.error());
  if (name_frame) writer.name_frames(name_frame);
  writer.summary(*summary, heapspy_version);
  database.execute("COMMIT");
  return {};
}

Result<void> cannot_write(const std::string& path, const Error& why) {
  return fail(fmt::format("cannot write '{}': {}", path, why.message));
}

}  // namespace

Result<void> write_recording_database(const std::string& recording, const std::string& path,
                                      std::string_view heapspy_version,
                                      const ReadProgress& progress, const NameFrame& name_frame) {
  auto file = PartialFile::make_for(path);
  if (!file && file.error().error_number == 0) {
    return cannot_write(path, {.message = "SQLite writes to files only"});
  }
  if (!file) return cannot_write(path, file.error());
  Database database(file->name());
  const auto filled = fill(database, recording, heapspy_version, progress, name_frame);
  const auto closed = database.close();
  if (!filled) return filled;
  if (!closed) return cannot_write(path, closed.error());
  const auto appeared = file->appear();
  return appeared ? appeared : cannot_write(path, appeared.error());
}

}  // namespace mini::database
