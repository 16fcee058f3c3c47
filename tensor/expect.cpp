// Checks of an op's arguments.
#include "tensor/expect.h"

namespace ink {

void expect(const char* op, const char* argument, const Tensor& t, Dtype dtype,
            const Shape& shape) {
  check(static_cast<bool>(t), "", op, ": ", argument, " should be ", name_of(dtype), ' ', shape,
        ", got an undefined tensor");
  check(t.dtype() == dtype && t.shape() == shape, "", op, ": ", argument, " should be ",
        name_of(dtype), ' ', shape, ", got ", name_of(t.dtype()), ' ', t.shape());
}

void expect_like(const char* op, const char* argument, const Tensor& t, const Tensor& x) {
  expect(op, argument, t, x.dtype(), x.shape());
  check(t.device() == x.device(), "", op, ": ", argument, " should be on ", name_of(x.device()),
        ", got a tensor on ", name_of(t.device()));
}

void expect_rank(const char* op, const char* argument, const Tensor& t, int rank) {
  check(static_cast<bool>(t), "", op, ": ", argument, " is an undefined tensor");
  check(t.rank() == rank, "", op, ": ", argument, " should have ", rank,
        rank == 1 ? " axis" : " axes", ", got shape ", t.shape());
}

int64_t rows_of(const char* op, const Tensor& x) {
  check(static_cast<bool>(x), "", op, ": the input is an undefined tensor");
  check(x.rank() >= 1, "", op, ": expected at least one axis, got a scalar");
  int64_t rows = 1;
  for (int i = 0; i + 1 < x.rank(); ++i) rows *= x.dim(i);
  return rows;
}

}  // namespace ink
