#include "explain/rust_functions.h"

#include <gtest/gtest.h>

namespace mini::explain {
namespace {

TEST(RustFunctions, OfTheLibrary) {
  for (const char* name : {
           "alloc::alloc::realloc",
           "alloc::vec::Vec<T,A>::push",
           "alloc::slice::<impl [T]>::into_vec",
           "<alloc::vec::Vec<app::Name>>::push",
           "<alloc::vec::Vec<app::Name> as core::clone::Clone>::clone",
           "<[app::Name]>::to_vec",
           "<[u8] as alloc::borrow::ToOwned>::to_owned",
           "<(app::Name, u8) as alloc::vec::spec_from_elem::SpecFromElem>::from_elem::<alloc::A>",
           "<T as alloc::slice::<impl [T]>::to_vec_in::ConvertVec>::to_vec",
           "<u8 as <[_]>::to_vec_in::ConvertVec>::to_vec::<alloc::alloc::Global>",
           "<&mut alloc::string::String as core::fmt::Write>::write_fmt",
           "<fn() -> alloc::string::String as core::ops::function::FnOnce<()>>::call_once",
           "<<alloc::boxed::Box<str> as core::convert::From<&str>>::from as core::FnOnce>::call",
           "core::iter::adapters::map::map_fold::<u8, (), app::main::{closure#0}>::{closure#0}",
           "std::thread::functions::spawn::<app::main::{closure#2}, fn(u8)>",
           "hashbrown::raw::RawTableInner::resize_inner",
           "<hashbrown::raw::RawTable<(usize, app::Name)>>::reserve_rehash",
           "__rust_alloc",
           "__rustc::__rust_realloc",
           "__rdl_alloc",
           "<app::Counting as core::alloc::global::GlobalAlloc>::alloc",
       }) {
    EXPECT_TRUE(is_rust_library_function(name)) << name;
  }
}

TEST(RustFunctions, OfAProgram) {
  for (const char* name : {
           "",
           "main",
           "malloc",
           "app::main",
           "app::keep::<alloc::vec::Vec<u8>>",
           "app::main::{closure#0}",
           "<app::Name>::new",
           "<dyn app::Keep>::both",
           "<app::Name as core::clone::Clone>::clone",
           "<&app::Names as core::iter::IntoIterator>::into_iter",
           "<alloc::vec::Vec<u32> as app::Keep>::keep",
           "<[T; N] as app::Keep>::keep",
           "app::names::<impl core::fmt::Display for alloc::vec::Vec<T>>::fmt",
           "alloc_pages",
           "allocator::take",
           "core",
           // A namespace of C++.
           "core::Engine::load(char const*)",
           "core::Engine::size() const",
           "alloc::Arena::take[abi:cxx11]() const [clone .cold]",
           "<lambda()>",
           "<lambda(int)>",
           "<",
           "<<>",
           "<a as ",
           "<x>>>",
       }) {
    EXPECT_FALSE(is_rust_library_function(name)) << name;
  }
}

TEST(RustFunctions, FilesOfTheLibrary) {
  for (const char* file :
       {"/rustc/59807616e1fa2540/library/alloc/src/vec/mod.rs",
        "/usr/src/rustc-1.63.0/library/core/src/iter/traits/iterator.rs",
        "/home/me/.rustup/toolchains/stable/lib/rustlib/src/rust/library/std/src/rt.rs"}) {
    EXPECT_TRUE(is_rust_library_file(file)) << file;
  }
  for (const char* file : {"", "src/main.rs", "/home/me/library/src/lib.rs", "/rustc/a/src/x.rs",
                           "/rustc/59807616e1fa2540/library/alloc.c"}) {
    EXPECT_FALSE(is_rust_library_file(file)) << file;
  }
}

}  // namespace
}  // namespace mini::explain
