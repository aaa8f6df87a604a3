// Writes a recording as long as one likes, to see what its report costs:
//
//   long_recording EVENTS LIVE_BLOCKS FILE
//
// The program that it is of does not exist: it keeps so many blocks, in eight threads and on a
// thousand stacks of ten frames, and replaces them at random.
#include <cstdint>
#include <cstdlib>
#include <fcntl.h>
#include <fmt/format.h>
#include <string>
#include <vector>

#include "recording/writer.h"

namespace {

using namespace mini::recording;

constexpr std::uint32_t kThreads = 8;
constexpr std::uint32_t kStacks = 1000;
constexpr std::uint32_t kFrames = 10;
constexpr std::uint64_t kEventNs = 50;
constexpr std::uint64_t kSampleEvents = 200'000;  // every 10 ms
constexpr std::uint64_t kFirstAddress = 0x5555'0000'0010;
constexpr std::uint64_t kSlotBytes = 1024;

class Program {
 public:
  Program(Writer& writer, std::uint64_t live_blocks) : writer_(writer), sizes_(live_blocks) {
    for (std::uint32_t i = 0; i < kThreads; ++i) {
      threads_.push_back(
          writer.define_thread({.tid = 100 + i, .name = fmt::format("thread {}", i)}));
    }
    const ModuleNumber module =
        writer.define_module({.path = "/bin/program", .build_id = "00", .load_bias = {}});
    for (std::uint32_t i = 0; i < kStacks; ++i) {
      StackNumber stack = 0;
      for (std::uint32_t level = 0; level < kFrames; ++level) {
        const std::uint64_t path = level + 3 < kFrames ? level : i * kFrames + level;
        stack =
            writer.stack(stack, writer.frame({.module = module, .address = 0x1000 + 16 * path}));
      }
      stacks_.push_back(stack);
    }
  }

  void run(std::uint64_t events) {
    while (done_ < events) {
      const std::uint64_t slot = random() % sizes_.size();
      const ThreadNumber thread = threads_[random() % kThreads];
      const mini::Address address{kFirstAddress + slot * kSlotBytes};
      if (sizes_[slot] != 0) {
        writer_.add(Free{.time_ns = next_ns(), .thread = thread, .address = address});
      }
      sizes_[slot] = static_cast<std::uint32_t>(1 + random() % (kSlotBytes - 16));
      writer_.add(Allocation{.time_ns = next_ns(),
                             .thread = thread,
                             .address = address,
                             .requested_bytes = sizes_[slot],
                             .stack = stacks_[random() % kStacks]});
    }
  }

 private:
  std::uint64_t random() {
    state_ = state_ * 6364136223846793005U + 1442695040888963407U;
    return state_ >> 33;
  }
  std::uint64_t next_ns() {
    const std::uint64_t now = done_++ * kEventNs;
    if (done_ % kSampleEvents == 0) {
      const mini::Bytes resident{sizes_.size() * kSlotBytes};
      writer_.add(KernelSample{.time_ns = now, .resident = resident, .peak_resident = resident});
    }
    return now;
  }

  Writer& writer_;
  std::vector<ThreadNumber> threads_;
  std::vector<StackNumber> stacks_;
  std::vector<std::uint32_t> sizes_;  // 0: no block
  std::uint64_t state_ = 1;
  std::uint64_t done_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  const std::uint64_t events = std::strtoull(argv[1], nullptr, 10);
  const std::uint64_t live_blocks = std::strtoull(argv[2], nullptr, 10);
  const int descriptor = ::open(argv[3], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (descriptor < 0 || live_blocks == 0) return 1;
  auto writer = Writer::create(descriptor, {.pid = 1, .executable = "/bin/program"});
  if (!writer) return 1;
  Program(**writer, live_blocks).run(events);
  const Ending ending{.time_ns = events * kEventNs, .kind = Ending::Kind::kExited};
  return (*writer)->finish(ending) ? 0 : 1;
}
