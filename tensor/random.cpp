// Random values: Box-Muller normals and reproducible tensors for samples and tests.
#include <algorithm>
#include <cmath>
#include <numbers>

#include "tensor/op.h"

namespace ink {

double Random::normal(uint64_t i) const {
  const auto r = block(i);
  const double u = (r[0] + 0.5) * 0x1p-32, angle = 2 * std::numbers::pi * (r[1] * 0x1p-32);
  return std::sqrt(-2 * std::log(u)) * std::cos(angle);
}

namespace {

// Values of the first kBlock elements; larger tensors repeat them, so that inputs of
// benches cost little.
constexpr int64_t kBlock = 1 << 16;

template <class F>
Tensor filled(Shape shape, Dtype dtype, F&& value) {
  Tensor x(shape, Dtype::f64);
  double* data = x.data<double>();
  const int64_t n = x.size();
  for (int64_t i = 0; i < std::min(n, kBlock); ++i) data[i] = value(static_cast<uint64_t>(i));
  for (int64_t i = kBlock; i < n; i += kBlock) std::copy_n(data, std::min(n - i, kBlock), data + i);
  return converted(x, dtype);
}

}  // namespace

Tensor randn(Shape shape, uint64_t seed, Dtype dtype) {
  return filled(shape, dtype, [r = Random(seed)](uint64_t i) { return r.normal(i); });
}
Tensor rand_uniform(Shape shape, uint64_t seed, double low, double high, Dtype dtype) {
  return filled(shape, dtype,
                [=, r = Random(seed)](uint64_t i) { return low + (high - low) * r.uniform(i); });
}
Tensor randint(Shape shape, uint64_t seed, int64_t low, int64_t high) {
  check(low < high, "randint: expected low < high, got [", low, ", ", high, ")");
  return filled(shape, Dtype::i32, [=, r = Random(seed)](uint64_t i) {
    return static_cast<double>(low +
                               static_cast<int64_t>(r.below(i, static_cast<uint64_t>(high - low))));
  });
}

Tensor coarse(const Tensor& x) {
  const Tensor f16 = converted(converted(x, Dtype::f32), Dtype::f16);
  return converted(converted(converted(f16, Dtype::bf16), Dtype::f32), Dtype::f64);
}

}  // namespace ink
