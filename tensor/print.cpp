// Printing: nested brackets, long axes shortened to their first and last three entries.
#include <iomanip>

#include "tensor/tensor.h"

namespace ink {
namespace {

constexpr int64_t kEdge = 3;

void print_axis(std::ostream& out, const Tensor& x, const std::vector<double>& values, int axis,
                int64_t first) {
  if (axis == x.rank()) {
    out << values[static_cast<size_t>(first)];
    return;
  }
  int64_t step = 1;
  for (int i = axis + 1; i < x.rank(); ++i) step *= x.dim(i);
  out << '[';
  for (int64_t i = 0; i < x.dim(axis); ++i) {
    if (i)
      out << (axis + 1 < x.rank() ? ",\n" + std::string(static_cast<size_t>(axis) + 1, ' ') : ", ");
    if (i == kEdge && x.dim(axis) > 2 * kEdge + 1) {
      out << "…, ";
      i = x.dim(axis) - kEdge;
    }
    print_axis(out, x, values, axis + 1, first + i * step);
  }
  out << ']';
}

}  // namespace

std::ostream& operator<<(std::ostream& out, const Tensor& x) {
  if (!x) return out << "undefined tensor";
  const auto flags = out.flags();
  const auto precision = out.precision(4);
  print_axis(out, x, to_vector<double>(converted(x, Dtype::f64)), 0, 0);
  out.flags(flags);
  out.precision(precision);
  return out << "  " << x.shape() << ' ' << name_of(x.dtype());
}

}  // namespace ink
