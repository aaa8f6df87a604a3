// The reader of a loaded module's tables over hostile memory: must neither crash nor hang.
//
// Input: the image of a module, its dynamic section at the front. It is mapped at a fixed address,
// and addresses in it count from there.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <span>

#include "fuzz_target.h"
#include "inject/dynamic_module.h"
#include "inject/import_binder.h"

namespace {

constexpr std::uint64_t kBias = 0x10000;

class FuzzMemory final : public mini::MemoryReader {
 public:
  explicit FuzzMemory(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}

  std::size_t read(mini::Address from, std::span<std::byte> out) const override {
    if (from.value < kBias || from.value - kBias >= bytes_.size()) return 0;
    const std::uint64_t offset = from.value - kBias;
    const std::size_t count = std::min<std::size_t>(out.size(), bytes_.size() - offset);
    std::memcpy(out.data(), bytes_.data() + offset, count);
    return count;
  }

 private:
  std::span<const std::uint8_t> bytes_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 0x10000) return 0;
  const FuzzMemory memory(std::span(data, size));
  const mini::inject::LoadedModule module{
      .link_map = {}, .bias = kBias, .dynamic = mini::Address{kBias}, .path = ""};
  const mini::inject::Standins standins = {
      {"malloc", {.real = mini::Address{0x1000}, .agent = mini::Address{0x2000}}},
      {"free", {.real = mini::Address{0x3000}, .agent = mini::Address{0x4000}}}};
  mini::inject::find_real_functions({"malloc", "free"}, {module}, memory);
  const auto imports = mini::inject::find_imports(module, standins, memory);
  const auto is_code = [](mini::Address address) { return address.value % 2 != 0; };
  using mini::inject::Direction;
  for (const Direction direction : {Direction::kToAgent, Direction::kToReal}) {
    const auto changes = mini::inject::find_changes(imports, standins, direction, memory, is_code);
    for (const auto& change : changes) {
      if (change.from == change.to) __builtin_trap();
    }
  }
  return 0;
}
