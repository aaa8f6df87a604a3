# mini_add_module(<name> SOURCES <file>... [DEPENDS <target>...])
#
# Declares src/<name> as the static library mini_<name>. Headers are included by their path under
# src/ ("model/event.h"), so an #include line names the module it depends on.
function(mini_add_module name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS" ${ARGN})
  add_library(mini_${name} STATIC ${ARG_SOURCES})
  target_include_directories(mini_${name} PUBLIC ${CMAKE_SOURCE_DIR}/src)
  target_link_libraries(mini_${name} PUBLIC ${ARG_DEPENDS} mini_sanitizers PRIVATE mini_warnings)
  if(MINI_PRECOMPILE_HEADERS)
    target_precompile_headers(mini_${name} PRIVATE <algorithm> <array> <expected> <fmt/format.h> <map> <memory>
      <optional> <span> <string> <string_view> <unordered_map> <vector>)
  endif()
endfunction()

# mini_add_freestanding_module(<name> SOURCES <file>... [DEPENDS <target>...])
#
# The same for code that runs inside malloc: an object library mini_<name> without exceptions, RTTI or
# anything that needs the C++ library at run time, and with no symbol visible that is not meant to.
function(mini_add_freestanding_module name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS" ${ARGN})
  add_library(mini_${name} OBJECT ${ARG_SOURCES})
  target_include_directories(mini_${name} PUBLIC ${CMAKE_SOURCE_DIR}/src)
  target_link_libraries(mini_${name} PUBLIC ${ARG_DEPENDS} mini_sanitizers
    PRIVATE mini_warnings mini_freestanding)
  set_target_properties(mini_${name} PROPERTIES
    C_VISIBILITY_PRESET hidden CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
endfunction()

# mini_add_unit_test(<module> [CONCURRENT] [CODE <target>] SOURCES <file>... [DEPENDS <target>...])
#
# Builds tests/unit/<module> as the GoogleTest program <module>_test; ctest lists each case. Under a
# sanitizer a process takes longer to begin and to end than most cases, so ctest lists four parts of
# them. The code under test is mini_<module>, or <target>: the same module built in another way.
# CONCURRENT says that several threads, or processes, share what it works on: ThreadSanitizer is asked
# about these (label `unit-concurrent`, target `concurrent_tests`).
function(mini_add_unit_test module)
  cmake_parse_arguments(ARG "CONCURRENT" "CODE" "SOURCES;DEPENDS" ${ARGN})
  if(NOT ARG_CODE)
    set(ARG_CODE mini_${module})
  endif()
  add_executable(${module}_test ${ARG_SOURCES})
  target_link_libraries(${module}_test PRIVATE ${ARG_CODE} ${ARG_DEPENDS} mini_unit_test)
  target_precompile_headers(${module}_test REUSE_FROM unit_test_headers)
  set(label unit)
  if(ARG_CONCURRENT)
    set(label unit-concurrent)
    if(NOT TARGET concurrent_tests)
      add_custom_target(concurrent_tests)
    endif()
    add_dependencies(concurrent_tests ${module}_test)
  endif()
  if(NOT MINI_SANITIZE)
    gtest_discover_tests(${module}_test
      TEST_PREFIX "unit.${module}." PROPERTIES LABELS ${label} DISCOVERY_TIMEOUT 300)
    return()
  endif()
  foreach(part RANGE 3)
    add_test(NAME unit.${module}.part_${part} COMMAND ${module}_test)
    set_tests_properties(unit.${module}.part_${part} PROPERTIES
      LABELS ${label} ENVIRONMENT "GTEST_TOTAL_SHARDS=4;GTEST_SHARD_INDEX=${part}")
  endforeach()
endfunction()

# mini_add_fuzzer(<name> SOURCES <file>... [DEPENDS <target>...])
#
# One fuzz target, two uses: with MINI_BUILD_FUZZERS a libFuzzer program fuzzers/<name>_fuzz of the
# build tree (the target `fuzzers` builds all, tools/run_fuzzers runs all that are there); always a
# program <name>_replay that runs the same function over every file of tests/fuzz/corpus/<name>, as a
# ctest case.
function(mini_add_fuzzer name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS" ${ARGN})
  add_executable(${name}_replay ${ARG_SOURCES} ${CMAKE_SOURCE_DIR}/tests/fuzz/replay_main.cc)
  target_link_libraries(${name}_replay PRIVATE ${ARG_DEPENDS} mini_warnings mini_sanitizers)
  add_test(NAME fuzz.${name}.replay
    COMMAND ${name}_replay ${CMAKE_SOURCE_DIR}/tests/fuzz/corpus/${name})
  set_tests_properties(fuzz.${name}.replay PROPERTIES LABELS fuzz TIMEOUT 300)
  if(MINI_BUILD_FUZZERS)
    add_executable(${name}_fuzz ${ARG_SOURCES})
    target_compile_options(${name}_fuzz PRIVATE -fsanitize=fuzzer)
    target_link_options(${name}_fuzz PRIVATE -fsanitize=fuzzer)
    target_link_libraries(${name}_fuzz PRIVATE ${ARG_DEPENDS} mini_warnings mini_sanitizers)
    set_target_properties(${name}_fuzz PROPERTIES
      RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/fuzzers)
    if(NOT TARGET fuzzers)
      add_custom_target(fuzzers)
    endif()
    add_dependencies(fuzzers ${name}_fuzz)
  endif()
endfunction()

# mini_list_cases(<run> <cases>)
#
# For a folder of end-to-end tests in Python: sets MINI_PYTHON3, <run> to the folder's script `run`,
# and <cases> to the lines of what it lists. Configured anew when a file of them changes.
function(mini_list_cases run cases)
  # The system's own Python, not one that happens to come first in PATH.
  find_program(MINI_PYTHON3 python3 PATHS /usr/bin NO_DEFAULT_PATH REQUIRED)
  set(script ${CMAKE_CURRENT_SOURCE_DIR}/run)
  file(GLOB test_files CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.py)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${script} ${test_files})
  execute_process(COMMAND ${MINI_PYTHON3} -B ${script} --list
    OUTPUT_VARIABLE listed OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
  string(REPLACE "\n" ";" listed "${listed}")
  set(${run} ${script} PARENT_SCOPE)
  set(${cases} ${listed} PARENT_SCOPE)
endfunction()
