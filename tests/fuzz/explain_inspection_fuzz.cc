// The JSON reader and what is made of an inspection's JSON: must neither crash nor hang.
#include <string_view>

#include "explain/inspection_diff.h"
#include "fuzz_target.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto facts = mini::explain::read_inspection_facts(text);
  if (!facts) return 0;
  const auto diff = mini::explain::diff_inspections(mini::explain::InspectionFacts(*facts), *facts);
  if (!diff.sizes.empty() || !diff.kinds.empty()) __builtin_trap();
  mini::explain::find_in_inspection_diff(diff);
  return 0;
}
