// Walk: visits strided operands of one shape together, a run of the last axis at a time.
//
// Neighbouring axes that every operand can cross in one stride are merged first: (B, T, C) + (C) is
// walked as (B·T, C), equal shapes as one long row.
#pragma once
#include <algorithm>
#include <array>

#include "tensor/shape.h"

namespace ink {

template <size_t K>
class Walk {
 public:
  using Offsets = std::array<int64_t, K>;  // of the current element, one for each operand

  Walk(const Shape& shape, const std::array<Strides, K>& strides) {
    for (int axis = 0; axis < shape.rank(); ++axis) {
      if (shape[axis] == 1) continue;
      Axis next{shape[axis], {}};
      for (size_t k = 0; k < K; ++k) next.stride[k] = strides[k][axis];
      if (rank_ > 0 && merges(axes_[rank_ - 1], next)) {
        next.extent *= axes_[--rank_].extent;
      }
      axes_[rank_++] = next;
    }
    if (rank_ == 0) axes_[rank_++] = Axis{1, {}};  // a scalar
  }

  // The merged axes, outermost first; there is at least one, and a run lies along the last.
  int rank() const { return static_cast<int>(rank_); }
  int64_t extent(int axis) const { return axes_[static_cast<size_t>(axis)].extent; }
  const Offsets& strides(int axis) const { return axes_[static_cast<size_t>(axis)].stride; }
  // The stride of each operand inside a run.
  const Offsets& steps() const { return axes_[rank_ - 1].stride; }

  // Calls f(offsets, count) for the runs of elements [begin, end), counted in row-major order.
  template <class F>
  void each(int64_t begin, int64_t end, const F& f) const {
    std::array<int64_t, kMaxRank> index{};
    Offsets offsets{};
    for (size_t i = rank_, rest = static_cast<size_t>(begin); i-- > 0;) {
      const auto extent = static_cast<size_t>(axes_[i].extent);
      index[i] = static_cast<int64_t>(rest % extent);
      rest /= extent;
      move(offsets, axes_[i], index[i]);
    }
    const Axis& row = axes_[rank_ - 1];
    while (begin < end) {
      const int64_t count = std::min(row.extent - index[rank_ - 1], end - begin);
      f(offsets, count);
      begin += count;
      move(offsets, row, -index[rank_ - 1]);  // back to the start of this row, then on to the next
      index[rank_ - 1] = 0;
      for (size_t i = rank_ - 1; i-- > 0;) {
        move(offsets, axes_[i], 1);
        if (++index[i] < axes_[i].extent) break;
        move(offsets, axes_[i], -index[i]);
        index[i] = 0;
      }
    }
  }

 private:
  struct Axis {
    int64_t extent;
    Offsets stride;
  };
  static bool merges(const Axis& outer, const Axis& inner) {
    for (size_t k = 0; k < K; ++k) {
      if (outer.stride[k] != inner.stride[k] * inner.extent) return false;
    }
    return true;
  }
  static void move(Offsets& offsets, const Axis& axis, int64_t by) {
    for (size_t k = 0; k < K; ++k) offsets[k] += by * axis.stride[k];
  }

  std::array<Axis, kMaxRank> axes_{};
  size_t rank_ = 0;
};

}  // namespace ink
