// Runs kernels on the host: every thread of a block is a fiber, blocks run one after another.
//
// What a kernel does wrong is an Error with the kernel's name, the place in its source, the block
// and the thread: a barrier that some threads do not reach, lanes that meet at different
// operations of a warp, a shuffle from outside its mask, an access outside of all tensors.
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>

#include "cuda/emulated/pointers.h"

namespace ink::cuda::emulated {

// A grid of blocks × rows blocks of `threads` threads, each calling body() once; `shared` bytes of
// dynamic shared memory.
void run(const char* name, int64_t blocks, int64_t rows, int threads, size_t shared,
         std::function<void()> body);

}  // namespace ink::cuda::emulated
