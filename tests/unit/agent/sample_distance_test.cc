// The distances of sampled bytes, and that what is recorded by them stands for all.
#include "agent/sample_distance.h"

#include <cmath>
#include <gtest/gtest.h>
#include <vector>

#include "recording/event.h"

namespace mini::agent {
namespace {

TEST(SampleDistance, TheLogarithmIsThatOfTheLibrary) {
  for (double x = 1; x > 1e-300; x *= 0.7) {
    EXPECT_NEAR(SampleDistance::natural_log(x), std::log(x), 1e-8 * (1 - std::log(x))) << x;
  }
  EXPECT_EQ(SampleDistance::natural_log(1), 0);
}

// Quantiles of the exponential distribution: a share 1 - e^-k is below k times the mean.
TEST(SampleDistance, IsExponentiallyDistributed) {
  SampleDistance distance;
  distance.seed(7);
  constexpr std::uint64_t kMean = 4096;
  constexpr int kDraws = 200'000;
  double sum = 0;
  std::vector<int> below(4);
  for (int i = 0; i < kDraws; ++i) {
    const std::uint64_t bytes = distance.next(kMean);
    ASSERT_GE(bytes, 1U);
    sum += static_cast<double>(bytes);
    for (std::size_t k = 1; k < below.size(); ++k) below[k] += bytes <= k * kMean ? 1 : 0;
  }
  EXPECT_NEAR(sum / kDraws / kMean, 1, 0.01);
  for (std::size_t k = 1; k < below.size(); ++k) {
    EXPECT_NEAR(double{1.0} * below[k] / kDraws, -std::expm1(-static_cast<double>(k)), 0.005) << k;
  }
}

// As ThreadLog does it: the estimate of all bytes, of blocks far below and far above the mean, is
// within four standard errors of the truth.
TEST(SampleDistance, WeightsOfTheSampledEstimateAll) {
  constexpr std::uint64_t kMean = 10'000;
  for (const std::uint64_t size : {16U, 900U, 10'000U, 70'000U}) {
    SampleDistance distance;
    distance.seed(size);
    std::uint64_t left = distance.next(kMean);
    double estimate = 0;
    double variance = 0;
    constexpr int kBlocks = 300'000;
    for (int i = 0; i < kBlocks; ++i) {
      if (size < left) {
        left -= size;
        continue;
      }
      left = distance.next(kMean);
      const auto weight = static_cast<double>(recording::sample_weight(size, kMean));
      estimate += weight;
      variance += weight * weight * (1 - static_cast<double>(size) / weight);
    }
    const double truth = static_cast<double>(size) * kBlocks;
    EXPECT_NEAR(estimate, truth, 4 * std::sqrt(variance) + 1e-4 * truth) << size;
  }
}

// A distance is the number of the byte that the next point is in, from 1 on. Rounded down, it would
// make 1 / mean too many samples: 0.4% with the smallest mean that `--sample` takes.
TEST(SampleDistance, AByteIsAsLikelyToBeTheNextAsAnyOther) {
  constexpr std::uint64_t kMean = 8;
  constexpr int kDraws = 200'000;
  SampleDistance distance;
  distance.seed(7);
  int first = 0;
  double sum = 0;
  for (int i = 0; i < kDraws; ++i) {
    const std::uint64_t bytes = distance.next(kMean);
    ASSERT_GE(bytes, 1U);
    first += bytes == 1 ? 1 : 0;
    sum += static_cast<double>(bytes);
  }
  const double likelihood = -std::expm1(-1.0 / kMean);
  EXPECT_NEAR(static_cast<double>(first) / kDraws, likelihood, 0.005);
  EXPECT_NEAR(sum / kDraws, 1 / likelihood, 0.1);
}

TEST(SampleDistance, WithoutSamplingThereAreNoWeights) {
  EXPECT_EQ(recording::sample_weight(100, 0), 0U);
  EXPECT_EQ(recording::sample_weight(0, 100), 0U);
  EXPECT_EQ(recording::sample_weight(UINT64_MAX, 1), std::uint64_t{1} << 63U);
}

}  // namespace
}  // namespace mini::agent
