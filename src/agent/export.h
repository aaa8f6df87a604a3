// How a function is seen by programs: exports.map names it too.
#pragma once

// Not inlined, nor into another: capture_caller() speaks of who called it.
#define MINI_EXPORT extern "C" __attribute__((visibility("default"), noinline))
