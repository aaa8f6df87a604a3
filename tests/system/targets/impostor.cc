// impostor PID|parent: fills in a slot of the recorder's channel as if it were that process, and
// says that this one waits to be searched for leaks.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "wire/channel.h"

using namespace mini;

static void* map(int file, std::size_t offset, std::size_t bytes) {
  return ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file,
                static_cast<off_t>(offset));
}

int main(int, char** argv) {
  const char* const path = std::getenv(wire::kChannelVariable);
  const int file = path != nullptr ? ::open(path, O_RDWR) : -1;
  auto* const channel = static_cast<wire::Channel*>(map(file, 0, wire::kChannelBytes));
  if (channel == MAP_FAILED) return 1;
  const wire::SlotClaim claim = wire::claim_slot(channel->claims);
  void* const at = map(file, wire::slot_offset(claim.slot), wire::kRingHeadsOffset);
  struct stat status;
  if (at == MAP_FAILED || ::stat("/proc/self/ns/pid", &status) != 0) return 1;
  wire::Slot& slot = *static_cast<wire::Slot*>(at);
  slot.ticket = claim.ticket;
  slot.pid = static_cast<std::uint32_t>(std::strcmp(argv[1], "parent") == 0 ? ::getppid()
                                                                            : std::atoi(argv[1]));
  slot.pid_namespace = status.st_ino;
  slot.end = wire::EndState::kWaitsForSearch;
  channel->claims.words[claim.slot] = wire::slot_word(claim.uses, wire::SlotState::kReady);
  while (slot.end == wire::EndState::kWaitsForSearch) ::sched_yield();
  std::puts("let go");
  return 0;
}
