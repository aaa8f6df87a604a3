// What operator new does where there is no memory: calls the new-handler as long as there is one,
// then throws std::bad_alloc, or returns null where it was asked not to throw. "alignment": the
// same without the handler, where the alignment is none.
#include <cstdlib>
#include <initializer_list>
#include <new>
#include <sys/resource.h>
#include <sys/wait.h>

#include "expect_cxx.h"

namespace {

constexpr std::size_t kImpossible = ~std::size_t{0} / 2 - 4096;
unsigned handler_calls;

void handler_that_gives_up_after_three() {
  if (++handler_calls == 3) std::set_new_handler(nullptr);
}

struct Refusal {};
void handler_that_throws() {
  ++handler_calls;
  throw Refusal{};
}

// All forms of new, by number.
void* allocate(unsigned form, std::size_t size, std::align_val_t wide = std::align_val_t{128}) {
  switch (form) {
    case 0:
      return ::operator new(size);
    case 1:
      return ::operator new[](size);
    case 2:
      return ::operator new(size, wide);
    case 3:
      return ::operator new[](size, wide);
    case 4:
      return ::operator new(size, std::nothrow);
    case 5:
      return ::operator new[](size, std::nothrow);
    case 6:
      return ::operator new(size, wide, std::nothrow);
    default:
      return ::operator new[](size, wide, std::nothrow);
  }
}
constexpr unsigned kForms = 8;
bool may_throw(unsigned form) {
  return form < 4;
}

void deallocate(unsigned form, void* block) {
  const std::align_val_t wide{128};
  switch (form % 4) {
    case 0:
      ::operator delete(block);
      break;
    case 1:
      ::operator delete[](block);
      break;
    case 2:
      ::operator delete(block, wide);
      break;
    default:
      ::operator delete[](block, wide);
  }
}

void check_failure(unsigned form, unsigned expected_calls, std::size_t size = kImpossible,
                   std::align_val_t wide = std::align_val_t{128}) {
  handler_calls = 0;
  bool thrown = false;
  try {
    EXPECT_WITH(form, allocate(form, opaque(size), wide) == nullptr);
  } catch (const std::bad_alloc&) {
    thrown = true;
  }
  EXPECT_WITH(form, thrown == may_throw(form));
  EXPECT_WITH(handler_calls, handler_calls == expected_calls);
}

// A handler may end the request by an exception of its own making; only one that is no bad_alloc
// gets through the forms that return null: those are noexcept, so it is not tried there.
void check_foreign_exception(unsigned form) {
  handler_calls = 0;
  std::set_new_handler(handler_that_throws);
  bool thrown = false;
  try {
    allocate(form, opaque(kImpossible));
  } catch (const Refusal&) {
    thrown = true;
  }
  std::set_new_handler(nullptr);
  EXPECT_WITH(form, thrown);
  EXPECT(handler_calls == 1);
}

void handler_that_raises_the_limit() {
  ++handler_calls;
  rlimit limit{};
  getrlimit(RLIMIT_AS, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_AS, &limit);
}

// The point of a new-handler: it finds memory, and the request succeeds.
void check_retry(unsigned form) {
  constexpr std::size_t kSize = std::size_t{2} << 30;
  rlimit limit{};
  getrlimit(RLIMIT_AS, &limit);
  limit.rlim_cur = kSize;
  EXPECT(setrlimit(RLIMIT_AS, &limit) == 0);
  handler_calls = 0;
  std::set_new_handler(handler_that_raises_the_limit);
  void* block = allocate(form, opaque(kSize));
  std::set_new_handler(nullptr);
  EXPECT_WITH(form, block != nullptr);
  EXPECT_WITH(handler_calls, handler_calls == 1);
  deallocate(form, block);
}

// In a child: an allocator may keep the room that an earlier form was given.
void check_retry_in_child(unsigned form) {
  const pid_t child = fork();
  if (child == 0) {
    check_retry(form);
    _exit(0);
  }
  int status = -1;
  EXPECT(waitpid(child, &status, 0) == child);
  EXPECT_WITH(status, status == 0);
}

struct Big {
  char bytes[1 << 20];
};

void check_array_length() {
  bool thrown = false;
  try {
    delete[] new Big[opaque(~std::size_t{0} / sizeof(Big) + 2)];
  } catch (const std::bad_array_new_length&) {
    thrown = true;
  }
  EXPECT(thrown);
  EXPECT(new (std::nothrow) Big[opaque(std::size_t{1} << 41)] == nullptr);
}

// No handler can help where an alignment is no power of two.
int check_alignments() {
  std::set_new_handler(handler_that_gives_up_after_three);
  for (const std::size_t alignment : {0UL, 3UL, 24UL, 5000UL, (1UL << 20) + 16}) {
    for (const unsigned form : {2U, 3U, 6U, 7U}) {
      check_failure(form, 0, 40, std::align_val_t{alignment});
      check_failure(form, 0, 100'000, std::align_val_t{alignment});
    }
  }
  return ok();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1 && std::strcmp(argv[1], "alignment") == 0) return check_alignments();
  for (unsigned form = 0; form < kForms; ++form) {
    check_failure(form, 0);
    std::set_new_handler(handler_that_gives_up_after_three);
    check_failure(form, 3);
    check_retry_in_child(form);
    if (may_throw(form)) check_foreign_exception(form);
  }
  check_array_length();
  return ok();
}
