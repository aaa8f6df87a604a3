#include "cli/read_progress.h"

#include <algorithm>
#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/terminal.h"
#include "explain/heap_findings.h"

namespace mini::cli {
namespace {

constexpr std::uint64_t kBetweenNs = 200'000'000;  // also before the first: most files are quick

/// Whether the terminal takes text at once: where it is held (Ctrl-S), a process that stands still
/// for us would wait with us.
bool takes_text() {
  pollfd terminal{.fd = STDERR_FILENO, .events = POLLOUT, .revents = 0};
  return ::poll(&terminal, 1, 0) == 1 && (terminal.revents & POLLOUT) != 0;
}

}  // namespace

std::string progress_text(std::string_view what, std::uint64_t read_bytes, std::uint64_t file_bytes,
                          std::uint64_t elapsed_ns) {
  const double part =
      file_bytes == 0
          ? 1
          : std::min(1.0, static_cast<double>(read_bytes) / static_cast<double>(file_bytes));
  std::string text = fmt::format("{}: {:.0f}%", what, 100 * part);
  if (part >= 0.02) {
    const double rest_ns = static_cast<double>(elapsed_ns) * (1 - part) / part;
    text += fmt::format(", {} to go", explain::format_duration(rest_ns));
  }
  return text;
}

ReadProgressLine::ReadProgressLine()
    : can_erase_(has_sequences(look_around(STDERR_FILENO))),
      began_ns_(monotonic_ns()),
      shown_ns_(began_ns_) {}

void ReadProgressLine::update(std::uint64_t read_bytes, std::uint64_t file_bytes) {
  if (!can_erase_) return;
  const std::uint64_t now = monotonic_ns();
  if (now - shown_ns_ < kBetweenNs) return;
  show(progress_text(step_, read_bytes, file_bytes, now - began_ns_));
}

void ReadProgressLine::update(std::string_view step, std::uint64_t done_bytes,
                              std::uint64_t all_bytes) {
  if (!can_erase_) return;
  const std::uint64_t now = monotonic_ns();
  const bool is_new = step != step_;
  if (!is_new && now - shown_ns_ < kBetweenNs) return;
  if (is_new) {
    step_ = step;
    began_ns_ = now;
  }
  if (all_bytes != 0) {
    show(progress_text(step_, done_bytes, all_bytes, now - began_ns_));
  } else if (is_new) {
    show(step_);
  }
}

void ReadProgressLine::show(std::string_view text) {
  shown_ns_ = monotonic_ns();
  if (!takes_text()) return;
  is_shown_ = true;
  print_error(fmt::format("\r\x1b[K{}", text));
}

void ReadProgressLine::erase() {
  if (is_shown_ && takes_text()) print_error("\r\x1b[K");
  is_shown_ = false;
}

}  // namespace mini::cli
