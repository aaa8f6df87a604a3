// The words for causes and phases.
#include "model/cause.h"

#include <array>

namespace mini::model {
namespace {

struct PhaseWords {
  std::string_view name;
  std::string_view title;
};

constexpr std::array<std::string_view, kCauseCount> kCauseNames = {
    "unknown", "loader", "libc-startup", "malloc", "program", "runtime"};

constexpr std::array<PhaseWords, kPhaseCount> kPhaseWords = {{
    {"program-start", "Program start"},
    {"library-loading", "Library loading"},
    {"libc-startup", "C library start-up"},
    {"program", "Program"},
    {"exit", "Exit"},
}};

}  // namespace

std::string_view cause_name(Cause cause) {
  return kCauseNames.at(static_cast<std::size_t>(cause));
}

std::string_view phase_title(Phase phase) {
  return kPhaseWords.at(static_cast<std::size_t>(phase)).title;
}

std::string_view phase_name(Phase phase) {
  return kPhaseWords.at(static_cast<std::size_t>(phase)).name;
}

}  // namespace mini::model
