// Connecting: the channel's path comes from the environment the first time, and is kept for
// children that clear theirs.
#include "agent/session.h"

#include <cstring>
#include <unistd.h>

#include "agent/door.h"
#include "agent/guard.h"
#include "agent/library_order.h"
#include "agent/patience.h"
#include "agent/sampled_blocks.h"
#include "kernel/vm/shared.h"
#include "kernel/vm/vm.h"
#include "unwind/self/loader_index.h"
#include "wire/attach.h"

namespace mini::agent {
namespace {

namespace vm = kernel::vm;

constexpr std::uint64_t kWaitForRingNs = 5'000'000;

constinit std::atomic<Session*> g_session{nullptr};
constinit char g_channel_path[wire::kMostChannelPathBytes] = {};
constinit char g_agent_path[1024] = {};
constinit std::atomic<wire::Channel*> g_channel{nullptr};  // a child of fork has it too
constinit std::atomic<bool> g_has_begun{false};    // this process, or the one that it is a copy of
constinit std::atomic<std::uint64_t> g_origin{0};  // of a child: [ serial: 32 ][ fork: 32 ]
constinit std::atomic<bool> g_is_watched{true};    // false: there is no channel for this program
constinit std::atomic<std::uint32_t> g_roomless_pid{0};  // who counted itself as one without room

std::uint32_t* word_of(std::atomic<std::uint32_t>& word) {
  return reinterpret_cast<std::uint32_t*>(&word);
}

// A child of fork has the pointer, and finds an empty set.
bool make_sampled_blocks() {
  if (sampled_blocks() != nullptr) return true;
  void* const memory = vm::map_wiped_on_fork(sizeof(SampledBlocks));
  if (memory == nullptr) return false;
  g_sampled_blocks.store(static_cast<SampledBlocks*>(memory), std::memory_order_release);
  return true;
}

// As the loader has it, once: programs get the agent by it, and what led to a recorder that is gone
// is taken from environments. Not as the channel might say, where all that are recorded write: what
// a process wrote that has dropped its rights, the others would load.
void take_own_path() {
  if (g_agent_path[0] != '\0') return;
  unwind::self::LoaderObject own;
  const auto answer =
      unwind::self::ask_loader_index(reinterpret_cast<std::uintptr_t>(&take_own_path), &own);
  if (answer != unwind::self::LoaderAnswer::kModule) own.path = own_path();
  const std::size_t bytes = std::strlen(own.path) + 1;
  if (bytes <= sizeof g_agent_path) std::memcpy(&g_agent_path[0], own.path, bytes);
}

// False where the environment is not there yet.
bool find_channel_path() {
  if (g_channel_path[0] != '\0') return true;
  if (environ == nullptr) return false;
  constexpr std::size_t kNameBytes = sizeof wire::kChannelVariable - 1;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    const char* const text = *variable;
    if (std::strncmp(text, wire::kChannelVariable, kNameBytes) != 0 || text[kNameBytes] != '=')
      continue;
    const char* const path = text + kNameBytes + 1;
    const std::size_t bytes = std::strlen(path) + 1;
    if (bytes <= wire::kMostChannelPathBytes) std::memcpy(g_channel_path, path, bytes);
    break;
  }
  if (g_channel_path[0] == '\0') g_is_watched.store(false, std::memory_order_relaxed);
  return g_channel_path[0] != '\0';
}

}  // namespace

// The channel has the name that it is opened by only as long as its recorder lives.
Carried carried_environment() {
  if (g_agent_path[0] == '\0') return {};
  const Session* const session = g_session.load(std::memory_order_acquire);
  const bool is_lost = session != nullptr && session->has_lost_recorder();
  Carried carried{.agent = &g_agent_path[0], .own_channel = &g_channel_path[0]};
  wire::Channel* const channel = is_lost ? nullptr : read_channel();
  if (channel == nullptr) return carried;
  carried.has_recorder = find_door(*channel, &g_channel_path[0], carried.user_channel) &&
                         vm::will_read(&g_agent_path[0]);
  carried.is_out_of_reach = !carried.has_recorder;
  return carried;
}

wire::Channel* read_channel() {
  wire::Channel* const channel = g_channel.load(std::memory_order_acquire);
  return channel != nullptr && wire::has_reader(*channel) ? channel : nullptr;
}

void announce_child() {
  if (wire::Channel* const channel = read_channel()) {
    channel->has_children.store(1, std::memory_order_release);
  }
}

void count_roomless() {
  wire::Channel* const channel = g_channel.load(std::memory_order_acquire);
  if (channel == nullptr) return;
  channel->claims.roomless.fetch_add(1, std::memory_order_relaxed);
  g_roomless_pid.store(vm::process_id(), std::memory_order_relaxed);
}

// A child of fork or vfork finds its parent's number.
bool take_back_roomless() {
  wire::Channel* const channel = g_channel.load(std::memory_order_acquire);
  const std::uint32_t pid = g_roomless_pid.load(std::memory_order_relaxed);
  if (channel == nullptr || pid == 0 || pid != vm::process_id()) return false;
  channel->claims.roomless.fetch_sub(1, std::memory_order_relaxed);
  return true;
}

void ring_doorbell(wire::Channel& channel) {
  channel.doorbell.fetch_add(1, std::memory_order_release);
  // One wakes it: until it runs it is asleep to all who ring meanwhile, and a wake is a system
  // call.
  if (channel.is_asleep.load(std::memory_order_acquire) != 0 &&
      channel.is_asleep.exchange(0, std::memory_order_acq_rel) != 0) {
    vm::wake_shared(word_of(channel.doorbell));
  }
}

Session* Session::current() {
  Session* session = g_session.load(std::memory_order_acquire);
  if (session == nullptr) [[unlikely]] {
    if (!g_is_watched.load(std::memory_order_relaxed) || !find_channel_path()) return nullptr;
    auto* const fresh = static_cast<Session*>(vm::map_wiped_on_fork(sizeof(Session)));
    if (fresh == nullptr) return nullptr;
    if (g_session.compare_exchange_strong(session, fresh, std::memory_order_acq_rel)) {
      session = fresh;
    } else {
      vm::unmap(fresh, sizeof(Session));
    }
  }
  const State state = session->state_.load(std::memory_order_acquire);
  if (state == State::kReady) [[likely]]
    return session;
  return state != State::kClosed && session->connect() ? session : nullptr;
}

bool Session::renew(const char* path) {
  Session* const before = g_session.load(std::memory_order_acquire);
  if (before != nullptr && before->is_read()) return false;
  auto* const fresh = static_cast<Session*>(vm::map_wiped_on_fork(sizeof(Session)));
  if (fresh == nullptr) return true;  // then there is no session, as current() will say
  std::memcpy(g_channel_path, path, std::strlen(path) + 1);
  g_is_watched.store(true, std::memory_order_relaxed);
  // Its blocks are not this recording's.
  g_sampled_blocks.store(&g_no_sampled_blocks, std::memory_order_release);
  g_origin.store(0, std::memory_order_relaxed);
  g_roomless_pid.store(0, std::memory_order_relaxed);
  g_channel.store(nullptr, std::memory_order_relaxed);
  g_session.store(fresh, std::memory_order_release);
  if (before != nullptr) before->close();
  return true;
}

Coverage Session::coverage() const {
  return settings_.sample_bytes != 0 ? Coverage::kSample : Coverage::kAll;
}

bool Session::has_lost_recorder() const {
  const State state = state_.load(std::memory_order_acquire);
  const bool is_mapped = state == State::kReady || (state == State::kClosed && channel_ != nullptr);
  return is_mapped && !wire::has_reader(*channel_);
}

bool Session::is_read() const {
  return state_.load(std::memory_order_acquire) == State::kReady && wire::has_reader(*channel_);
}

Session* Session::if_connected() {
  Session* const session = g_session.load(std::memory_order_acquire);
  if (session == nullptr) return nullptr;
  return session->state_.load(std::memory_order_acquire) == State::kReady ? session : nullptr;
}

bool Session::connect() {
  State state = State::kNew;
  if (state_.compare_exchange_strong(state, State::kConnecting, std::memory_order_acquire)) {
    state = open() ? State::kReady : State::kClosed;
    state_.store(state, std::memory_order_release);
    if (state == State::kClosed) stop_recording();
  }
  while (state == State::kConnecting) {
    vm::nap();
    state = state_.load(std::memory_order_acquire);
  }
  return state == State::kReady;
}

// A copy may be in a sandbox by now that ends it for opening files.
std::byte* Session::map_slot(std::uint32_t number, bool is_copy) const {
  const std::uint64_t offset = wire::slot_offset(number);
  void* slot = is_copy ? vm::map_more(channel_, offset, wire::kSlotBytes) : nullptr;
  if (slot == nullptr) slot = vm::map_shared(g_channel_path, offset, wire::kSlotBytes);
  if (slot == nullptr) slot = vm::map_more(channel_, offset, wire::kSlotBytes);
  return static_cast<std::byte*>(slot);
}

// What a copy is the recorder knows by whom it is a copy of: nothing is asked for that a sandbox
// may forbid.
void Session::describe_process(wire::Slot& slot, bool is_copy) {
  slot.pid = vm::process_id();
  slot.pid_namespace = vm::pid_namespace();
  slot.is_forked = is_copy ? 1 : 0;
  slot.has_own_malloc = program_has_function("malloc") ? 1 : 0;
  if (is_copy) {
    const std::uint64_t origin = g_origin.load(std::memory_order_relaxed);
    slot.origin = static_cast<std::uint32_t>(origin >> 32);
    slot.origin_fork = static_cast<std::uint32_t>(origin);
    if (slot.origin != 0) return;
  }
  slot.parent_pid = vm::parent_process_id();
  slot.executable_bytes =
      static_cast<std::uint32_t>(vm::executable_path(&slot.executable[0], sizeof slot.executable));
  slot.command_bytes =
      static_cast<std::uint32_t>(vm::command_line(&slot.command[0], sizeof slot.command));
}

// A process that is another user by now, or in another root directory, may not open the channel by
// its path any more: what it has inherited leads there too.
bool Session::open() {
  wire::Channel* const inherited = g_channel.load(std::memory_order_acquire);
  channel_ =
      inherited != nullptr
          ? inherited
          : static_cast<wire::Channel*>(vm::map_inherited(g_channel_path, 0, wire::kChannelBytes));
  if (channel_ == nullptr) {
    take_own_path();
    return false;
  }
  settings_ = channel_->settings;
  if (channel_->magic != wire::kMagic || !wire::has_reader(*channel_)) return false;
  g_channel.store(channel_, std::memory_order_release);
  if (settings_.leads_programs != 0) {
    take_own_path();
  } else {
    g_agent_path[0] = '\0';
  }
  set_coverage(coverage());
  const auto has_no_room = [] {
    count_roomless();
    return false;
  };
  if (settings_.sample_bytes != 0 && !make_sampled_blocks()) return has_no_room();
  const wire::SlotClaim claim = wire::claim_slot(channel_->claims);
  if (claim.slot == wire::kSlots) return false;
  std::atomic<std::uint32_t>& word = channel_->claims.words[claim.slot];
  const bool is_copy = g_has_begun.exchange(true, std::memory_order_relaxed);
  slot_.begin = map_slot(claim.slot, is_copy);
  if (slot_.begin == nullptr) {
    word.store(wire::slot_word(claim.uses, wire::SlotState::kFree), std::memory_order_release);
    return has_no_room();
  }
  slot_.slot().ticket = claim.ticket;
  describe_process(slot_.slot(), is_copy);
  serial_ = wire::slot_serial(claim.slot, claim.uses);
  word.store(wire::slot_word(claim.uses, wire::SlotState::kReady), std::memory_order_release);
  ring_doorbell();
  return true;
}

std::uint32_t Session::begin_fork() {
  if (!is_open()) return 0;
  const std::uint32_t number = forks_count_.fetch_add(1, std::memory_order_relaxed) + 1;
  g_origin.store(std::uint64_t{serial_} << 32 | number, std::memory_order_relaxed);
  return number;
}

// One that the fork did not wipe, since some thread was in the middle of a record.
void Session::forget_original() {
  Session* const session = g_session.load(std::memory_order_acquire);
  if (session == nullptr || session->state_.load(std::memory_order_acquire) == State::kNew) return;
  g_session.store(nullptr, std::memory_order_release);
  g_origin.store(0, std::memory_order_relaxed);  // that fork was not told of
}

// Nobody reads what is in the slot: its memory is given back, and what a thread may still write
// there gets new pages of zeros.
void Session::close() {
  const State before = state_.exchange(State::kClosed, std::memory_order_acq_rel);
  if (before == State::kReady) vm::discard_shared(slot_.begin, wire::kSlotBytes);
}

void Session::lose_recorder() {
  close();
  stop_recording();
}

// Another recording may have begun meanwhile, and have set its coverage before this one did.
void Session::stop_recording() {
  set_coverage(Coverage::kNothing);
  if (g_session.load(std::memory_order_acquire) == this) return;
  if (const Session* const other = current()) set_coverage(other->coverage());
}

bool Session::take_ring(std::uint32_t* ring) {
  return find_ring(ring) || wait_for_ring(ring);
}

// Threads that ended without a word have theirs still. What a thread frees when it was told to have
// ended, as the C library does, makes it one of these.
bool Session::wait_for_ring(std::uint32_t* ring) {
  constexpr int kMostTries = 3;  // each finds those of threads that ended meanwhile
  constexpr std::uint64_t kRestNs = 1'000'000'000;
  const auto rest_until = [this](std::uint64_t ns) {
    no_ring_until_ns_.store(ns, std::memory_order_relaxed);
    return false;
  };
  const std::uint64_t begin = vm::now_ns();
  if (begin < no_ring_until_ns_.load(std::memory_order_relaxed)) return false;
  std::atomic<std::uint32_t>& wanted = slot_.slot().rings_wanted;
  Patience patience(kMostWaitNs);
  for (int i = 0; i < kMostTries; ++i) {
    wanted.store(1, std::memory_order_release);
    ring_doorbell();
    if (settings_.overflow == wire::Overflow::kDrop) return rest_until(begin + kWaitForRingNs);
    while (wanted.load(std::memory_order_acquire) != 0 && wire::has_reader(*channel_) &&
           patience.lasts()) {
      vm::wait_shared(word_of(wanted), 1, kWaitForRingNs);
    }
    if (find_ring(ring)) return true;
  }
  return rest_until(vm::now_ns() + kRestNs);
}

bool Session::find_ring(std::uint32_t* ring) {
  wire::Slot& slot = slot_.slot();
  const auto take = [&](std::uint32_t number) {
    auto state = wire::RingState::kFree;
    *ring = number;
    return slot_.ring(number).state.compare_exchange_strong(state, wire::RingState::kOwned,
                                                            std::memory_order_acquire);
  };
  const std::uint32_t taken = slot.rings_taken.load(std::memory_order_relaxed);
  if (*ring < taken && *ring < wire::kRings && take(*ring)) return true;
  for (std::uint32_t i = 0; i < taken && i < wire::kRings; ++i) {
    if (take(i)) return true;
  }
  // Whoever looks for a free one may find a new one before the thread that it was for.
  while (true) {
    const std::uint32_t number = slot.rings_taken.fetch_add(1, std::memory_order_relaxed);
    if (number >= wire::kRings) break;
    if (take(number)) return true;
  }
  slot.rings_taken.store(wire::kRings, std::memory_order_relaxed);
  return false;
}

bool Session::was_told(std::uintptr_t begin, std::uint64_t identity) const {
  const std::uint32_t count = modules_count_.load(std::memory_order_acquire);
  for (std::uint32_t i = 0; i < count && i < kMostModules; ++i) {
    if (modules_[i].begin.load(std::memory_order_acquire) == begin &&
        modules_[i].identity.load(std::memory_order_relaxed) == identity) {
      return true;
    }
  }
  return false;
}

// Two threads may tell of the same module at once: that does no harm.
void Session::set_told(std::uintptr_t begin, std::uint64_t identity) {
  std::uint32_t place = 0;
  std::uint32_t count = modules_count_.load(std::memory_order_acquire);
  for (; place < kMostModules; ++place) {
    if (place == count && modules_count_.compare_exchange_strong(count, place + 1)) ++count;
    std::uintptr_t free = 0;
    if (modules_[place].begin.compare_exchange_strong(free, kTaken, std::memory_order_acquire)) {
      modules_[place].identity.store(identity, std::memory_order_relaxed);
      return modules_[place].begin.store(begin, std::memory_order_release);
    }
  }
  modules_count_.store(kMostModules + 1, std::memory_order_release);
}

}  // namespace mini::agent
