// What a recording does not tell, and why: nothing that is missing goes unsaid.
#include <fmt/format.h>

#include "base/text.h"
#include "views/flow.h"
#include "views/report_text.h"
#include "views/report_view.h"
#include "views/terminal_heading.h"

namespace mini::views {
namespace {

using model::HeapProfile;

std::string_view reason_text(model::UnnamedModule::Reason reason) {
  static constexpr std::string_view kTexts[] = {"which is not here", "which is another file here",
                                                "which has no build ID",
                                                "beyond as many as are looked for"};
  return kTexts[static_cast<std::size_t>(reason)];
}

/// Which functions have no names, and how they get them.
std::string unnamed_text(const HeapProfile& profile) {
  constexpr std::size_t kMostNamed = 8;
  const std::vector<model::UnnamedModule>& modules = profile.losses.unnamed_modules;
  std::string text = "Functions that the recording does not name, since its recorder was killed: ";
  for (std::size_t i = 0; i < modules.size() && i < kMostNamed; ++i) {
    text += fmt::format("{}{} of {}, {}", i == 0 ? "" : "; ", counted(modules[i].frames, "frame"),
                        profile.modules[modules[i].module].path, reason_text(modules[i].reason));
  }
  if (modules.size() > kMostNamed) {
    text += fmt::format("; and those of {}", counted(modules.size() - kMostNamed, "other file"));
  }
  return text +
         ". They get names from files with the recorded build IDs, in the same places or as debug "
         "files in /usr/lib/debug/.build-id.";
}

}  // namespace

void write_report_losses(std::string& out, const HeapProfile& profile, const TextStyle& style) {
  const model::ProfileLosses& losses = profile.losses;
  const auto say = [&](bool is_so, const std::string& text) {
    if (is_so) Flow(out, style, 4).column(2).put(Ink::kError, text).end_line();
  };
  say(losses.is_cut,
      "The recording has no ending: it was cut, or its recorder was killed. The figures are those "
      "up to there.");
  say(losses.is_damaged(),
      fmt::format("The file is damaged: {} cannot be read, and what was there is missing.",
                  explain::damage_text(losses)));
  if (!losses.unnamed_modules.empty()) say(true, unnamed_text(profile));
  say(losses.dropped_events != 0, fmt::format("Dropped while recording, in no figure: {}.",
                                              counted(losses.dropped_events, "event")));
  say(profile.totals.lost.blocks != 0,
      fmt::format("Blocks whose free is missing, since their address was given out again: {}.",
                  amount_text(profile.totals.lost, "block")));
  say(losses.frees_not_seen != 0,
      fmt::format("Frees of blocks whose allocation is not in the recording: {}.",
                  format_count(losses.frees_not_seen)));
  say(losses.truncated_stacks != 0,
      fmt::format("Stacks whose outer frames are missing, where code has no unwind information or "
                  "there were more than record's --max-frames: {}.",
                  format_count(losses.truncated_stacks)));
  say(losses.unknown_stacks != 0,
      fmt::format("Allocations without a stack: {}.", format_count(losses.unknown_stacks)));
}

}  // namespace mini::views
