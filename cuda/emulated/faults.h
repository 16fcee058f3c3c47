// Accesses to addresses that nobody may touch, found by the processor.
#pragma once

namespace ink::cuda::emulated {

// From now on such an access by a kernel is its Error (on x86-64), and one by the host to the
// device's memory ends the process with a line that says so.
void catch_faults();

}  // namespace ink::cuda::emulated
