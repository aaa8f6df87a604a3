// Marks what the library shows to programs; exports.map has the same list, and a test compares.
#pragma once

#define MINIMALLOC_EXPORT __attribute__((visibility("default"), used))
