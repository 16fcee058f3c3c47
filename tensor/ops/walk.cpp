// Stretching by NumPy's rule, and copies into strided views.
#include "tensor/ops/walk.h"

#include "tensor/op.h"
#include "tensor/parallel.h"

#if INK_CUDA
#include "cuda/walk.cuh"
#endif

namespace ink {

Strides stretched(const Tensor& x, const Shape& shape) {
  Strides strides;
  for (int axis = 0; axis < shape.rank(); ++axis) {
    const int own = axis - (shape.rank() - x.rank());
    strides.append(own < 0 || x.dim(own) == 1 ? 0 : x.strides()[own]);
  }
  return strides;
}

namespace {

template <class T>
void copy_run(T* to, int64_t to_step, const T* from, int64_t from_step, int64_t n) {
  if (to_step == 1 && from_step == 1) {
    std::copy_n(from, n, to);
  } else {
    for (int64_t i = 0; i < n; ++i) to[i * to_step] = from[i * from_step];
  }
}

template <class T>
void copy(Cpu, const Walk<2>& walk, int64_t n, T* to, const T* from) {
  const auto steps = walk.steps();
  parallel_for(n, grain_for(1), [&](int64_t begin, int64_t end) {
    walk.each(begin, end, [&](const auto& at, int64_t count) {
      copy_run(to + at[0], steps[0], from + at[1], steps[1], count);
    });
  });
}

#if INK_CUDA
template <class T>
void copy(Cuda, const Walk<2>& walk, int64_t, T* to, const T* from) {
  cuda::walk_elements(cuda::Same{}, walk, to, from);
}
#endif

}  // namespace

void assign(const char* name, Tensor& view, const Tensor& x) {
  check(view.device() == x.device(), "", name, ": expected tensors on ", name_of(view.device()),
        " only");
  const Walk<2> walk(x.shape(), {view.strides(), x.strides()});
  on(name, x, [&](auto device, auto t) {
    using T = decltype(t);
    copy(device, walk, x.size(), view.data<T>(), x.data<T>());
  });
}

}  // namespace ink
