// Tests that start mpirun: whether it can be had, and what it is told by the environment.
#pragma once
#include <cstdlib>

#if defined(__SANITIZE_THREAD__)
#define INK_TEST_NO_MPIRUN "the MPI library is not built for ThreadSanitizer"
#elif !defined(INK_MPIRUN)
#define INK_TEST_NO_MPIRUN "this build has no MPI"
#endif

namespace ink::testing {

// A root user and few cores are what tests may find; the library's own leaks are not ours.
inline void prepare_mpirun() {
  for (const char* name : {"OMPI_ALLOW_RUN_AS_ROOT", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM",
                           "OMPI_MCA_rmaps_base_oversubscribe", "OMPI_MCA_mpi_yield_when_idle"})
    ::setenv(name, "1", 1);
  ::setenv("ASAN_OPTIONS", "detect_leaks=0", 1);
}

}  // namespace ink::testing
