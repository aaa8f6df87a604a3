#include "cli/inspect_watch.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <fmt/format.h>
#include <poll.h>
#include <string_view>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "cli/terminal.h"
#include "views/event_facts.h"

namespace mini::cli {
namespace {

/// Signals that end a watch wait until it looks for them, so that nothing is left half done.
class EndSignals {
 public:
  EndSignals() {
    ::sigemptyset(&signals_);
    for (const int signal : kSignals) ::sigaddset(&signals_, signal);
    ::sigprocmask(SIG_BLOCK, &signals_, &before_);
  }
  EndSignals(const EndSignals&) = delete;
  EndSignals& operator=(const EndSignals&) = delete;
  ~EndSignals() { ::sigprocmask(SIG_SETMASK, &before_, nullptr); }

  /// False where one came.
  bool sleep(std::uint64_t ns) {
    const timespec time = timespec_of(ns);
    has_come_ = has_come_ || ::sigtimedwait(&signals_, nullptr, &time) > 0;
    return !has_come_;
  }
  bool has_come() { return !sleep(0); }

 private:
  static constexpr std::array kSignals = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};

  sigset_t signals_{};
  sigset_t before_{};
  bool has_come_ = false;
};

class Screen {
 public:
  Screen(int fd, EndSignals& signals)
      : fd_(fd), signals_(signals), is_terminal_(has_sequences(look_around(fd))) {
    if (is_terminal_) put("\x1b[?1049h\x1b[?25l");
  }
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;
  ~Screen() {
    if (is_terminal_) put("\x1b[?25h\x1b[?1049l");
  }

  /// False where it cannot be written, or the end was asked for while nobody read.
  bool show(const std::string& text) { return put(is_terminal_ ? fitted(text) : text); }
  /// In a view's place; elsewhere on standard error, so that the views can be read by programs.
  bool show_why_not(const std::string& message) {
    if (is_terminal_) return show(complaint("heapspy inspect", message));
    print_complaint("heapspy inspect", message);
    return true;
  }
  /// 0: none.
  int error() const { return error_; }

 private:
  /// As many lines as there are rows, over what was there before; the last one says what is left.
  std::string fitted(std::string_view text) const {
    winsize size{};
    constexpr std::size_t kUsualRows = 24;
    const bool is_known = ::ioctl(fd_, TIOCGWINSZ, &size) == 0 && size.ws_row > 2;
    const std::size_t rows = (is_known ? size.ws_row : kUsualRows) - 1;
    while (!text.empty() && text.front() == '\n') text.remove_prefix(1);
    const auto lines = static_cast<std::size_t>(std::ranges::count(text, '\n'));
    const std::size_t shown = lines > rows ? rows - 1 : lines;
    std::string out = "\x1b[H";
    for (std::size_t line = 0; line < shown; ++line) {
      out += fmt::format("{}\x1b[K\r\n", take_line(text));
    }
    if (lines > shown) {
      out +=
          fmt::format("... {} more lines: a taller window, or no --watch\x1b[K\r\n", lines - shown);
    }
    return out + "\x1b[J";
  }

  /// Whether there is room for PIPE_BUF bytes. It is waited for until the end is asked for.
  bool has_room() {
    constexpr int kBetweenLooksMs = 100;
    pollfd ready{.fd = fd_, .events = POLLOUT, .revents = 0};
    while (::poll(&ready, 1, signals_.has_come() ? 0 : kBetweenLooksMs) != 1) {
      if (signals_.has_come()) return false;
    }
    return true;
  }

  bool put(std::string_view text) {
    while (!text.empty()) {
      if (!has_room()) return false;
      const ssize_t count = ::write(fd_, text.data(), std::min<std::size_t>(text.size(), PIPE_BUF));
      if (count < 0 && (errno == EINTR || errno == EAGAIN)) continue;
      if (count <= 0) {
        error_ = errno;
        return false;
      }
      text.remove_prefix(static_cast<std::size_t>(count));
    }
    return true;
  }

  int fd_;
  EndSignals& signals_;
  bool is_terminal_;
  int error_ = 0;
};

}  // namespace

Result<void> watch(const OutputFile& file, std::uint64_t interval_ns,
                   const std::function<Result<std::string>()>& render,
                   const std::function<bool(const Error&)>& is_end) {
  EndSignals signals;
  auto view = render();
  if (!view) return std::unexpected(view.error());
  Screen screen(file.fd(), signals);
  while (view || !is_end(view.error())) {
    if (!(view ? screen.show(*view) : screen.show_why_not(view.error().message))) {
      if (screen.error() == 0) break;
      return fail(
          fmt::format("cannot write {}: {}", file.name(), views::errno_text(screen.error())));
    }
    if (!signals.sleep(interval_ns)) break;
    view = render();
  }
  return {};
}

}  // namespace mini::cli
