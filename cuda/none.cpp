// The CUDA device in a build without CUDA: asking for it is an Error.
#include "tensor/device.h"
#include "tensor/error.h"

namespace ink {

Backend& cuda_backend() {
  fail("cuda: this build has no CUDA; build with CUDA=1 (cmake -DINK_CUDA=ON), or run on the CPU");
}

}  // namespace ink
