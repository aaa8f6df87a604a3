// string_map COUNT: a map from strings to strings, as a service's session store or a compiler's
// symbol table: entries come, change their length and go; 200,000 of them are there at a time.
#include <charconv>
#include <string>
#include <unordered_map>

#include "work_cc.h"

namespace {

constexpr uint32_t kKeys = 400'000;

std::string key_of(uint32_t number) {
  char digits[16];
  const auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
  std::string key = number % 2 == 0 ? "user/" : "session/of/somebody/with/a/longer/name/";
  key.append(digits, end);
  return key;
}

uint64_t run(long count) {
  const Sizes sizes(8, 800);
  std::unordered_map<std::string, std::string> entries;
  Random random;
  uint64_t sum = 0;
  for (long i = 0; i < count; ++i) {
    const std::string key = key_of(random.below(kKeys));
    const auto found = entries.find(key);
    if (found == entries.end()) {
      entries.emplace(key, std::string(sizes.pick(&random), static_cast<char>('a' + i % 26)));
    } else if (random.below(4) != 0) {
      entries.erase(found);
    } else {
      found->second += key;
      sum += found->second.size() * static_cast<unsigned char>(found->second[0]);
    }
  }
  for (const auto& [key, value] : entries) sum += key.size() * value.size();
  return sum;
}

}  // namespace

int main(int argc, char** argv) {
  report_sum("string_map", run(argument(argc, argv, 1)));
  return 0;
}
