// A buffer for each processor, which the kernel writes and we read: perf_event_open(2), "MMAP
// layout". An event that is inherited by children can be of one processor only.
#include "kernel/page_fault_watch.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <fmt/format.h>
#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace mini::kernel {
namespace {

constexpr std::size_t kPage = 4096;
// With its head what a user may lock for each processor (kernel.perf_event_mlock_kb).
constexpr std::size_t kDataBytes = std::size_t{512} << 10;

perf_event_attr attributes(bool from_exec_on) {
  perf_event_attr attributes{};
  attributes.size = sizeof attributes;
  attributes.type = PERF_TYPE_SOFTWARE;
  attributes.config = PERF_COUNT_SW_PAGE_FAULTS;
  attributes.sample_period = 1;
  attributes.sample_type = PERF_SAMPLE_IP | PERF_SAMPLE_TID | PERF_SAMPLE_TIME | PERF_SAMPLE_ADDR;
  attributes.exclude_kernel = 1;
  attributes.exclude_hv = 1;
  attributes.inherit = 1;
  attributes.disabled = from_exec_on ? 1 : 0;
  attributes.enable_on_exec = from_exec_on ? 1 : 0;
  attributes.use_clockid = 1;
  attributes.clockid = CLOCK_MONOTONIC;
  return attributes;
}

/// The fields of a sample, in the kernel's order, for that sample_type.
struct Sample {
  perf_event_header header;
  std::uint64_t ip;
  std::uint32_t pid;
  std::uint32_t tid;
  std::uint64_t time;
  std::uint64_t addr;
};
static_assert(sizeof(Sample) == 40);

struct Lost {
  perf_event_header header;
  std::uint64_t id;
  std::uint64_t lost;
};

std::string explain(int error) {
  if (error == EACCES || error == EPERM) {
    return "the system does not permit perf_event_open (kernel.perf_event_paranoid is above 2, or "
           "a container's filter forbids it)";
  }
  if (error == ENOSYS || error == ENOENT) return "this kernel has no perf_event_open";
  return fmt::format("perf_event_open: {}", std::strerror(error));
}

}  // namespace

class PageFaultWatch::Buffer {
 public:
  Buffer(int descriptor, void* memory)
      : descriptor_(descriptor), memory_(static_cast<std::byte*>(memory)) {}
  ~Buffer() {
    ::munmap(memory_, kPage + kDataBytes);
    ::close(descriptor_);
  }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  int descriptor() const { return descriptor_; }

  void read(std::vector<PageFault>& out, std::uint64_t& lost) {
    auto& head = *reinterpret_cast<perf_event_mmap_page*>(memory_);
    const std::uint64_t end = std::atomic_ref(head.data_head).load(std::memory_order_acquire);
    std::uint64_t at = head.data_tail;
    while (end - at >= sizeof(perf_event_header)) {
      perf_event_header header{};
      copy(at, &header, sizeof header);
      if (header.size < sizeof header || header.size > end - at) break;
      if (header.type == PERF_RECORD_SAMPLE && header.size >= sizeof(Sample)) {
        Sample sample{};
        copy(at, &sample, sizeof sample);
        out.push_back({.time_ns = sample.time,
                       .pid = static_cast<pid_t>(sample.pid),
                       .tid = static_cast<pid_t>(sample.tid),
                       .address = Address{sample.addr},
                       .instruction = Address{sample.ip}});
      } else if (header.type == PERF_RECORD_LOST && header.size >= sizeof(Lost)) {
        Lost record{};
        copy(at, &record, sizeof record);
        lost += record.lost;
      }
      at += header.size;
    }
    std::atomic_ref(head.data_tail).store(end, std::memory_order_release);
  }

 private:
  // A record may go on at the buffer's begin.
  void copy(std::uint64_t at, void* out, std::size_t bytes) const {
    const std::size_t offset = at % kDataBytes;
    const std::size_t first = std::min(bytes, kDataBytes - offset);
    std::memcpy(out, memory_ + kPage + offset, first);
    std::memcpy(static_cast<std::byte*>(out) + first, memory_ + kPage, bytes - first);
  }

  int descriptor_;
  std::byte* memory_;
};

PageFaultWatch::PageFaultWatch() = default;

PageFaultWatch::~PageFaultWatch() {
  for (const int descriptor : others_) ::close(descriptor);
}

Result<void> PageFaultWatch::open(pid_t thread, bool from_exec_on) {
  const bool is_first = buffers_.empty();
  const auto processors = static_cast<int>(::sysconf(_SC_NPROCESSORS_CONF));
  std::size_t buffer = 0;
  for (int processor = 0; processor < processors; ++processor) {
    perf_event_attr attributes = kernel::attributes(from_exec_on);
    const auto descriptor = static_cast<int>(
        ::syscall(SYS_perf_event_open, &attributes, thread, processor, -1, PERF_FLAG_FD_CLOEXEC));
    if (descriptor < 0) {
      if (errno == ENODEV) continue;  // a processor that is switched off
      return fail(explain(errno), errno);
    }
    if (!is_first) {
      others_.push_back(descriptor);
      if (buffer == buffers_.size() ||
          ::ioctl(descriptor, PERF_EVENT_IOC_SET_OUTPUT, buffers_[buffer]->descriptor()) != 0) {
        return fail("perf_event_open: the threads' events cannot share a buffer");
      }
      ++buffer;
      continue;
    }
    void* const memory =
        ::mmap(nullptr, kPage + kDataBytes, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    if (memory == MAP_FAILED) {
      const int error = errno;
      ::close(descriptor);
      return fail(explain(error), error);
    }
    buffers_.push_back(std::make_unique<Buffer>(descriptor, memory));
  }
  if (buffers_.empty()) return fail("perf_event_open: no processor can be watched");
  return {};
}

Result<std::unique_ptr<PageFaultWatch>> PageFaultWatch::of_children() {
  std::unique_ptr<PageFaultWatch> watch(new PageFaultWatch);
  if (auto opened = watch->open(0, true); !opened) return std::unexpected(opened.error());
  return watch;
}

Result<std::unique_ptr<PageFaultWatch>> PageFaultWatch::of_threads(std::span<const pid_t> threads) {
  std::unique_ptr<PageFaultWatch> watch(new PageFaultWatch);
  for (const pid_t thread : threads) {
    auto opened = watch->open(thread, false);
    if (opened || opened.error().error_number == ESRCH) continue;  // it has ended
    return std::unexpected(opened.error());
  }
  if (watch->buffers_.empty()) return fail("perf_event_open: its threads have ended", ESRCH);
  return watch;
}

std::vector<PageFault> PageFaultWatch::read() {
  std::vector<PageFault> faults;
  for (const std::unique_ptr<Buffer>& buffer : buffers_) buffer->read(faults, lost_);
  std::ranges::stable_sort(faults, {}, &PageFault::time_ns);
  return faults;
}

}  // namespace mini::kernel
