# Finds OpenBLAS, any threading flavour, and offers it as OpenBLAS::OpenBLAS.
#
# Debian keeps cblas.h in one folder per flavour and lets a system-wide alternative choose; asking for
# openblas_config.h makes sure that the header belongs to OpenBLAS and not to another BLAS.
find_path(OpenBLAS_INCLUDE_DIR openblas_config.h
  PATH_SUFFIXES openblas-serial openblas-pthread openblas-openmp openblas)
find_library(OpenBLAS_LIBRARY openblas
  PATH_SUFFIXES openblas-serial openblas-pthread openblas-openmp)

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(OpenBLAS REQUIRED_VARS OpenBLAS_LIBRARY OpenBLAS_INCLUDE_DIR)
mark_as_advanced(OpenBLAS_LIBRARY OpenBLAS_INCLUDE_DIR)

if(OpenBLAS_FOUND AND NOT TARGET OpenBLAS::OpenBLAS)
  add_library(OpenBLAS::OpenBLAS UNKNOWN IMPORTED)
  set_target_properties(OpenBLAS::OpenBLAS PROPERTIES
    IMPORTED_LOCATION "${OpenBLAS_LIBRARY}"
    INTERFACE_INCLUDE_DIRECTORIES "${OpenBLAS_INCLUDE_DIR}")
endif()
