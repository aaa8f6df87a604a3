// How a function is seen by programs: exports.map names it too.
#pragma once

// Not inlined, nor into another: capture_caller() speaks of who called it.
#define MINI_EXPORT extern "C" __attribute__((visibility("default"), noinline))
/// Of one that is hardly more than a jump: the processor fetches it at once, from one cache line.
#define MINI_EXPORT_IN_ONE_LINE MINI_EXPORT __attribute__((aligned(64)))
