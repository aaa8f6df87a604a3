# The warnings every target of ours is built with. They are errors with the compilers that continuous
# integration builds with; another compiler's new warning must not keep anybody from building.
set(warnings_are_errors OFF)
if((CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13) OR
   (CMAKE_CXX_COMPILER_ID STREQUAL "Clang" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 20))
  set(warnings_are_errors ON)
endif()
option(MINI_WARNINGS_AS_ERRORS "Let every warning stop the build" ${warnings_are_errors})

add_library(mini_warnings INTERFACE)
target_compile_options(mini_warnings INTERFACE
  -Wall -Wextra -Wpedantic $<$<BOOL:${MINI_WARNINGS_AS_ERRORS}>:-Werror>
  -Wconversion -Wsign-conversion -Wshadow -Wundef -Wcast-align -Wcast-qual
  -Wformat=2 -Wimplicit-fallthrough -Wmissing-declarations
  -Wpointer-arith -Wswitch-enum -Wvla -Wwrite-strings
  $<$<COMPILE_LANGUAGE:CXX>:-Wnon-virtual-dtor;-Woverloaded-virtual;-Wold-style-cast;-Wextra-semi;-Wdeprecated-copy-dtor;-Wsuggest-override>
  # GCC 12 reports std::string::insert itself (GCC bug 105651).
  $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>
  # A note, wherever a function takes something of 64 bytes' alignment, about compilers before GCC 4.6.
  $<$<CXX_COMPILER_ID:GNU>:-Wno-psabi>
  # libstdc++ 12's std::stable_sort uses a function that it deprecates itself, which Clang reports.
  $<$<CXX_COMPILER_ID:Clang>:-Wno-deprecated-declarations>)

# Sanitizers apply to everything or to nothing: mixing object files gives false reports.
add_library(mini_sanitizers INTERFACE)
if(MINI_SANITIZE)
  target_compile_options(mini_sanitizers INTERFACE
    -fsanitize=${MINI_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(mini_sanitizers INTERFACE -fsanitize=${MINI_SANITIZE})
  if(MINI_SANITIZE MATCHES thread AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # GCC warns of every fence, which ThreadSanitizer takes no notice of. It sees atomics all the same.
    target_compile_options(mini_sanitizers INTERFACE -Wno-tsan)
  endif()
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # Under AddressSanitizer GCC 12 takes members of libstdc++'s std::regex for uninitialised.
    target_compile_options(mini_sanitizers INTERFACE -Wno-maybe-uninitialized)
  endif()
endif()
# A fuzzer is guided by the code it tests, so all of it carries coverage counters, not its main alone.
if(MINI_BUILD_FUZZERS)
  target_compile_options(mini_sanitizers INTERFACE -fsanitize=fuzzer-no-link)
  target_link_options(mini_sanitizers INTERFACE -fsanitize=fuzzer-no-link)
endif()

# Code that runs inside malloc: the C++ language, but nothing of its library that is not in headers.
# The compiler must not take a function of ours for the malloc that it knows, nor make a call of one.
add_library(mini_freestanding INTERFACE)
target_compile_options(mini_freestanding INTERFACE
  -fno-builtin-malloc -fno-builtin-calloc -fno-builtin-realloc -fno-builtin-free
  $<$<COMPILE_LANGUAGE:CXX>:-fno-exceptions;-fno-rtti;-fno-threadsafe-statics>)
