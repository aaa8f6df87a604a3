// What the synthetic workloads in C++ share: the random numbers and sizes of work.h.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

class Random {
 public:
  uint64_t next() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }

  uint32_t below(uint32_t limit) { return static_cast<uint32_t>(((next() >> 32) * limit) >> 32); }

 private:
  uint64_t state_ = 1;
};

// The larger, the rarer.
class Sizes {
 public:
  Sizes(double smallest, double largest) {
    for (size_t i = 0; i < bytes_.size(); ++i) {
      const double part = static_cast<double>(i) / static_cast<double>(bytes_.size() - 1);
      bytes_[i] = static_cast<uint32_t>(smallest * std::pow(largest / smallest, part * part));
    }
  }

  size_t pick(Random* random) const { return bytes_[random->next() % bytes_.size()]; }

 private:
  std::array<uint32_t, 1024> bytes_{};
};

inline long argument(int argc, char** argv, int index) {
  if (index >= argc) {
    std::fputs("too few arguments\n", stderr);
    std::exit(1);
  }
  return std::strtol(argv[index], nullptr, 10);
}

inline void report_sum(const char* workload, uint64_t sum) {
  std::printf("%s %016lx\n", workload, sum);
}
