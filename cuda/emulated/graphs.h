// Graphs: what a stream that is captured is asked for, as a list of things to do.
#pragma once
#include <functional>

#include <cuda_runtime.h>

namespace ink::cuda::emulated {

// When the stream is being captured, `work` is noted instead of done, and the answer is true. It
// should own what it needs, and leave its failures to the runtime's next call or throw them.
bool noted(cudaStream_t stream, const std::function<void()>& work);

// Who waits for a stream that is being captured, or for the device while any is, is refused, and
// the captures fail when they end. The answer is whether there was one.
bool breaks_capture(cudaStream_t stream);
bool breaks_captures();

}  // namespace ink::cuda::emulated
