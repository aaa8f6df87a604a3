// Names of Rust as its own tools print them; hostile ones stay cheap.
#include "unwind/rust_names.h"

#include <gtest/gtest.h>
#include <utility>
#include <vector>

#include "unwind/demangle.h"
#include "unwind/punycode.h"

namespace mini::unwind {
namespace {

constexpr std::size_t kMostBytes = 4096;

using Names = std::vector<std::pair<std::string, std::string>>;

void check(const Names& names) {
  for (const auto& [symbol, name] : names) {
    EXPECT_EQ(rust_name(symbol, kMostBytes), name) << symbol;
    EXPECT_EQ(display_name(symbol), name);
  }
}

std::string legacy(const std::vector<std::string>& identifiers) {
  std::string symbol = "_ZN";
  for (const std::string& identifier : identifiers) {
    symbol += std::to_string(identifier.size()) + identifier;
  }
  return symbol + "17h0123456789abcdefE";
}

TEST(RustNames, OfTheLegacyScheme) {
  check({
      {legacy({"core", "fmt", "Formatter", "pad"}), "core::fmt::Formatter::pad"},
      {legacy({"_$LT$alloc..vec..Vec$LT$T$C$A$GT$$u20$as$u20$core..ops..Drop$GT$", "drop"}),
       "<alloc::vec::Vec<T,A> as core::ops::Drop>::drop"},
      {legacy({"app", "main", "_$u7b$$u7b$closure$u7d$$u7d$"}) + ".llvm.99",
       "app::main::{{closure}}"},
      {legacy({"_$LT$$RF$$BP$$LP$$RP$$SP$$u5b$T$u3b$$u20$N$u5d$$GT$", "f"}), "<&*()@[T; N]>::f"},
      {legacy({"core", "ops", "call$u7b$$u7b$vtable.shim$u7d$$u7d$"}),
       "core::ops::call{{vtable.shim}}"},
      // What looks like a suffix of the compiler's is a module.
      {legacy({"_$LT$app..cold..Cache$u20$as$u20$core..clone..Clone$GT$", "clone"}),
       "<app::cold::Cache as core::clone::Clone>::clone"},
      {legacy({"app", "gr$u6587$_"}), "app::gr\u6587_"},
      {legacy({"app", "a$ud800$b", "$", "$what$"}), "app::a$ud800$b::$::$what$"},
  });
}

TEST(RustNames, OfV0) {
  check({
      {"_RNvNtCslNYArtu3iFV_5alloc5alloc7realloc", "alloc::alloc::realloc"},
      {"_RNvMs4_NtCslNYArtu3iFV_5alloc7raw_vecNtB5_11RawVecInner11finish_growCsduwmD7cSIQq_5gimli",
       "<alloc::raw_vec::RawVecInner>::finish_grow"},
      {"_RNvXs_C3appNtB4_3OddNtNtCs3Xj_4core5clone5Clone5clone",
       "<app::Odd as core::clone::Clone>::clone"},
      {"_RNvYNtC3app5CountNtC4core8Iterator3map", "<app::Count as core::Iterator>::map"},
      {"_RNCNCNgCs6DXkGYLi8lr_2cc5spawns_00B5_", "cc::spawn::{closure#1}::{closure#0}"},
      {"_RNSNvC3app1fs_6vtable", "app::f::{shim:vtable#1}"},
      {"_RINvC1a1fTEThEThtEShAhj4_QhRL_hzE",
       "a::f::<(), (u8,), (u8, u16), [u8], [u8; 4], &mut u8, &u8, !>"},
      {"_RINvC1a1fFG_RL0_hEuFUKCPhOtEmFK14rust_intrinsicEuE",
       "a::f::<for<'a> fn(&'a u8), unsafe extern \"C\" fn(*const u8, *mut u16) -> u32, "
       "extern \"rust-intrinsic\" fn()>"},
      {"_RINvC1a1fDG_INtC1b2FnRL0_hEp1OuNtC1b4SendEL_E",
       "a::f::<dyn for<'a> b::Fn<&'a u8, O = ()> + b::Send>"},
      {"_RINvC1a1fKhb_Ksn98_Kc2202_Kb1_KpKoffffffffffffffffffff_E",
       "a::f::<11, -152, '\u2202', true, _, 0xffffffffffffffffffff>"},
      {"_RNvC1au9gre_6ka8i", "a::gr\u00f6\u00dfe"},
      {"_RNvC1au3xx_", "a::punycode{xx_}"},
      {"_RNvC3app4cold.llvm.99", "app::cold"},
      {"_RNvC3app4load.cold", "app::load"},
  });
}

TEST(RustNames, OthersAreNone) {
  for (const std::string& symbol : {std::string(),
                                    std::string("_R"),
                                    std::string("_REST"),
                                    std::string("_R0NvC1a1f"),
                                    std::string("_RNvC1a"),
                                    std::string("_RNvC1a1fx"),
                                    std::string("_RNvC1a2f"),
                                    std::string("_RNvB_1a"),
                                    std::string("_RNvB9_1a"),
                                    std::string("_RINvC1a1fgE"),
                                    std::string("_RINvC1a1fh"),
                                    std::string("_RINvC1a1fKc110000_E"),
                                    std::string("_RINvC1a1fRL0_hE"),
                                    std::string("_RNvC1a99999999999999999999f"),
                                    std::string("_RNvCszzzzzzzzzzzzz_1a1f"),
                                    std::string("_ZN3app17h0123456789abcdeE"),
                                    std::string("_ZN17h0123456789abcdefE"),
                                    std::string("_ZN3app17h0123456789abcdefEv"),
                                    std::string("_ZN9app17h0123456789abcdefE"),
                                    std::string("_ZN")}) {
    EXPECT_EQ(rust_name(symbol, kMostBytes), std::nullopt) << symbol;
  }
}

std::string base_62(std::size_t value) {
  constexpr std::string_view kDigits =
      "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
  if (value == 0) return "_";
  std::string digits;
  for (--value; digits.empty() || value > 0; value /= 62) digits.insert(0, 1, kDigits[value % 62]);
  return digits + "_";
}

TEST(RustNames, AnEndlessOneIsCut) {
  // Every tuple is the one before it twice: 2^100 bytes and more if all were printed.
  std::string symbol = "INvC1a1f";
  std::size_t last = 0;
  for (int i = 0; i < 100; ++i) {
    const std::size_t begin = symbol.size();
    const std::string reference = i == 0 ? "h" : "B" + base_62(last);
    symbol.append("T").append(reference).append(reference).append("E");
    last = begin;
  }
  const std::string name = display_name("_R" + symbol + "E");
  EXPECT_EQ(name.size(), kMostBytes);
  EXPECT_TRUE(name.starts_with("a::f::<(u8, u8), ((u8, u8), (u8, u8)), (((u8")) << name;
}

TEST(RustNames, ManyStepsThatPrintLittleEnd) {
  // Each path is the one before it and a name without letters.
  constexpr int kPaths = 140;
  std::string symbol = "INvC1a1f";
  std::size_t last = 3;
  for (int i = 0; i < kPaths; ++i) {
    const std::size_t begin = symbol.size();
    symbol += "NvB" + base_62(last) + "0";
    last = begin;
  }
  const auto with_times = [&](int times) {
    std::string references;
    for (int i = 0; i < times; ++i) references += "B" + base_62(last);
    return rust_v0_name(symbol + references + "E", kMostBytes);
  };
  EXPECT_TRUE(with_times(10).value_or("").starts_with("a::f::<a, a, "));
  EXPECT_EQ(with_times(800), std::nullopt);
}

TEST(RustNames, DepthHasABound) {
  for (const std::string_view part : {"S", "R", "T", "Nv", "I", "M", "XC1a", "FE", "DI", "Y"}) {
    std::string symbol = "_RINvC1a1f";
    for (int i = 0; i < 100000; ++i) symbol += part;
    EXPECT_EQ(rust_name(symbol, kMostBytes), std::nullopt) << part;
  }
}

TEST(RustNames, LifetimesHaveABound) {
  EXPECT_EQ(rust_name("_RINvC1a1fFGzzzzzz_EuE", kMostBytes), std::nullopt);
  EXPECT_EQ(rust_name("_RNvMINtC1a1bFGzzzzzz_EuEC1a1c", kMostBytes), std::nullopt);
}

TEST(Punycode, IsDecoded) {
  EXPECT_EQ(from_punycode("gre", "6ka8i"), "gr\u00f6\u00dfe");
  EXPECT_EQ(from_punycode("", "7dv"), "\u6587");
  EXPECT_EQ(from_punycode("__", "7hkackfecea1cbdathfdh9hlq6y"),
            "\u10e1\u10d0\u10ed\u10db\u10d4\u10da\u10d0\u10d3_\u10d2\u10d4\u10db\u10e0\u10d8"
            "\u10d4\u10da\u10d8_\u10e1\u10d0\u10d3\u10d8\u10da\u10d8");
}

TEST(Punycode, WhatIsNoneIsRefused) {
  for (const std::string& digits : {std::string(), std::string("9"), std::string("ABC"),
                                    std::string("99999999999"), std::string(300, 'a')}) {
    EXPECT_EQ(from_punycode("a", digits), std::nullopt) << digits;
  }
  EXPECT_EQ(from_punycode(std::string(129, 'a'), "a"), std::nullopt);
}

}  // namespace
}  // namespace mini::unwind
