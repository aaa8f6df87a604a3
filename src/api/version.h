#pragma once

namespace mini::api {

inline constexpr char kVersion[] = MINI_VERSION;

}  // namespace mini::api
