# minimalloc_pkg_config(<file>): what pkg-config is told. Where the libraries go to a folder below the prefix,
# all is relative to the file, so that the tree may be moved; a folder that was given as absolute stays so.
set(minimalloc_pkg_config_template ${CMAKE_CURRENT_LIST_DIR}/minimalloc.pc.in)

function(minimalloc_pkg_config file)
  set(prefix ${CMAKE_INSTALL_PREFIX})
  if(NOT IS_ABSOLUTE "${CMAKE_INSTALL_LIBDIR}")
    file(RELATIVE_PATH prefix ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
    string(REGEX REPLACE "/$" "" prefix "\${pcfiledir}/${prefix}")
  endif()
  foreach(folder LIBDIR INCLUDEDIR)
    set(${folder} ${CMAKE_INSTALL_${folder}})
    if(NOT IS_ABSOLUTE "${${folder}}")
      string(PREPEND ${folder} "\${prefix}/")
    endif()
  endforeach()
  configure_file(${minimalloc_pkg_config_template} ${file} @ONLY)
endfunction()
