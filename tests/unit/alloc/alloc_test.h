// What the allocator's tests have in common: a fresh kernel for each, and pages to begin with.
#pragma once

#include <gtest/gtest.h>
#include <memory>

#include "alloc/backing.h"
#include "support/fake_vm.h"

namespace mini::alloc {

constexpr PageCount pages(std::uint32_t count) {
  return {count};
}
constexpr PageIndex page(std::uint32_t index) {
  return {index};
}

/// A kernel that gives all, at first; everything is unmapped after the test.
class KernelTest : public testing::Test {
 protected:
  KernelTest() { vm().reset(); }
  ~KernelTest() override { vm().reset(); }

  static test::FakeVm& vm() { return test::fake_vm(); }
};

/// With what bins and heaps stand on, its window placed.
class BackingTest : public KernelTest {
 protected:
  BackingTest() { EXPECT_TRUE(backing_->pages.prepare()); }

  Backing& backing() { return *backing_; }
  Window& window() { return backing_->window; }

 private:
  std::unique_ptr<Backing> backing_ = std::make_unique<Backing>();
};

}  // namespace mini::alloc
