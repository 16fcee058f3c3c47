// One call on the device and on the CPU, for the same inputs.
#pragma once
#include <vector>

#include "tests/cuda/device.h"
#include "tests/ops/outcome.h"

namespace ink {

struct Both {
  Outcome device, cpu;  // of the CPU in f32
};

// Inputs are rounded to `type` before, and dy as the device's result is. Integers stay on the host.
inline Both run_both(const Sample::Call& call, const std::vector<Tensor>& in, Dtype type) {
  std::vector<Tensor> here, there;
  for (const Tensor& x : in) {
    const bool real = is_float(x.dtype());
    const Tensor rounded = real ? converted(converted(x, Dtype::f32), type) : x;
    here.push_back(real ? converted(rounded, Dtype::f32) : x);
    there.push_back(real ? to(rounded, Device::cuda) : x);
  }
  const Sample sample{.label = "", .in = {}, .call = call};
  const Tensor y = call(there);
  const Tensor dy = converted(fixed_dy(converted(to(y, Device::cpu), Dtype::f32)), y.dtype());
  return {run(sample, there, to(dy, Device::cuda)), run(sample, here, converted(dy, Dtype::f32))};
}

// Results and gradients agree: in f32 but for the order of sums; in 16 bits within 2 units, where a
// gradient, which may read rounded results, has another unit of its largest element free. Two runs
// give the same bits.
inline void expect_agreement(const Sample::Call& call, const std::vector<Tensor>& in,
                             std::initializer_list<Dtype> types = {Dtype::f32, Dtype::f16,
                                                                   Dtype::bf16}) {
  for (const Dtype type : types) {
    const Both both = run_both(call, in, type);
    const auto compare = [type](const Tensor& got, const Tensor& expected, double slack) {
      ASSERT_EQ(got.device(), Device::cuda);
      if (type == Dtype::f32) {
        EXPECT_LE(normalized_error(got, expected), 1e-11) << nan_hint(got, expected);
      } else {
        EXPECT_LE(units_apart(got, expected, type, slack), 2)
            << name_of(type) << nan_hint(got, expected);
      }
    };
    compare(both.device.y, both.cpu.y, 1e-5);
    for (size_t k = 0; k < both.cpu.gradients.size(); ++k) {
      if (!both.cpu.gradients[k]) continue;
      ASSERT_TRUE(both.device.gradients[k]) << "gradient " << k << " is missing";
      compare(both.device.gradients[k], both.cpu.gradients[k], unit(type));
    }
    expect_same_bits(run_both(call, in, type).device, both.device, name_of(type));
  }
}

}  // namespace ink
