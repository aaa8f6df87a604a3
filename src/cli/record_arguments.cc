#include "cli/record_arguments.h"

#include <fmt/format.h>

#include "cli/help.h"
#include "cli/own_words.h"

namespace mini::cli {
namespace {

constexpr std::uint32_t kMostFrames = 1024;

struct RawArguments {
  RecordArguments parsed;
  std::string output;
  std::string overflow;
  std::string agent;
};

void add_options(CLI::App& app, RawArguments& raw) {
  app.add_option("-o,--output", raw.output, "write to FILE (default: CMD.PID.heapspy)")
      ->option_text("FILE")
      ->group("Output");
  app.add_flag("-q,--quiet", raw.parsed.quiet, "do not say at the end what was written")
      ->group("Output");
  app.add_option("--max-frames", raw.parsed.most_frames,
                 fmt::format("frames of a stack at most, up to {} (default 256)", kMostFrames))
      ->option_text("N")
      ->group("Stacks");
  app.add_flag("--free-stacks", raw.parsed.free_stacks, "record the stacks of frees too")
      ->group("Stacks");
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

Result<RecordArguments> check(RawArguments& raw, const CLI::App& app) {
  RecordArguments& out = raw.parsed;
  if (out.help) return out;
  if (app.count("--output") != 0) out.output_path = raw.output;
  if (app.count("--agent") != 0) out.agent = raw.agent;
  if (out.most_frames == 0 || out.most_frames > kMostFrames) {
    return fail(
        fmt::format("--max-frames {}: type a number from 1 to {}", out.most_frames, kMostFrames));
  }
  if (raw.overflow == "drop") {
    out.overflow = wire::Overflow::kDrop;
  } else if (!raw.overflow.empty() && raw.overflow != "wait") {
    return fail(fmt::format("--on-overflow {}: type wait or drop", raw.overflow));
  }
  if (out.command.empty()) return fail("nothing to record: type 'heapspy record ls'");
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
  CLI::App app;
  RawArguments raw;
  add_options(app, raw);
  return format_record_help(app);
}

std::vector<std::string> record_option_names() {
  CLI::App app;
  RawArguments raw;
  add_options(app, raw);
  return option_names(app);
}

}  // namespace mini::cli
