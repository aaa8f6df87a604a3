// Throws through frames that allocate, in several threads at once, and counts what it asked for.
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {

constexpr int kThreads = 4;
constexpr int kRounds = 500;
constexpr int kDepth = 20;
constexpr std::size_t kBytes = 40;

std::atomic<unsigned long> blocks{0};

class Block {
 public:
  Block() : memory_(std::malloc(kBytes)) { ++blocks; }
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;
  ~Block() { std::free(memory_); }

 private:
  void* volatile memory_;
};

__attribute__((noinline)) int throws_in_depth(int depth) {
  const Block block;
  if (depth == 0) throw std::runtime_error("from the bottom");
  return throws_in_depth(depth - 1) + 1;
}

__attribute__((noinline)) unsigned long catches() {
  unsigned long caught = 0;
  for (int i = 0; i < kRounds; ++i) {
    try {
      throws_in_depth(i % kDepth);
    } catch (const std::runtime_error& error) {
      const Block block;
      caught += std::string(error.what()).size() == 15 ? 1U : 0U;
    }
  }
  return caught;
}

}  // namespace

int main() {
  std::atomic<unsigned long> caught{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) threads.emplace_back([&caught] { caught += catches(); });
  for (std::thread& thread : threads) thread.join();
  std::printf("caught: %lu\nblocks: %lu\nbytes: %lu\n", caught.load(), blocks.load(),
              blocks.load() * kBytes);
  return 0;
}
