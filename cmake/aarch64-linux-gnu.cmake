# Compiles for aarch64 on a machine of another kind, with what that has: the compiler and the C
# library for aarch64, and of the other libraries the headers, which are the same for all machines. So
# everything can be compiled; what needs nothing but the C library can be linked too, and runs in
# qemu. tools/check_aarch64 does both.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64-static -L /usr/aarch64-linux-gnu)

# After the headers of the C library for aarch64, never before them.
set(CMAKE_C_FLAGS_INIT "-idirafter /usr/include")
set(CMAKE_CXX_FLAGS_INIT "-idirafter /usr/include")

# What find_package() asks for is found as it is on this machine.
file(GLOB package_folders /usr/lib/*-linux-gnu/cmake/*)
foreach(folder IN LISTS package_folders)
  get_filename_component(package ${folder} NAME)
  set(${package}_DIR ${folder})
endforeach()
file(GLOB CMAKE_LIBRARY_PATH /usr/lib/*-linux-gnu)
