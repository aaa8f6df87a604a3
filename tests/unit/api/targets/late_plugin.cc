// Asks for more than there is, and expects what the standard says.
#include <cstddef>
#include <new>

extern "C" int catches();

extern "C" int catches() {
  const volatile std::size_t impossible = std::size_t{1} << 62;
  try {
    ::operator delete(::operator new(impossible));
  } catch (const std::bad_alloc&) {
    return 1;
  }
  return 0;
}
