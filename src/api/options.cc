// One row an option. Nothing here allocates: it runs before the program does.
#include "alloc/options.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <limits>
#include <sys/auxv.h>
#include <unistd.h>

#include "api/options.h"
#include "api/version.h"
#include "api/writer.h"

namespace mini::api {
namespace {

using alloc::g_options;
using alloc::HugePageUse;
using alloc::WrongSizes;

using Value = std::atomic<std::size_t>;
constexpr std::size_t kByDefault = alloc::Options::kByDefault;

constinit Value g_stats{0};
constinit Value g_verbose{0};

/// A value that has a name.
struct Word {
  const char* text = nullptr;  // null: no more
  std::size_t value = 0;
};
using Words = std::array<Word, 4>;

constexpr Words kOffOrOn = {{{"0", 0}, {"1", 1}}};
constexpr Words kStats = {{{"0", 0}, {"1", 1}, {"all", 2}}};
constexpr Words kAuto = {{{"auto", kByDefault}}};
constexpr Words kHugePages = {{{"auto", static_cast<std::size_t>(HugePageUse::kAuto)},
                               {"never", static_cast<std::size_t>(HugePageUse::kNever)},
                               {"always", static_cast<std::size_t>(HugePageUse::kAlways)}}};
constexpr Words kWrongSizes = {{{"abort", static_cast<std::size_t>(WrongSizes::kAbort)},
                                {"warn", static_cast<std::size_t>(WrongSizes::kWarn)}}};
static_assert(static_cast<std::size_t>(StatsAtExit::kForChildrenToo) == 2);

struct Option {
  const char* name;
  Value* value;
  const Words* words;
  bool takes_size;
  const char* expects;
};

constexpr const char* kSizeOrAuto = "a size such as 512K or 64M, or auto";
constexpr Option kOptions[] = {
    {"STATS", &g_stats, &kStats, false, "0, 1 or all"},
    {"VERBOSE", &g_verbose, &kOffOrOn, false, "0 or 1"},
    {"RETAIN", &g_options.retained_bytes, &kAuto, true, kSizeOrAuto},
    {"THREAD_CACHE", &g_options.thread_cache_bytes, &kAuto, true, kSizeOrAuto},
    {"HUGE_PAGES", &g_options.huge_pages, &kHugePages, false, "auto, never or always"},
    {"WRONG_SIZES", &g_options.wrong_sizes, &kWrongSizes, false, "abort or warn"},
};

constexpr char kPrefix[] = "MINIMALLOC_";
constexpr std::size_t kPrefixLength = sizeof kPrefix - 1;
constexpr std::size_t kMostShown = 100;  // of a variable, in a message

// "64K", "64KiB", "64KB" and "65536" are the same. False for everything else, and what no address
// space can hold.
bool parse_size(const char* text, std::size_t* out) {
  if (*text < '0' || *text > '9') return false;
  std::size_t value = 0;
  for (; *text >= '0' && *text <= '9'; ++text) {
    const auto digit = static_cast<std::size_t>(*text - '0');
    if (__builtin_mul_overflow(value, 10U, &value) ||
        __builtin_add_overflow(value, digit, &value)) {
      return false;
    }
  }
  static constexpr char kUnits[] = "KMGT";
  if (const char* const unit = *text != '\0' ? std::strchr(kUnits, *text) : nullptr) {
    const auto shift = 10U * static_cast<unsigned>(unit - kUnits + 1);
    if (value > std::numeric_limits<std::size_t>::max() >> shift) return false;
    value <<= shift;
    ++text;
    if (*text == 'i' && text[1] == 'B') ++text;
  }
  if (*text == 'B') ++text;
  *out = value;
  return *text == '\0' && value != kByDefault;
}

bool parse_value(const Option& option, const char* text, std::size_t* out) {
  for (const Word& word : *option.words) {
    if (word.text == nullptr || std::strcmp(word.text, text) != 0) continue;
    *out = word.value;
    return true;
  }
  return option.takes_size && parse_size(text, out);
}

const Option* find(const char* name, std::size_t length) {
  for (const Option& option : kOptions) {
    if (std::strncmp(option.name, name, length) == 0 && option.name[length] == '\0') {
      return &option;
    }
  }
  return nullptr;
}

void read_variable(const char* variable) {
  const char* const name = variable + kPrefixLength;
  const std::size_t length = std::strcspn(name, "=");
  if (name[length] == '\0') return;
  const char* const text = name + length + 1;
  const Option* const option = find(name, length);
  std::size_t value = 0;
  if (option != nullptr && parse_value(*option, text, &value)) {
    option->value->store(value, std::memory_order_relaxed);
    return;
  }
  Writer line(STDERR_FILENO);
  line << "minimalloc: ";
  const std::size_t shown = option == nullptr ? kPrefixLength + length : std::strlen(variable);
  line.foreign(variable, std::min(shown, kMostShown));
  if (shown > kMostShown) line << "…";
  if (option == nullptr) {
    line << ": there is no such option";
  } else {
    line << ": it takes " << option->expects;
  }
  line << "; ignored\n";
}

// The option's value as the environment would have it.
const char* value_text(const Option& option, Digits* digits) {
  const std::size_t value = option.value->load(std::memory_order_relaxed);
  for (const Word& word : *option.words) {
    if (word.text != nullptr && word.value == value) return word.text;
  }
  return write_digits(value, digits, false);
}

}  // namespace

StatsAtExit stats_at_exit() {
  return static_cast<StatsAtExit>(g_stats.load(std::memory_order_relaxed));
}

void read_environment(const char* const* environment) {
  if (environment == nullptr || ::getauxval(AT_SECURE) != 0) return;
  for (; *environment != nullptr; ++environment) {
    if (std::strncmp(*environment, kPrefix, kPrefixLength) == 0) read_variable(*environment);
  }
}

int set_option(const char* name, const char* value) {
  const Option* const option = find(name, std::strlen(name));
  if (option == nullptr) return ENOENT;
  std::size_t parsed = 0;
  if (!parse_value(*option, value, &parsed)) return EINVAL;
  option->value->store(parsed, std::memory_order_relaxed);
  return 0;
}

int get_option(const char* name, char* value, std::size_t size) {
  const Option* const option = find(name, std::strlen(name));
  if (option == nullptr) return ENOENT;
  Digits digits;
  const char* const text = value_text(*option, &digits);
  const std::size_t needed = std::strlen(text) + 1;
  if (needed > size) return ERANGE;
  std::memcpy(value, text, needed);
  return 0;
}

void describe_options() {
  if (g_verbose.load(std::memory_order_relaxed) == 0) return;
  Writer line(STDERR_FILENO);
  line << "minimalloc " << kVersion << " serves this program:";
  for (const Option& option : kOptions) {
    Digits digits;
    line << ' ' << option.name << '=' << value_text(option, &digits);
  }
  line << '\n';
}

}  // namespace mini::api
