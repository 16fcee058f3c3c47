# make install: libraries, headers, the program, and what find_package and pkg-config need.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
set(config_dir "${CMAKE_INSTALL_LIBDIR}/cmake/inkstone")

install(TARGETS inkstone inkstone_inference EXPORT inkstone ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}")
if(TARGET inkstone_cli)
  install(TARGETS inkstone_cli RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}")
endif()

install(FILES "${PROJECT_SOURCE_DIR}/inkstone.h" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}/inkstone")
foreach(folder IN LISTS inference_folders training_folders)
  install(DIRECTORY "${PROJECT_SOURCE_DIR}/${folder}" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}/inkstone"
    FILES_MATCHING PATTERN "*.h" PATTERN "emulated" EXCLUDE)
endforeach()

install(EXPORT inkstone NAMESPACE inkstone:: FILE inkstoneTargets.cmake DESTINATION "${config_dir}")
configure_package_config_file("${PROJECT_SOURCE_DIR}/cmake/inkstoneConfig.cmake.in"
  "${PROJECT_BINARY_DIR}/inkstoneConfig.cmake" INSTALL_DESTINATION "${config_dir}")
write_basic_package_version_file("${PROJECT_BINARY_DIR}/inkstoneConfigVersion.cmake"
  COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/inkstoneConfig.cmake" "${PROJECT_BINARY_DIR}/inkstoneConfigVersion.cmake"
  "${PROJECT_SOURCE_DIR}/cmake/FindOpenBLAS.cmake" "${PROJECT_SOURCE_DIR}/cmake/FindNCCL.cmake"
  DESTINATION "${config_dir}")

# The .pc file finds its prefix from its own place, so an installed tree can be moved.
file(RELATIVE_PATH INK_PC_TO_PREFIX "/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/")
set(INK_PC_CURL "")
if(CURL_FOUND)
  set(INK_PC_CURL " -lcurl")
endif()
set(INK_PC_MPI "")
if(MPI_FOUND)
  set(INK_PC_MPI " -lmpi")
endif()
set(INK_PC_NCCL "")
if(NCCL_FOUND)
  set(INK_PC_NCCL " -lnccl")
endif()
configure_file("${PROJECT_SOURCE_DIR}/cmake/inkstone.pc.in" "${PROJECT_BINARY_DIR}/inkstone.pc" @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/inkstone.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
