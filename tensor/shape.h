// Shape and strides: up to five extents held inline, row-major, last axis fastest.
#pragma once
#include <array>
#include <cstdint>
#include <initializer_list>
#include <ostream>
#include <span>

#include "tensor/error.h"

namespace ink {

inline constexpr int kMaxRank = 5;

// Extents or strides, in elements. Negative positions count from the end: s[-1] is the last axis.
class Extents {
 public:
  Extents() = default;
  Extents(std::initializer_list<int64_t> d) : Extents(std::span(d.begin(), d.size())) {}
  explicit Extents(std::span<const int64_t> d) {
    check(d.size() <= kMaxRank, "shape: expected at most 5 axes, got ", d.size());
    for (int64_t v : d) dim_[static_cast<size_t>(rank_++)] = v;
  }
  int rank() const { return rank_; }
  int64_t operator[](int axis) const { return dim_[index(axis)]; }
  int64_t& operator[](int axis) { return dim_[index(axis)]; }
  const int64_t* begin() const { return dim_.data(); }
  const int64_t* end() const { return dim_.data() + rank_; }
  bool operator==(const Extents&) const = default;
  void append(int64_t v);
  friend std::ostream& operator<<(std::ostream& out, const Extents& e);

 private:
  size_t index(int axis) const {
    const int i = axis < 0 ? axis + rank_ : axis;
    check(i >= 0 && i < rank_, "shape: axis ", axis, " of ", *this);
    return static_cast<size_t>(i);
  }
  std::array<int64_t, kMaxRank> dim_{};
  int8_t rank_ = 0;
};

class Shape : public Extents {
 public:
  using Extents::Extents;
  int64_t size() const;  // number of elements; 1 for a scalar ()
};

class Strides : public Extents {
 public:
  using Extents::Extents;
};

Strides row_major(const Shape& shape);

// The shape that two operands share when extents of 1 stretch (NumPy's rule, aligned at the last
// axis). Raises "name: …" when they do not fit.
Shape broadcast(const char* name, const Shape& a, const Shape& b);

// Turns a negative axis into a position and raises "name: …" when it is out of range.
int axis_of(const char* name, int axis, int rank);

}  // namespace ink
