# The emulated CUDA device: folders built a second time by g++, with their kernels, for the tests of a machine without a GPU.
#
# cuda/emulated runs the kernels on the host, and its toolkit/ stands for the CUDA Toolkit's headers.
add_library(ink_emulated_flags INTERFACE)
target_link_libraries(ink_emulated_flags INTERFACE ink_flags)
target_compile_definitions(ink_emulated_flags INTERFACE INK_CUDA=1 INK_EMULATED=1)
target_include_directories(ink_emulated_flags BEFORE INTERFACE "${PROJECT_SOURCE_DIR}/cuda/emulated/toolkit")
# -O1: tensors are small there, and the build takes longer than the tests. `#pragma unroll` is nvcc's.
target_compile_options(ink_emulated_flags INTERFACE -O1 -Wno-unknown-pragmas)
# Kernels say fmaf where they mean one rounding. Without the instruction each is a call of the C library, whose AVX code between
# code of SSE makes some processors wait: attention's tests took 16 times as long.
include(CheckCXXSourceRuns)
check_cxx_source_runs("int main() { return __builtin_cpu_supports(\"fma\") ? 0 : 1; }" ink_machine_has_fma)
target_compile_options(ink_emulated_flags INTERFACE $<$<BOOL:${ink_machine_has_fma}>:-mfma>)

foreach(folder IN ITEMS tensor cuda nn text autograd objectives tasks)
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/${folder}/*.cpp")
  list(REMOVE_ITEM sources "${PROJECT_SOURCE_DIR}/cuda/none.cpp")
  add_library(ink_emulated_${folder} OBJECT EXCLUDE_FROM_ALL ${sources})
  target_link_libraries(ink_emulated_${folder} PRIVATE ink_emulated_flags)
endforeach()
target_include_directories(ink_emulated_tensor SYSTEM PRIVATE
  $<TARGET_PROPERTY:nlohmann_json::nlohmann_json,INTERFACE_INCLUDE_DIRECTORIES>)

# NCCL is emulated too, between processes of this machine; what MPI they meet by is the real one.
target_compile_definitions(ink_emulated_autograd PRIVATE INK_WITH_NCCL $<$<BOOL:${MPI_FOUND}>:INK_WITH_MPI>)
target_link_libraries(ink_emulated_autograd PRIVATE $<$<BOOL:${MPI_FOUND}>:MPI::MPI_CXX>)

# The emulator itself runs more often than any kernel. ThreadSanitizer is to see kernels' threads, not how they are scheduled.
file(GLOB emulator CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/cuda/emulated/*.cpp")
set(emulator_options -O2)
if(INK_SANITIZE MATCHES thread)
  list(APPEND emulator_options -fno-sanitize=thread)
  set_source_files_properties(${emulator} PROPERTIES COMPILE_DEFINITIONS INK_THREAD_SANITIZER=1)
endif()
set_source_files_properties(${emulator} PROPERTIES COMPILE_OPTIONS "${emulator_options}")
