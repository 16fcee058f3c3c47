# Fuzz targets: each tests/fuzz/NAME.cpp defines LLVMFuzzerTestOneInput and must leave every input without a crash.
#
# By default each becomes an ordinary test, test_fuzz_NAME, that replays tests/fuzz/corpus/NAME and damaged copies of it.
# With INK_FUZZ (clang only, in a build folder of its own) each becomes the fuzzer build/fuzz/NAME instead:
#
#   cmake -S . -B build-fuzz -G Ninja -DINK_FUZZ=ON -DCMAKE_CXX_COMPILER=clang++
#   ninja -C build-fuzz fuzz && build-fuzz/fuzz/NAME -rss_limit_mb=2048 -max_total_time=60 tests/fuzz/corpus/NAME
#
# What the fuzzer finds goes into the corpus, under a name that says what it is.
file(GLOB fuzz_sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/fuzz/*.cpp")

foreach(source IN LISTS fuzz_sources)
  cmake_path(GET source STEM name)
  if(INK_FUZZ)
    set(program fuzz_${name})
    add_executable(${program} ${source})
    set_target_properties(${program} PROPERTIES
      OUTPUT_NAME ${name} RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/fuzz")
    target_link_options(${program} PRIVATE -fsanitize=fuzzer)
    list(APPEND fuzzers ${program})
  else()
    set(program test_fuzz_${name})
    add_executable(${program} ${source} "${PROJECT_SOURCE_DIR}/tests/fuzz_replay.cpp")
    set_target_properties(${program} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/tests")
    target_compile_definitions(${program} PRIVATE INK_CORPUS="${PROJECT_SOURCE_DIR}/tests/fuzz/corpus/${name}")
    target_link_libraries(${program} PRIVATE GTest::gtest GTest::gtest_main)
    add_test(NAME ${program} COMMAND ${program} --gtest_brief=1)
  endif()
  target_link_libraries(${program} PRIVATE ink_flags inkstone)
endforeach()

if(INK_FUZZ)
  add_custom_target(fuzz DEPENDS ${fuzzers})
endif()
