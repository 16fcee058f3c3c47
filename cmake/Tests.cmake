# One test program per folder of tests/: test_tensor, test_text, … Each is linked with the objects themselves, so that the
# linker keeps every op's samples, and only with those of the folders that its own folder may use.
find_package(PkgConfig)
if(PkgConfig_FOUND AND CURL_FOUND)
  pkg_check_modules(HTTPLIB IMPORTED_TARGET cpp-httplib)  # the hub of tests/hub
endif()

set(seen_by_tensor tensor cuda)
set(seen_by_text tensor cuda text)
set(seen_by_autograd tensor cuda autograd)
set(seen_by_ops tensor cuda autograd)
set(seen_by_nn tensor cuda autograd nn)  # its tests differentiate
set(seen_by_hub tensor cuda nn)
set(seen_by_objectives tensor cuda autograd nn text objectives)
set(seen_by_tasks tensor cuda autograd nn text objectives tasks)

file(GLOB test_folders CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/*")
foreach(path IN LISTS test_folders)
  file(GLOB sources CONFIGURE_DEPENDS "${path}/*_test.cpp")
  if(NOT sources)
    continue()
  endif()
  cmake_path(GET path FILENAME folder)
  set(program test_${folder})

  if(DEFINED seen_by_${folder})
    set(seen ${seen_by_${folder}})
  else()
    set(seen ${inference_folders} ${training_folders})
  endif()
  set(objects "")
  foreach(each IN LISTS seen)
    if(TARGET ink_${each})
      list(APPEND objects $<TARGET_OBJECTS:ink_${each}>)
    endif()
  endforeach()

  add_executable(${program} ${sources} ${objects})
  set_target_properties(${program} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/tests")
  target_link_libraries(${program} PRIVATE ink_flags GTest::gtest GTest::gtest_main $<$<BOOL:${MPI_FOUND}>:MPI::MPI_CXX>)
  target_compile_definitions(${program} PRIVATE INK_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
  if((folder STREQUAL "cli" OR folder STREQUAL "mpi") AND TARGET inkstone_cli)
    add_dependencies(${program} inkstone_cli tools_demo_corpus)
    target_compile_definitions(${program} PRIVATE INK_PROGRAM="$<TARGET_FILE:inkstone_cli>"
                               INK_DEMO_CORPUS="$<TARGET_FILE:tools_demo_corpus>")
  endif()
  if(folder STREQUAL "mpi" AND MPI_FOUND)
    target_compile_definitions(${program} PRIVATE INK_MPIRUN="${MPIEXEC_EXECUTABLE}")
  endif()
  if(folder STREQUAL "hub" AND HTTPLIB_FOUND)
    target_compile_definitions(${program} PRIVATE INK_TEST_HUB)
    target_link_libraries(${program} PRIVATE PkgConfig::HTTPLIB)
  endif()
  add_test(NAME ${program} COMMAND ${program} --gtest_brief=1 WORKING_DIRECTORY "${PROJECT_SOURCE_DIR}")
endforeach()

if(INK_EXAMPLES)
  add_test(NAME examples COMMAND "${PROJECT_SOURCE_DIR}/tools/run_examples.sh" "${PROJECT_BINARY_DIR}")
endif()

# An archive of sanitized objects asks more of its consumer than an installed one may.
if(NOT INK_SANITIZE)
  add_test(NAME consumer COMMAND "${PROJECT_SOURCE_DIR}/tools/check_consumer.sh" "${PROJECT_BINARY_DIR}")
endif()
