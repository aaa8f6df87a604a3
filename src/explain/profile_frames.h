// The frames of a stack in a heap profile, and which of them is the place in the program that asked
// for memory: the innermost that is neither the allocator nor what stands between it and the
// program (operator new, the containers of the C++ and the Rust library, libc).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/heap_profile.h"

namespace mini::explain {

/// Of a longer stack the innermost frames are shown.
inline constexpr std::size_t kMostFrames = 16384;

/// One function of a stack; pointers into the profile.
struct ProfileFrameView {
  const model::ProfileModule* module = nullptr;
  const model::ProfileFrame* frame = nullptr;
  const model::SourceLine* line = nullptr;  // nullptr where nothing is known of the source
};

struct ProfileStackView {
  std::vector<ProfileFrameView> frames;  // innermost first; empty for the empty stack
  std::size_t place = 0;                 // REQUIRES: !frames.empty()
  bool is_cut = false;                   // longer than any stack that is shown
};

ProfileStackView stack_view(const model::HeapProfile& profile, std::uint32_t node);

/// The same stack from the allocator to its place, which is the last frame then: those behind it
/// need not be looked at.
ProfileStackView way_to_place(const model::HeapProfile& profile, std::uint32_t node);

/// The same of the place alone; nothing of the empty stack.
std::optional<ProfileFrameView> place_of(const model::HeapProfile& profile, std::uint32_t node);

/// Whether a function only passes requests for memory on, by its demangled name.
bool is_allocation_plumbing(std::string_view function);

/// "parse at x.cc:88", "parse in libfoo.so", "libfoo.so+0x1234", "code in no known module, 0x1234".
std::string describe(const ProfileFrameView& frame);

/// The same without the line: "parse at x.cc".
std::string describe_without_line(const ProfileFrameView& frame);

/// The same as describe() with the address, where that is not all there is: "parse in
/// libfoo.so+0x1234", "parse at x.cc:88 (libfoo.so+0x1234)".
std::string describe_exactly(const ProfileFrameView& frame);

/// Of the place; "no stack" for the empty one.
std::string describe_place(const ProfileStackView& stack);
std::string describe_place(const std::optional<ProfileFrameView>& place);

/// A demangled name as it is read: without its parameters and the type that it returns, and long
/// template or generic arguments as "<...>". What is still too long to read loses its middle.
std::string short_function(std::string_view demangled);

}  // namespace mini::explain
