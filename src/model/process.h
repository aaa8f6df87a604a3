// A process of the story: its address space, the phase it is in, its ledger.
#pragma once

#include <memory>
#include <string>
#include <sys/types.h>

#include "model/address_space.h"
#include "model/cause.h"
#include "model/ledger.h"

namespace mini::model {

struct Process {
  pid_t pid = 0;
  pid_t parent_pid = 0;
  std::string executable;   // path of what it runs now, as maps writes it
  std::string interpreter;  // path of its ELF loader; "" for a static program
  std::string runtime;      // "Go runtime", where the executable's file says so; else ""
  Address entry_point;      // AT_ENTRY: where the loader hands over; 0 unknown
  std::shared_ptr<AddressSpace> space;  // shared between vfork's parent and child until exec
  Phase phase = Phase::kProgramStart;   // advanced by explain/, never goes back but at exec
  bool attached = false;                // joined while running: its start was not seen
  bool break_refused = false;           // malloc's last call was to move the break, in vain
  Ledger ledger;
};

}  // namespace mini::model
