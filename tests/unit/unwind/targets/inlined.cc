// Stops inside functions that the compiler was made to inline. The lines named LINE_* are what the
// test expects.
#include <csignal>
#include <cstdio>

namespace shapes {

static volatile int sink;

struct Circle {
  [[gnu::noinline]] int draw(int radius) const;
};

[[gnu::always_inline]] inline void innermost() {
  raise(SIGSTOP);  // LINE_INNERMOST
  sink = 1;
}

template <typename T>
[[gnu::always_inline]] inline void middle(T value) {
  sink = static_cast<int>(value);
  innermost();  // LINE_MIDDLE
  sink = 2;
}

int Circle::draw(int radius) const {
  middle<long>(radius);  // LINE_DRAW
  return sink;
}

}  // namespace shapes

int main() {
  std::printf("end\n");
  std::fflush(stdout);
  const int drawn = shapes::Circle().draw(3);  // LINE_MAIN
  return drawn + shapes::sink;
}
