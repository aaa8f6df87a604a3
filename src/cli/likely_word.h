// What was meant by a word that is misspelled.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace mini::cli {

/// The word that `typed` is most likely a slip of: it begins with that, or is at most two letters
/// away that were changed, left out, added or swapped; "" where there is none.
std::string likely_word(std::string_view typed, std::span<const std::string> words);

}  // namespace mini::cli
