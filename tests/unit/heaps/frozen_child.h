// A child of fork that does something to its heap and then stands still, so that its memory can be
// read at leisure: a real glibc, in a state that the test has chosen.
#pragma once

#include <csignal>
#include <cstddef>
#include <functional>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/memory_reader.h"

namespace mini::heaps {

class FrozenChild final : public MemoryReader {
 public:
  /// What the child tells, in memory that both share.
  struct Told {
    std::uint64_t words[64];
  };

  explicit FrozenChild(const std::function<void(Told&)>& work) {
    void* shared =
        mmap(nullptr, sizeof(Told), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    told_ = static_cast<Told*>(shared);
    int ready[2];
    if (pipe(ready) != 0) std::abort();
    pid_ = fork();
    if (pid_ == 0) {
      work(*told_);
      (void)!write(ready[1], "x", 1);
      for (;;) pause();
    }
    char byte = 0;
    (void)!read_byte(ready[0], &byte);
    close(ready[0]);
    close(ready[1]);
  }
  ~FrozenChild() override {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    munmap(told_, sizeof(Told));
  }

  pid_t pid() const { return pid_; }
  Address told(std::size_t i) const { return Address{told_->words[i]}; }

  std::size_t read(Address from, std::span<std::byte> out) const override {
    const iovec local{out.data(), out.size()};
    const iovec remote{reinterpret_cast<void*>(from.value), out.size()};
    const ssize_t count = process_vm_readv(pid_, &local, 1, &remote, 1, 0);
    return count < 0 ? 0 : static_cast<std::size_t>(count);
  }

 private:
  static ssize_t read_byte(int fd, char* byte) { return ::read(fd, byte, 1); }

  pid_t pid_ = 0;
  Told* told_ = nullptr;
};

}  // namespace mini::heaps
