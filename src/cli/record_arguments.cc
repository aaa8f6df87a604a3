#include "cli/record_arguments.h"

#include <fmt/format.h>

#include "base/text.h"
#include "cli/duration.h"
#include "cli/help.h"
#include "cli/own_words.h"
#include "cli/size.h"

namespace mini::cli {
namespace {

constexpr std::uint32_t kMostFrames = 16384;  // as the agent's
// Below, recording everything is cheaper; above, nothing would be seen.
constexpr Bytes kLeastSample{256};
constexpr Bytes kMostSample = kGiB;

struct RawArguments {
  RecordArguments parsed;
  std::string output;
  std::string overflow;
  std::string sample;
  std::string agent;
  std::string duration;
};

void add_options(CLI::App& app, RawArguments& raw) {
  app.add_option("-p,--pid", raw.parsed.process,
                 "record the running process PID until it ends or Ctrl-C")
      ->option_text("PID")
      ->group("What to record");
  app.add_option("--duration", raw.duration, "with --pid: for this long at most (10s, 5m)")
      ->option_text("TIME")
      ->group("What to record");
  app.add_option("-o,--output", raw.output, "write to FILE (default: CMD.PID.heapspy)")
      ->option_text("FILE")
      ->group("Output");
  app.add_flag("-q,--quiet", raw.parsed.quiet, "do not say at the end what was written")
      ->group("Output");
  app.add_option("--max-frames", raw.parsed.most_frames,
                 fmt::format("frames of a stack at most, up to {} (default 256)", kMostFrames))
      ->check(CLI::NonNegativeNumber)
      ->option_text("N")
      ->group("Stacks");
  app.add_flag("--free-stacks", raw.parsed.free_stacks, "record the stacks of frees too")
      ->group("Stacks");
  app.add_option(
         "--sample", raw.sample,
         "record one block in SIZE bytes, at random: cheap enough for production (512K is a "
         "good size); figures are then estimates")
      ->option_text("SIZE")
      ->group("Sampling");
  app.add_flag("--leaks", raw.parsed.finds_leaks,
               "search the program's memory at its end for what still leads to each live block")
      ->group("Leaks");
  app.add_flag(
         "--first-touch", raw.parsed.first_touch,
         "record page faults too: whose memory became resident, and what code touched it first")
      ->group("Pages");
  app.add_option("--on-overflow", raw.overflow,
                 "where CMD is faster than heapspy: let it wait, for two seconds at most, or drop "
                 "events and count them (default: wait)")
      ->option_text("wait|drop")
      ->group("Other");
  app.add_option("--agent", raw.agent, "the libheapspy-agent.so to use, not the installed one")
      ->option_text("FILE")
      ->group("Other");
  app.set_help_flag();  // CLI11's own; ours is an option like the others
  app.allow_extras();
  app.add_flag("-h,--help", raw.parsed.help, "show this help")->group("Other");
}

Result<void> check_target(const std::string& duration, RecordArguments& out) {
  if (out.process && !out.command.empty()) {
    return fail(fmt::format("--pid {} and a command: type one of them", *out.process));
  }
  if (out.process && *out.process <= 0) {
    return fail(fmt::format("--pid {}: type the number of a process", *out.process));
  }
  if (!out.process && out.command.empty()) {
    return fail("nothing to record: type 'heapspy record ls' or 'heapspy record -p PID'");
  }
  if (duration.empty()) return {};
  const auto time = check_duration(duration, out.process.has_value());
  if (!time) return std::unexpected(time.error());
  out.duration_ns = *time;
  return {};
}

Result<void> check_sample(const std::string& text, RecordArguments& out) {
  if (text.empty()) return {};
  const auto sample = parse_size(text);
  if (!sample) return fail(fmt::format("--sample {}: {}", text, sample.error().message));
  if (*sample < kLeastSample || *sample > kMostSample) {
    return fail(fmt::format("--sample {}: type a size from {} to {}", text,
                            format_bytes(kLeastSample), format_bytes(kMostSample)));
  }
  out.sample = *sample;
  return {};
}

Result<RecordArguments> check(RawArguments& raw, const CLI::App& app) {
  RecordArguments& out = raw.parsed;
  if (out.help) return out;
  if (raw.output == "-") {
    return fail("-o -: the program writes to standard output; type the name of a file");
  }
  if (app.count("--output") != 0) out.output_path = raw.output;
  if (app.count("--agent") != 0) out.agent = raw.agent;
  if (out.most_frames == 0 || out.most_frames > kMostFrames) {
    return fail(
        fmt::format("--max-frames {}: type a number from 1 to {}", out.most_frames, kMostFrames));
  }
  if (auto sample = check_sample(raw.sample, out); !sample) return std::unexpected(sample.error());
  if (out.finds_leaks && out.sample.count != 0) {
    return fail("--leaks and --sample: type one of them; leaks are found among all blocks only");
  }
  if (raw.overflow == "drop") {
    out.overflow = wire::Overflow::kDrop;
  } else if (!raw.overflow.empty() && raw.overflow != "wait") {
    return fail(fmt::format("--on-overflow {}: type wait or drop", raw.overflow));
  }
  if (auto target = check_target(raw.duration, out); !target) {
    return std::unexpected(target.error());
  }
  return out;
}

}  // namespace

Result<RecordArguments> parse_record_arguments(std::span<const std::string> words) {
  CLI::App app;
  RawArguments raw;
  add_options(app, raw);
  auto command = parse_own_words(app, words, "record");
  if (!command) return std::unexpected(command.error());
  raw.parsed.command = std::move(*command);
  return check(raw, app);
}

std::string record_help() {
  return with_options(add_options, format_record_help);
}

std::vector<std::string> record_option_names() {
  return with_options(add_options, option_names);
}

}  // namespace mini::cli
