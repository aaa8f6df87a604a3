# What a program that is built against libminimalloc needs, installed as the component `minimalloc`.
include(CMakePackageConfigHelpers)
include(MinimallocPkgConfig)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/minimalloc)
install(TARGETS minimalloc_shared minimalloc_static EXPORT minimallocTargets
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT minimalloc
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT minimalloc)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/minimalloc
  DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT minimalloc)
install(EXPORT minimallocTargets NAMESPACE minimalloc:: DESTINATION ${package_dir}
  COMPONENT minimalloc)

configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/minimallocConfig.cmake.in
  ${CMAKE_CURRENT_BINARY_DIR}/minimallocConfig.cmake INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/minimallocConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/minimallocConfig.cmake
  ${CMAKE_CURRENT_BINARY_DIR}/minimallocConfigVersion.cmake
  DESTINATION ${package_dir} COMPONENT minimalloc)

minimalloc_pkg_config(${CMAKE_CURRENT_BINARY_DIR}/minimalloc.pc)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/minimalloc.pc
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT minimalloc)

install(FILES ${PROJECT_SOURCE_DIR}/docs/man/minimalloc.7
  DESTINATION ${CMAKE_INSTALL_MANDIR}/man7 COMPONENT minimalloc)
install(FILES ${PROJECT_SOURCE_DIR}/docs/minimalloc-layout.md
  DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/minimalloc COMPONENT minimalloc)
