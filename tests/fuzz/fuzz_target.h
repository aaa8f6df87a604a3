// What every fuzz target defines: libFuzzer calls it, and so does replay_main.cc.
#pragma once

#include <cstddef>
#include <cstdint>

/// Runs the code under test on one input. Returns 0; a failure aborts.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
