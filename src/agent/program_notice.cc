#include "agent/program_notice.h"

#include <cstdlib>
#include <cstring>
#include <fcntl.h>

#include "agent/patience.h"
#include "agent/session.h"
#include "kernel/vm/shared.h"
#include "kernel/vm/vm.h"

namespace mini::agent {
namespace {

namespace vm = kernel::vm;
using wire::NoticeState;

constexpr std::uint64_t kStepNs = 1'000'000;
constexpr char kUsualPath[] = "/bin:/usr/bin";  // of the C library, where PATH is not set

/// Writes the path of `file` in the next folder of the list, and moves on in it; false where it is
/// too long.
bool write_next(const char*& list, const char* file, char* out, std::size_t room) {
  const std::size_t folder = std::strcspn(list, ":");
  const char* const begin = list;
  list += folder + (list[folder] == ':' ? 1 : 0);
  const std::size_t name = std::strlen(file) + 1;
  if (folder + 1 + name > room) return false;
  out = static_cast<char*>(mempcpy(out, begin, folder));
  if (folder != 0) *out++ = '/';
  std::memcpy(out, file, name);
  return true;
}

wire::ProgramNotice* take_place(wire::NoticeBoard& board) {
  for (wire::ProgramNotice& notice : board.notices) {
    auto free = NoticeState::kFree;
    if (notice.state.compare_exchange_strong(free, NoticeState::kTaken,
                                             std::memory_order_acquire)) {
      return &notice;
    }
  }
  return nullptr;
}

/// The same; where there is none, it waits.
wire::ProgramNotice* wait_for_place(wire::Channel& channel) {
  wire::NoticeBoard& board = channel.board;
  wire::ProgramNotice* place = take_place(board);
  if (place != nullptr) return place;
  Patience patience(kMostWaitNs);
  while (place == nullptr && patience.lasts() && wire::has_reader(channel)) {
    const std::uint32_t written = board.written_count.load(std::memory_order_relaxed);
    vm::wait_shared(reinterpret_cast<std::uint32_t*>(&board.written_count), written, kStepNs);
    place = take_place(board);
  }
  return place;
}

}  // namespace

NextProgram::NextProgram(int folder, const char* path) : channel_(read_channel()) {
  if (channel_ != nullptr && path != nullptr) look(folder, path);
}

NextProgram::NextProgram(const char* file) : channel_(read_channel()) {
  if (channel_ != nullptr && file != nullptr && *file != '\0') find(file);
}

void NextProgram::find(const char* file) {
  if (std::strchr(file, '/') != nullptr) return look(AT_FDCWD, file);
  const char* list = std::getenv("PATH");
  if (list == nullptr) list = kUsualPath;
  for (bool is_last = false; !is_last;) {
    is_last = std::strchr(list, ':') == nullptr;
    if (write_next(list, file, &found_[0], sizeof found_) && vm::will_execute(&found_[0])) {
      return look(AT_FDCWD, &found_[0]);
    }
  }
}

void NextProgram::look(int folder, const char* path) {
  path_ = path;
  file_ = vm::look_at_program(folder, path);
  if (file_.obstacle == PreloadObstacle::kNone && carried_environment().is_out_of_reach) {
    file_.obstacle = PreloadObstacle::kOutOfReach;
  }
  if (*path != '\0' || file_.obstacle == PreloadObstacle::kNone) return;
  found_[vm::open_file_path(folder, &found_[0], sizeof found_ - 1)] = '\0';
  path_ = &found_[0];
}

// In a child of vfork the process is the child, and its parent is who told it.
void NextProgram::announce() {
  if (file_.obstacle == PreloadObstacle::kNone) return;
  notice_ = write(NoticeState::kAnnounced, vm::process_id(), vm::parent_process_id());
}

void NextProgram::take_back() {
  if (notice_ == nullptr) return;
  auto announced = NoticeState::kAnnounced;
  notice_->state.compare_exchange_strong(announced, NoticeState::kFree, std::memory_order_acq_rel);
}

void NextProgram::tell_started(std::uint32_t pid) const {
  if (file_.obstacle != PreloadObstacle::kNone) {
    write(NoticeState::kCertain, pid, vm::process_id());
  }
}

wire::ProgramNotice* NextProgram::write(NoticeState state, std::uint32_t pid,
                                        std::uint32_t parent_pid) const {
  wire::NoticeBoard& board = channel_->board;
  wire::ProgramNotice* const notice = wait_for_place(*channel_);
  if (notice == nullptr) {
    board.lost_count.fetch_add(1, std::memory_order_relaxed);
    return nullptr;
  }
  notice->pid = pid;
  notice->parent_pid = parent_pid;
  notice->obstacle = file_.obstacle;
  notice->device = file_.device;
  notice->inode = file_.inode;
  const std::size_t bytes = strnlen(path_, sizeof notice->path);
  std::memcpy(&notice->path[0], path_, bytes);
  notice->path_bytes = static_cast<std::uint32_t>(bytes);
  notice->state.store(state, std::memory_order_release);
  board.written_count.fetch_add(1, std::memory_order_release);
  ring_doorbell(*channel_);
  return notice;
}

}  // namespace mini::agent
