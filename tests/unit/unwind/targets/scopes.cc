// Stops inside inlined functions that have no name for the linker where GCC compiled them.
#include <csignal>

namespace app {
namespace {

volatile int sink;

struct Cache {
  template <typename T>
  [[gnu::always_inline]] void put(T value) {
    raise(SIGSTOP);
    sink = static_cast<int>(value);
  }
  [[gnu::always_inline]] void add(int value);
};

inline void Cache::add(int value) {
  put<long>(value);
  sink = 2;
}

}  // namespace

[[gnu::always_inline]] static inline void fill(Cache& cache) {
  struct Filler {
    [[gnu::always_inline]] static void run(Cache& into) {
      into.add(1);
      sink = 3;
    }
  };
  const auto twice = [&cache](int times) __attribute__((always_inline)) {
    Filler::run(cache);
    sink = times;
  };
  twice(2);
  sink = 4;
}

}  // namespace app

extern "C" {
[[gnu::always_inline]] static inline void plain(app::Cache& cache) {
  app::fill(cache);
  app::sink = 5;
}
}

int main() {
  app::Cache cache;
  plain(cache);
  return app::sink;
}
