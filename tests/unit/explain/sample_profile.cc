#include "sample_profile.h"

#include <string>

namespace mini::explain {
namespace {

using model::Amount;
using model::BlockTotals;
using model::HeapProfile;

std::uint32_t add_frame(HeapProfile& profile, std::uint32_t module, std::uint64_t address,
                        std::vector<model::SourceLine> lines) {
  profile.frames.push_back({.module = module, .address = address, .lines = std::move(lines)});
  return static_cast<std::uint32_t>(profile.frames.size() - 1);
}

std::uint32_t add_node(HeapProfile& profile, std::uint32_t caller, std::uint32_t frame) {
  profile.nodes.push_back({.caller = caller, .frame = frame});
  return static_cast<std::uint32_t>(profile.nodes.size() - 1);
}

void add(BlockTotals& sum, const BlockTotals& part) {
  sum.allocated += part.allocated;
  sum.freed += part.freed;
  sum.lost += part.lost;
  sum.temporary += part.temporary;
  sum.live += part.live;
  sum.peak += part.peak;
  sum.resized += part.resized;
  sum.lifetime_ns += part.lifetime_ns;
}

/// A stack, and its part of the totals, of a thread and of a range of sizes.
void add_stack(HeapProfile& profile, std::uint32_t node, std::size_t thread, std::size_t size,
               const BlockTotals& totals) {
  profile.stacks.push_back({.node = node,
                            .totals = totals,
                            .held_byte_ns = 1e9 * static_cast<double>(totals.peak.bytes),
                            .first_ns = 1'000'000,
                            .last_ns = 9'900'000'000});
  add(profile.totals, totals);
  add(profile.threads[thread].totals, totals);
  add(profile.sizes[size].totals, totals);
}

HeapProfile empty_profile() {
  HeapProfile profile;
  profile.process.pid = 4711;
  profile.process.command = {"./server", "--port", "80"};
  profile.process.executable = "/usr/bin/server";
  profile.ending = {.kind = model::ProfileEnding::Kind::kExited, .status = 0};
  profile.duration_ns = 10'000'000'000;
  profile.modules = {
      {}, {"/usr/bin/server", "ab12"}, {"/usr/lib/libz.so.1", ""}, {"/usr/lib/libc.so.6", ""}};
  profile.frames.emplace_back();
  profile.nodes.emplace_back();
  profile.threads = {{},
                     {.tid = 4711, .name = "server", .totals = {}},
                     {.tid = 4712, .name = "worker", .totals = {}}};
  profile.sizes = {{.least_bytes = 16, .most_bytes = 31, .totals = {}},
                   {.least_bytes = 65536, .most_bytes = 131071, .totals = {}}};
  return profile;
}

}  // namespace

HeapProfile sample_profile() {
  HeapProfile profile = empty_profile();
  const auto main =
      add_node(profile, 0, add_frame(profile, 1, 0x1000, {{"main", "/src/main.cc", 12}}));
  const auto load =
      add_node(profile, main,
               add_frame(profile, 1, 0x1100, {{"app::load(char const*)", "/src/load.cc", 40}}));
  // app::parse is inlined into app::load_line; the container and operator new are plumbing.
  const auto parse = add_node(profile, load,
                              add_frame(profile, 1, 0x1200,
                                        {{"app::parse(std::string_view)", "/src/x.cc", 88, true},
                                         {"app::load_line(int)", "/src/load.cc", 21}}));
  const auto insert = add_node(
      profile, parse,
      add_frame(profile, 1, 0x1300,
                {{"void std::vector<int, std::allocator<int> >::_M_realloc_insert<int>(int&&)",
                  "/usr/include/c++/12/bits/vector.tcc", 440}}));
  const auto parse_new =
      add_node(profile, insert, add_frame(profile, 3, 0x1400, {{"operator new(unsigned long)"}}));
  const auto cache =
      add_node(profile, load,
               add_frame(profile, 1, 0x1500, {{"app::Cache::put(int)", "/src/cache.cc", 17}}));
  const auto deflate = add_node(profile, main, add_frame(profile, 2, 0x2000, {}));

  add_stack(profile, parse_new, 1, 0,
            {.allocated = {7400, 177600},
             .freed = {7400, 177600},
             .temporary = {7390, 177360},
             .resized = 40,
             .lifetime_ns = 7400.0 * 500});
  add_stack(profile, cache, 2, 1,
            {.allocated = {1600, 160'000'000},
             .freed = {1100, 110'000'000},
             .live = {500, 50'000'000},
             .peak = {1000, 100'000'000},
             .lifetime_ns = 1100.0 * 3e9});
  add_stack(profile, deflate, 1, 1,
            {.allocated = {1000, 80'000'000}, .freed = {1000, 80'000'000}, .peak = {10, 800'000}});
  profile.allocation_events = 10000;
  profile.free_events = 9500;
  profile.peak_time_ns = 5'000'000'000;
  profile.lifetimes = {
      {.least_ns = 256, .most_ns = 511, .freed = {7400, 177600}},
      {.least_ns = 2'147'483'648, .most_ns = 4'294'967'295, .freed = {2100, 190'000'000}}};
  profile.timeline.bucket_ns = 1'000'000'000;
  const std::uint64_t live[] = {20, 40, 60, 80, 100, 101, 40, 45, 50, 50};
  for (const std::uint64_t megabytes : live) {
    profile.timeline.buckets.push_back(
        {.most_live_bytes = megabytes * 1'000'000,
         .last_live_bytes = megabytes * 1'000'000,
         .resident_bytes = std::min<std::uint64_t>(megabytes + 10, 111) * 1'000'000,
         .allocations = 1000});
  }
  profile.timeline.buckets[5].most_live_bytes = profile.totals.peak.bytes;
  for (std::size_t i = 6; i < 10; ++i) profile.timeline.buckets[i].resident_bytes = 110'000'000;
  profile.kernel = {.samples = 10,
                    .peak_resident = Bytes{112'000'000},
                    .most_resident = Bytes{111'000'000},
                    .most_time_ns = 5'500'000'000,
                    .agent_resident = Bytes{2'000'000},
                    .last_resident = Bytes{110'000'000},
                    .last_time_ns = 9'500'000'000,
                    .most_proportional = Bytes{109'000'000},
                    .most_break = Bytes{105'000'000},
                    .last_break = Bytes{104'000'000},
                    .resident_at_peak = Bytes{111'000'000},
                    .at_peak_time_ns = 5'500'000'000};
  profile.mappings = {{.node = profile.stacks[0].node,
                       .calls = 3,
                       .mapped_bytes = 9'000'000,
                       .discarded_bytes = 4096,
                       .live_bytes = 5'000'000,
                       .most_live_bytes = 8'000'000}};
  return profile;
}

HeapProfile crowded_profile() {
  HeapProfile profile = sample_profile();
  const auto place =
      add_frame(profile, 1, 0x5000, {{"app::intern(char const*)", "/src/intern.cc", 9}});
  const auto plumbing = add_frame(profile, 3, 0x1400, {{"operator new(unsigned long)"}});
  for (std::uint64_t i = 0; i < 3000; ++i) {
    const auto caller = add_node(profile, 0, add_frame(profile, 1, 0x6000 + 16 * i, {}));
    const auto node = add_node(profile, add_node(profile, caller, place), plumbing);
    add_stack(profile, node, 1, 0,
              {.allocated = {2, 48},
               .freed = {1, 16},
               .temporary = {1, 16},
               .live = {1, 32},
               .peak = {1, 32}});
    profile.mappings.push_back({.node = node,
                                .calls = 2,
                                .mapped_bytes = 8192,
                                .discarded_bytes = 4096,
                                .live_bytes = 4096,
                                .most_live_bytes = 8192});
    profile.inheritance.stacks.push_back({.node = node, .at_fork = {3, 96}, .freed = {1, 32}});
    profile.first_touch.owners.push_back({.node = node, .touched = {1, 4096}});
    profile.first_touch.touchers.push_back(
        {.node = profile.nodes[node].caller, .touched = {1, 4096}});
  }
  profile.inheritance.state = model::Inheritance::State::kKnown;
  profile.first_touch.state = model::FirstTouch::State::kRecorded;
  return profile;
}

HeapProfile changed_profile() {
  HeapProfile profile = empty_profile();
  profile.process.executable = profile.modules[1].path = "/build/new/server-2";
  profile.duration_ns = 11'000'000'000;
  const auto main =
      add_node(profile, 0, add_frame(profile, 1, 0x8000, {{"main", "/src/main.cc", 14}}));
  const auto load =
      add_node(profile, main,
               add_frame(profile, 1, 0x8100, {{"app::load(char const*)", "/src/load.cc", 44}}));
  const auto load_line = add_node(
      profile, load, add_frame(profile, 1, 0x8200, {{"app::load_line(int)", "/src/load.cc", 25}}));
  const auto parse =
      add_node(profile, load_line,
               add_frame(profile, 1, 0x8280,
                         {{"app::parse(std::string_view) [clone .isra.0]", "/src/x.cc", 90}}));
  const auto insert = add_node(
      profile, parse,
      add_frame(profile, 1, 0x8300,
                {{"void std::vector<int, std::allocator<int> >::_M_realloc_insert<int>(int&&)",
                  "/usr/include/c++/12/bits/vector.tcc", 440}}));
  const auto parse_new =
      add_node(profile, insert, add_frame(profile, 3, 0x1400, {{"operator new(unsigned long)"}}));
  const auto cache =
      add_node(profile, load,
               add_frame(profile, 1, 0x8500, {{"app::Cache::put(int)", "/src/cache.cc", 19}}));
  const auto report = add_node(
      profile, main, add_frame(profile, 1, 0x8600, {{"app::report()", "/src/report.cc", 7}}));
  add_stack(profile, parse_new, 1, 0,
            {.allocated = {3700, 88800}, .freed = {3700, 88800}, .temporary = {3690, 88560}});
  add_stack(
      profile, cache, 2, 1,
      {.allocated = {1600, 160'000'000}, .live = {1600, 160'000'000}, .peak = {1600, 160'000'000}});
  add_stack(profile, report, 1, 1,
            {.allocated = {2, 140'000}, .freed = {2, 140'000}, .temporary = {2, 140'000}});
  return profile;
}

HeapProfile hostile_profile() {
  HeapProfile profile = empty_profile();
  profile.ending.kind = model::ProfileEnding::Kind::kUnknown;
  profile.process.command = {"evil\x1b[2J", std::string(300, 'a')};
  profile.modules[1].path = "/tmp/\xff\xfe\x1b]0;title\x07";
  const std::string longest(5000, 'x');
  std::uint32_t node = 0;
  for (std::uint32_t i = 0; i < 20000; ++i) {
    node =
        add_node(profile, node, add_frame(profile, 1, i, {{"f;\n" + std::to_string(i), "\r", 1}}));
  }
  const auto wide = add_node(profile, 0, add_frame(profile, 0, 1, {{longest, longest, 1}}));
  const BlockTotals totals = {.allocated = {3, 1ULL << 62U},
                              .lost = {1, 5},
                              .live = {2, (1ULL << 62U) - 5},
                              .peak = {2, (1ULL << 62U) - 5}};
  add_stack(profile, node, 1, 0, totals);
  add_stack(profile, wide, 2, 1, totals);
  add_stack(profile, 0, 0, 1, {.allocated = {1, 0}, .live = {1, 0}, .peak = {1, 0}});
  profile.threads[2].name = "\x1b[31mred";
  profile.is_estimate = true;
  profile.process.sample_bytes = 524288;
  profile.losses = {
      .dropped_events = 12,
      .truncated_stacks = 3,
      .skipped_blocks = 2,
      .skipped_bytes = 4096,
      .is_cut = true,
      .frees_not_seen = 7,
      .unknown_stacks = 1,
      .dropped_markers = 0,
      .unnamed_modules = {
          {.module = 1, .reason = model::UnnamedModule::Reason::kOtherFile, .frames = 3},
          {.module = 1, .reason = model::UnnamedModule::Reason::kTooMany, .frames = 1}}};
  profile.timeline = {.bucket_ns = 5'000'000'000, .buckets = {{.most_live_bytes = 7}, {}}};
  profile.markers.push_back({.time_ns = 5, .text = "\x01"});
  return profile;
}

}  // namespace mini::explain
