// Printing: nested brackets, long axes shortened to their first and last three entries.
#include <iomanip>

#include "tensor/tensor.h"

namespace ink {
namespace {

constexpr int64_t kEdge = 3;

void print_element(std::ostream& out, const Tensor& x, int64_t offset) {
  const Tensor element = view(x, {}, {}, offset);
  if (is_float(x.dtype())) {
    out << element.item();
  } else {
    out << *converted(element, Dtype::i64).data<int64_t>();
  }
}

void print_axis(std::ostream& out, const Tensor& x, int axis, int64_t offset) {
  if (axis == x.rank()) return print_element(out, x, offset);
  const int64_t extent = x.dim(axis), step = x.strides()[axis];
  const std::string gap =
      axis + 1 < x.rank() ? ",\n" + std::string(static_cast<size_t>(axis) + 1, ' ') : ", ";
  out << '[';
  for (int64_t i = 0; i < extent; ++i) {
    if (i) out << gap;
    if (i == kEdge && extent > 2 * kEdge + 1) {
      out << "…" << gap;
      i = extent - kEdge;
    }
    print_axis(out, x, axis + 1, offset + i * step);
  }
  out << ']';
}

}  // namespace

std::ostream& operator<<(std::ostream& out, const Tensor& x) {
  if (!x) return out << "undefined tensor";
  const auto flags = out.flags();
  const auto precision = out.precision(4);
  print_axis(out, x, 0, x.offset());
  out.flags(flags);
  out.precision(precision);
  return out << "  " << x.shape() << ' ' << name_of(x.dtype());
}

}  // namespace ink
