// The operations of a DWARF expression, from its bytes.
#pragma once

#include <vector>

#include "base/byte_cursor.h"
#include "unwind/expression.h"

namespace mini::unwind {

/// Puts the operations of `bytes` behind those that are there. False where the bytes end within
/// one, there are too many, or evaluate() does not know one.
bool append_operations(ByteRange bytes, std::vector<Operation>* operations);

}  // namespace mini::unwind
