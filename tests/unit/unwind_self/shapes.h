// Functions whose frames look different, each of which calls back.
#pragma once

#include <cstddef>

namespace mini::unwind::self {

/// What a shape calls in its middle.
struct Next {
  void (*call)(void* context);
  void* context;
};

/// One kind of frame. `size` is for those that choose theirs at run time. The result keeps the
/// compiler from leaving anything out.
using Shape = std::size_t (*)(const Next& next, std::size_t size);

constexpr std::size_t kShapeCount = 10;

namespace shapes_sp {
extern const Shape kShapes[kShapeCount];
}
namespace shapes_bp {
extern const Shape kShapes[kShapeCount];
}

constexpr const char* kShapeNames[kShapeCount] = {
    "plain",   "large",     "alloca",   "variadic",           "realigned",
    "both of", "saves all", "by value", "throws and catches", "inner bp"};

}  // namespace mini::unwind::self
