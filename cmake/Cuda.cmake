# The CUDA device (INK_CUDA): which files nvcc compiles, how, and with which libraries.
#
# A file holds kernels when it includes a .cuh header or tensor/ops/map.h: nvcc compiles it, g++ everything else. Without
# INK_CUDA g++ compiles the same files without their kernels, and cuda/none.cpp stands for the device.
set(ink_cuda_libraries "")
if(INK_CUDA)
  set(CMAKE_CUDA_ARCHITECTURES "${INK_CUDA_ARCHITECTURES}")
  enable_language(CUDA)
  find_package(CUDAToolkit 13 REQUIRED)
  set(CMAKE_CUDA_STANDARD 20)
  set(CMAKE_CUDA_EXTENSIONS OFF)
  set(CMAKE_CUDA_FLAGS_RELEASE "-O3 -DNDEBUG")
  set(ink_cuda_libraries CUDA::cudart_static CUDA::cublasLt)
  list(JOIN ink_options "," host_options)
  string(REPLACE "-Wconversion," "" host_options "${host_options}")  # nvcc's generated code would not pass
  target_compile_options(ink_flags INTERFACE
    "$<$<COMPILE_LANGUAGE:CUDA>:-std=c++20;--expt-relaxed-constexpr;--diag-suppress=177,1675;-Xcompiler=${host_options}>")
  target_compile_definitions(ink_flags INTERFACE INK_CUDA=1)
  target_include_directories(ink_flags SYSTEM INTERFACE ${CUDAToolkit_INCLUDE_DIRS})
  target_link_libraries(ink_flags INTERFACE ${ink_cuda_libraries})
endif()

# Of the files of cuda/, those of this kind of build.
function(ink_cuda_sources list)
  if(INK_CUDA)
    list(FILTER ${list} EXCLUDE REGEX "/none[.]cpp$")
    list(FILTER ${list} EXCLUDE REGEX "/emulated/")
  else()
    set(${list} "${PROJECT_SOURCE_DIR}/cuda/none.cpp")
  endif()
  set(${list} ${${list}} PARENT_SCOPE)
endfunction()

function(ink_compile_kernels)
  if(NOT INK_CUDA)
    return()
  endif()
  foreach(source IN LISTS ARGN)
    file(STRINGS "${source}" kernels REGEX "#include \"(.*[.]cuh|tensor/ops/map[.]h)\"" LIMIT_COUNT 1)
    if(kernels)
      set_source_files_properties("${source}" PROPERTIES LANGUAGE CUDA)
    endif()
  endforeach()
endfunction()
