// What an event of a recording costs: bytes on disk, CPU time to write it, CPU time to read it.
//
//   recording [EVENTS] > table
//
// Each row is a program of threads that keep a number of blocks of mixed sizes and replace them in
// random or in last-in-first-out order, by this machine's malloc: the addresses are real. Times are
// of the whole process, so they include what the kernel does to write.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <fcntl.h>
#include <fmt/format.h>
#include <random>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>
#include <variant>
#include <vector>

#include "recording/reader.h"
#include "recording/writer.h"

namespace {

using namespace mini::recording;

struct Shape {
  const char* name;
  unsigned threads;
  unsigned stacks;
  std::size_t live_blocks;  // of each thread
  std::size_t largest_bytes;
  bool is_nested = false;  // freed in the reverse order of their allocation
};

struct Event {
  std::uint64_t time_ns = 0;
  std::uint64_t address = 0;
  std::uint32_t size = 0;  // 0: a free
  std::uint32_t stack = 0;
  ThreadNumber thread = 0;
};

std::uint64_t now_ns(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 +
         static_cast<std::uint64_t>(now.tv_nsec);
}

class Program {
 public:
  Program(const Shape& shape, ThreadNumber thread, std::size_t events)
      : shape_(shape), thread_(thread), random_(thread), events_(events) {}

  std::vector<Event> run() {
    std::vector<Event> trace;
    trace.reserve(events_ + 1);
    while (trace.size() < events_) {
      if (shape_.is_nested) {
        const std::size_t depth = 1 + random_() % shape_.live_blocks;
        for (std::size_t i = 0; i < depth; ++i) allocate(trace);
        while (!live_.empty()) release(trace, live_.size() - 1);
      } else {
        if (live_.size() >= shape_.live_blocks) release(trace, random_() % live_.size());
        allocate(trace);
      }
    }
    for (void* block : live_) free(block);
    return trace;
  }

 private:
  void allocate(std::vector<Event>& trace) {
    const auto stack = static_cast<std::uint32_t>(1 + random_() % shape_.stacks);
    // Every fourth place asks for one size only.
    const std::uint64_t size = stack % 4 == 0 ? 16 + stack : 1 + random_() % shape_.largest_bytes;
    void* block = malloc(size);
    live_.push_back(block);
    trace.push_back({now_ns(CLOCK_MONOTONIC), reinterpret_cast<std::uint64_t>(block),
                     static_cast<std::uint32_t>(size), stack, thread_});
  }

  void release(std::vector<Event>& trace, std::size_t index) {
    trace.push_back(
        {now_ns(CLOCK_MONOTONIC), reinterpret_cast<std::uint64_t>(live_[index]), 0, 0, thread_});
    free(live_[index]);
    live_[index] = live_.back();
    live_.pop_back();
  }

  const Shape& shape_;
  ThreadNumber thread_;
  std::minstd_rand random_;
  std::size_t events_;
  std::vector<void*> live_;
};

/// In the order of their times, as a recorder hands them over.
std::vector<Event> make_trace(const Shape& shape, std::size_t events) {
  std::vector<std::vector<Event>> traces(shape.threads);
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < shape.threads; ++i) {
    threads.emplace_back([&shape, &traces, i, events] {
      traces[i] = Program(shape, i + 1, events / shape.threads).run();
    });
  }
  std::vector<Event> all;
  for (unsigned i = 0; i < shape.threads; ++i) {
    threads[i].join();
    const std::uint64_t first = traces[i].front().time_ns;  // as if they had begun together
    for (Event& event : traces[i]) event.time_ns -= first;
    all.insert(all.end(), traces[i].begin(), traces[i].end());
  }
  std::stable_sort(all.begin(), all.end(),
                   [](const Event& a, const Event& b) { return a.time_ns < b.time_ns; });
  return all;
}

bool write_trace(const std::vector<Event>& trace, const char* path) {
  const int descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  auto writer = Writer::create(descriptor, {});
  if (!writer) return false;
  for (const Event& event : trace) {
    if (event.size == 0) {
      (*writer)->add(Free{event.time_ns, event.thread, mini::Address{event.address}, 0});
    } else {
      (*writer)->add(Allocation{event.time_ns, event.thread, mini::Address{event.address},
                                event.size, event.stack, CallKind::kMalloc, 0});
    }
  }
  return (*writer)->finish({}).has_value();
}

struct Sum final : Visitor {
  std::uint64_t bytes = 0;
  std::uint64_t addresses = 0;
  void allocation(const Allocation& allocation) override { bytes += allocation.requested_bytes; }
  void free(const Free& free) override { addresses ^= free.address.value; }
};

bool measure(const Shape& shape, std::size_t events) {
  const std::vector<Event> trace = make_trace(shape, events);
  const char* path = "recording_bench.heapspy";
  const std::uint64_t begin = now_ns(CLOCK_PROCESS_CPUTIME_ID);
  if (!write_trace(trace, path)) return false;
  const std::uint64_t written = now_ns(CLOCK_PROCESS_CPUTIME_ID);
  Sum sum;
  const auto summary = read_recording(path, sum);
  const std::uint64_t read = now_ns(CLOCK_PROCESS_CPUTIME_ID);
  struct stat file{};
  stat(path, &file);
  unlink(path);
  if (!summary || summary->allocations + summary->frees != trace.size()) return false;
  const auto count = static_cast<double>(trace.size());
  fmt::print("{:24} {:12} {:12.2f} {:12.1f} {:12.1f}\n", shape.name, trace.size(),
             static_cast<double>(file.st_size) / count,
             static_cast<double>(written - begin) / count,
             static_cast<double>(read - written) / count);
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  const std::size_t events = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 4'000'000;
  constexpr Shape kShapes[] = {
      {"pairs", 1, 40, 1, 1024},
      {"1000 live", 1, 40, 1000, 1024},
      {"10000 live", 1, 40, 10'000, 1024},
      {"4 threads, pairs", 4, 40, 1, 1024},
      {"4 threads, 1000 live", 4, 40, 1000, 1024},
      {"4 threads, 10000 live", 4, 40, 10'000, 1024},
      {"nested", 1, 40, 50, 512, true},
      {"large, 5000 live", 1, 400, 5000, 20'000},
      {"16 threads, 5000 stacks", 16, 5000, 2000, 4096},
  };
  fmt::print("{:24} {:>12} {:>12} {:>12} {:>12}\n", "program", "events", "bytes/event", "write ns",
             "read ns");
  for (const Shape& shape : kShapes) {
    if (!measure(shape, events)) {
      fmt::print(stderr, "{}: cannot be written or read\n", shape.name);
      return 1;
    }
  }
  return 0;
}
