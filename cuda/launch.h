// Launching kernels: launch("layer_norm_forward", layer_norm_kernel<T>, {N, 256}, x, y, N, C).
//
// Arguments are converted to the kernel's parameter types. Work goes to the stream of the calling
// thread (cuda/stream.h). A launch that fails raises Error with the kernel's name; a fault inside a
// kernel shows at the next point that waits, and names the last kernel launched.
#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <tuple>
#include <utility>

#if INK_EMULATED
#include "cuda/emulated/run.h"
#endif

namespace ink::cuda {

struct Grid {
  int64_t blocks;     // along x, up to 2³¹ − 1; 0: nothing is launched
  int threads = 256;  // of a block, a multiple of 32
  int64_t rows = 1;   // blocks along y, up to 65,535
  size_t shared = 0;  // bytes of INK_DYNAMIC_SHARED
};

namespace detail {
// A fault that shows later is most likely that of the last kernel that was launched.
extern std::atomic<const char*> last_launched;
// Raises Error when the launch is refused.
void run(const char* name, const void* kernel, const Grid& grid, void** arguments);
}  // namespace detail

template <class... P, class... A>
void launch(const char* name, void (*kernel)(P...), const Grid& grid, A&&... arguments) {
  if (grid.blocks == 0 || grid.rows == 0) return;
  detail::last_launched = name;
  std::tuple<P...> values(static_cast<P>(std::forward<A>(arguments))...);
#if INK_EMULATED
  std::apply([&](const auto&... each) { emulated::expect_device_pointers(name, each...); }, values);
  emulated::run(name, grid.blocks, grid.rows, grid.threads, grid.shared,
                [kernel, values] { std::apply(kernel, values); });
#else
  std::apply(
      [&](auto&... each) {
        void* pointers[] = {static_cast<void*>(&each)...};
        detail::run(name, reinterpret_cast<const void*>(kernel), grid, pointers);
      },
      values);
#endif
}

}  // namespace ink::cuda
