// Any sequence of operations, with any calls of the kernel refused, on the checked allocator beside
// its reference (tests/support/allocator_model.h).
//
//   input: flags, then operations of a byte each, every one followed by what it needs:
//     action 0 … 15                 which (1)  size (2: exponent and mantissa)  alignment (1)
//     16: refuse kernel calls       mask of kinds (1)  one in so many (1)
//     17: limit what is mapped      MiB beyond what there is (1)
//     18: refuse nothing any more
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>

#include "fuzz_target.h"
#include "support/allocator_model.h"
#include "support/fake_vm.h"
#include "support/random.h"

namespace {

using mini::test::Action;
using mini::test::AllocatorModel;
using mini::test::fake_vm;
using mini::test::kActionCount;
using mini::test::VmCall;

constexpr int kMostOperations = 2000;  // an input takes milliseconds

class Input {
 public:
  explicit Input(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}

  bool empty() const { return bytes_.empty(); }
  /// Zeros after the end.
  std::uint8_t take() {
    if (bytes_.empty()) return 0;
    const std::uint8_t byte = bytes_.front();
    bytes_ = bytes_.subspan(1);
    return byte;
  }
  /// Of any magnitude up to 32 MiB, by two bytes.
  std::size_t take_size() {
    const unsigned exponent = take() % 18;
    return ((std::size_t{1} << exponent) - 1) * 256 / 2 + (std::size_t{take()} << exponent) / 2;
  }

 private:
  std::span<const std::uint8_t> bytes_;
};

void refuse(Input& input) {
  const std::uint8_t kinds = input.take();
  const std::uint32_t one_in = 1U + input.take() % 8;
  fake_vm().fail_where([=](VmCall call, std::uint64_t, std::uint64_t n) {
    const bool of_kind = (kinds >> static_cast<unsigned>(call) & 1) != 0;
    return of_kind && mini::test::Random(n).one_in(one_in);
  });
}

void apply_next(Input& input, AllocatorModel& model) {
  const std::uint32_t code = input.take() % (kActionCount + 3);
  if (code < kActionCount) {
    const std::uint32_t which = input.take();
    const std::size_t bytes = input.take_size();
    model.apply({.action = static_cast<Action>(code),
                 .which = which,
                 .bytes = bytes,
                 .log2_alignment = input.take()});
    return;
  }
  if (code == kActionCount + 2) {
    fake_vm().fail_never();
    fake_vm().limit_mapped(SIZE_MAX);
    model.allow_failure(false);
    return;
  }
  model.allow_failure(true);
  if (code == kActionCount) return refuse(input);
  fake_vm().limit_mapped(fake_vm().mapped_bytes() + (std::size_t{input.take()} << 20));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input input(std::span(data, size));
  try {
    const std::uint8_t flags = input.take();
    AllocatorModel model((flags & 1) != 0);
    fake_vm().set_huge_pages(static_cast<mini::kernel::vm::HugePages>((flags >> 1) % 3));
    for (int i = 0; i < kMostOperations && !input.empty(); ++i) apply_next(input, model);
    fake_vm().fail_never();
    fake_vm().limit_mapped(SIZE_MAX);
    model.allow_failure(false);
    model.finish();
  } catch (const mini::test::ModelError& error) {
    std::fprintf(stderr, "%s\n", error.what());
    std::abort();
  }
  return 0;
}
