// Names for the frames of a recording that has none for them.
#pragma once

#include "model/heap_profile.h"

namespace mini::sources {

/// A recorder names frames at the end: where it was killed, they are named here from the files of
/// their modules. Those that cannot be are in the profile's losses. Takes no time of a recording
/// that is whole.
void name_frames(model::HeapProfile& profile);

}  // namespace mini::sources
