// parallel_for: the one way inkstone uses threads.
//
// [0, n) is cut into chunks of `grain` (the last may be shorter); whoever is free takes the next
// chunk. The cut depends only on n and grain, never on the number of threads, so results that are
// combined in order of chunks are the same for any thread count. A call from inside a chunk runs in
// place. Exceptions thrown by f reach the caller.
#pragma once
#include <cstdint>
#include <functional>
#include <type_traits>

namespace ink {

int threads();  // threads in use, the caller included; at first INK_THREADS or the number of cores
void set_threads(int n);  // 1 ≤ n ≤ 256; raises Error otherwise

namespace detail {
using Chunk = void (*)(const void* f, int64_t begin, int64_t end);
void run_chunks(int64_t n, int64_t grain, Chunk call, const void* f);
}  // namespace detail

// Calls f(begin, end) for every chunk of [0, n).
template <class F>
void parallel_for(int64_t n, int64_t grain, const F& f) {
  detail::run_chunks(
      n, grain,
      [](const void* g, int64_t begin, int64_t end) { (*static_cast<const F*>(g))(begin, end); },
      &f);
}

// Elements that make a chunk worth a hand-out. Tests set it to a few, so that small samples are cut
// into many chunks too; no result may depend on it.
inline int64_t chunk_elements = 16384;

// Chunk size for rows of `cost` elements each.
inline int64_t grain_for(int64_t cost) {
  const int64_t rows = chunk_elements / (cost > 0 ? cost : 1);
  return rows > 0 ? rows : 1;
}

}  // namespace ink
