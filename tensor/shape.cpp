// Shapes: size, row-major strides, broadcasting.
#include "tensor/shape.h"

#include <algorithm>

namespace ink {

void Extents::append(int64_t v) {
  check(rank_ < kMaxRank, "shape: expected at most 5 axes, got one more than ", *this);
  dim_[static_cast<size_t>(rank_++)] = v;
}

std::ostream& operator<<(std::ostream& out, const Extents& e) {
  out << '(';
  for (int i = 0; i < e.rank(); ++i) out << (i ? ", " : "") << e[i];
  return out << ')';
}

// Extents of 0 count as 1 on the way: strides are products too.
int64_t Shape::size() const {
  int64_t n = 1;
  bool empty = false;
  for (const int64_t d : *this) {
    check(d >= 0, "shape: extents should not be negative, got ", *this);
    empty |= d == 0;
    check(!__builtin_mul_overflow(n, std::max<int64_t>(d, 1), &n),
          "shape: too many elements to count in ", *this);
  }
  return empty ? 0 : n;
}

Strides row_major(const Shape& shape) {
  Strides strides(std::span(shape.begin(), shape.end()));
  int64_t step = 1;
  for (int i = shape.rank(); i-- > 0;) {
    strides[i] = step;
    check(!__builtin_mul_overflow(step, std::max<int64_t>(shape[i], 1), &step),
          "shape: too many elements to count in ", shape);
  }
  return strides;
}

Shape broadcast(const char* name, const Shape& a, const Shape& b) {
  const Shape& longer = a.rank() >= b.rank() ? a : b;
  const Shape& shorter = a.rank() >= b.rank() ? b : a;
  Shape out = longer;
  for (int i = 1; i <= shorter.rank(); ++i) {
    const int64_t x = longer[-i], y = shorter[-i];
    check(x == y || x == 1 || y == 1, "", name, ": shapes ", a, " and ", b,
          " do not broadcast (axis -", i, ")");
    out[-i] = x == 1 ? y : x;
  }
  return out;
}

int axis_of(const char* name, int axis, int rank) {
  check(axis >= -rank && axis < rank, "", name, ": axis ", axis, " is out of range for rank ",
        rank);
  return axis < 0 ? axis + rank : axis;
}

}  // namespace ink
