// Any words as the command line of `heapspy trace`, a line each: parsed or refused in one line, and
// the command that is left is the end of what was given.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "cli/size.h"
#include "cli/trace_arguments.h"
#include "fuzz_target.h"

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::vector<std::string> words(1);
  for (std::size_t i = 0; i < size && words.size() < 64; ++i) {
    if (data[i] == '\n') {
      words.emplace_back();
    } else if (data[i] != 0) {  // no word of a command line holds one
      words.back() += static_cast<char>(data[i]);
    }
  }
  const auto parsed = mini::cli::parse_trace_arguments(words);
  if (parsed) {
    const auto& command = parsed->command;
    require(command.size() <= words.size());
    require(std::equal(command.rbegin(), command.rend(), words.rbegin()));
    require(parsed->help || (parsed->attach_pid > 0) != !command.empty());
  } else {
    require(!parsed.error().message.empty());
    require(parsed.error().message.find('\n') == std::string::npos);
  }
  for (const std::string& word : words) {
    if (const auto bytes = mini::cli::parse_size(word); !bytes) {
      require(!bytes.error().message.empty());
    }
  }
  return 0;
}
