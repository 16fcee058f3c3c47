// y = the elements of several arrays behind each other, by one launch.
#pragma once
#include <algorithm>
#include <span>

#include "cuda/launch.h"
#include "cuda/map.cuh"

namespace ink::cuda {

// Some of the arrays: array k is elements [end[k − 1], end[k]) of the result. Those behind the last
// are empty.
template <class T>
struct Joined {
  static constexpr int kMost = 4;
  const T* from[kMost] = {};
  int64_t end[kMost] = {};
};

template <int P, class T>
__global__ void join_kernel(Joined<T> parts, T* y, int64_t packs) {
  const int64_t i = global_thread() * P;
  if (i >= packs * P) return;
  const T* from = parts.from[0] + i;
#pragma unroll
  for (int k = 1; k < Joined<T>::kMost; ++k) {
    if (i >= parts.end[k - 1]) from = parts.from[k] + (i - parts.end[k - 1]);
  }
  store_pack(y + i, load_pack<T, P>(from));
}

template <int P, class T>
void launch_join(const Joined<T>& parts, T* y) {
  constexpr int kThreads = 256;
  const int64_t packs = parts.end[Joined<T>::kMost - 1] / P;
  launch("concat", join_kernel<P, T>, {(packs + kThreads - 1) / kThreads, kThreads}, parts, y,
         packs);
}

// Parts are contiguous tensors.
template <class T>
void join(std::span<const Tensor> parts, T* y) {
  for (size_t first = 0; first < parts.size(); first += Joined<T>::kMost) {
    Joined<T> some;
    bool packed = is_aligned<kPack<T>>(y);
    int64_t end = 0;
    for (size_t k = 0; k < Joined<T>::kMost; ++k) {
      if (first + k < parts.size()) {
        const Tensor& part = parts[first + k];
        some.from[k] = part.data<T>();
        end += part.size();
        packed = packed && is_aligned<kPack<T>>(some.from[k]) && part.size() % kPack<T> == 0;
      }
      some.end[k] = end;
    }
    if (packed) {
      launch_join<kPack<T>>(some, y);
    } else {
      launch_join<1>(some, y);
    }
    y += end;
  }
}

}  // namespace ink::cuda
