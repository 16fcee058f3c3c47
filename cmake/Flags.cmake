# Compiler flags for everything built here, as the interface target ink_flags.
#
# No -march: kernels choose their instruction set at run time (tensor/simd.h). Products and sums are never contracted
# to fused multiply-adds (the kernels of products ask for them by name), so elementwise results are the same bits everywhere.
# Nobody reads errno or the floating-point exception flags; without them g++ can vectorise square roots and selections.
# Results stay the same bits.
add_library(ink_flags INTERFACE)
target_compile_features(ink_flags INTERFACE cxx_std_20)
target_include_directories(ink_flags INTERFACE "${PROJECT_SOURCE_DIR}")
target_link_libraries(ink_flags INTERFACE Threads::Threads OpenBLAS::OpenBLAS $<$<BOOL:${CURL_FOUND}>:CURL::libcurl>)
set(ink_options -Wall -Wextra -Wshadow -Wconversion
  -fopenmp-simd -ffp-contract=off -fno-math-errno -fno-trapping-math
  -ffunction-sections -fdata-sections
  "-ffile-prefix-map=${PROJECT_SOURCE_DIR}/=")
target_compile_options(ink_flags INTERFACE "$<$<COMPILE_LANGUAGE:CXX>:${ink_options}>")
target_link_options(ink_flags INTERFACE -Wl,--gc-sections)

if(INK_WERROR)
  target_compile_options(ink_flags INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-Werror>)
endif()

if(INK_SANITIZE)
  # -O1 in place of -O2 or -O3: half the build time, the same findings, better stack traces.
  target_compile_options(ink_flags INTERFACE -O1 "-fsanitize=${INK_SANITIZE}"
    -fno-sanitize-recover=all -fno-omit-frame-pointer -g1)
  target_link_options(ink_flags INTERFACE "-fsanitize=${INK_SANITIZE}")
endif()

if(INK_FUZZ)
  # A loop that clang cannot vectorise between its checks is no fault of the source.
  target_compile_options(ink_flags INTERFACE -Wno-pass-failed)
  target_compile_options(ink_flags INTERFACE -fsanitize=fuzzer-no-link,address,undefined
    -fno-sanitize-recover=all -fno-omit-frame-pointer -g1)
  target_link_options(ink_flags INTERFACE -fsanitize=address,undefined)
endif()
