// Runs kernels on the host: every thread of a block is a fiber, blocks run one after another.
//
// What a kernel does wrong is an Error with the kernel's name, the place in its source, the block
// and the thread: a barrier that some threads do not reach, lanes that meet at different
// operations of a warp, a shuffle from outside its mask, an access outside of all tensors.
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>

namespace ink::cuda::emulated {

// A grid of blocks × rows blocks of `threads` threads, each calling body() once; `shared` bytes of
// dynamic shared memory.
void run(const char* name, int64_t blocks, int64_t rows, int threads, size_t shared,
         const std::function<void()>& body);

// The order in which the threads of a block take their turns: 0 is ascending; any other seed
// shuffles it anew between every two barriers. A correct kernel computes the same bits under all.
void set_thread_order(uint64_t seed);

}  // namespace ink::cuda::emulated
