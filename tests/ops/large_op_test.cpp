// What every op must hold at the size of real work: the samples that the bench times.
#include "tensor/allocator.h"
#include "tests/ops/outcome.h"

namespace ink {
namespace {

class LargeOp : public testing::TestWithParam<OpCase> {
 protected:
  const Sample& s = GetParam().sample;
};

double dot(const Tensor& a, const Tensor& b) {
  const Tensor left = contiguous(a), right = contiguous(b);
  double sum = 0;
  for (int64_t i = 0; i < left.size(); ++i) sum += left.data<double>()[i] * right.data<double>()[i];
  return sum;
}

// x + h·v, or x itself where it is not differentiated.
std::vector<Tensor> moved(const std::vector<Tensor>& in, const std::vector<Tensor>& direction,
                          double h) {
  std::vector<Tensor> out = in;
  for (size_t k = 0; k < in.size(); ++k) {
    if (direction[k]) out[k] = add(in[k], scale(direction[k], h));
  }
  return out;
}

// Σ g·v against (L(x + hv) − L(x − hv))/2h with L = Σ y·dy, for one random v in all inputs.
void expect_derivative(const Sample& s, const std::vector<Tensor>& in, const Outcome& exact) {
  constexpr double h = 1e-7;
  std::vector<Tensor> direction(in.size());
  double expected = 0, size = 0;
  for (size_t k = 0; k < in.size(); ++k) {
    if (!exact.gradients[k]) continue;
    direction[k] = randn(in[k].shape(), 100 + k);
    expected += dot(exact.gradients[k], direction[k]);
    size += std::sqrt(dot(square(exact.gradients[k]), square(direction[k])));
  }
  const Tensor change = subtract(s.call(moved(in, direction, h)), s.call(moved(in, direction, -h)));
  EXPECT_NEAR(dot(change, fixed_dy(exact.y)) / (2 * h), expected, 1e-4 * size);
}

TEST_P(LargeOp, GradientReferenceAndF32Agree) {
  const std::vector<Tensor> in = rounded_inputs(s);
  const Outcome exact = run(s, in);
  expect_derivative(s, in, exact);
  expect_close(run(s, inputs_as(s, Dtype::f32)), exact, 5e-6, 2e-5, "f32");
  if (!GetParam().op->fused) return;
  fusion = false;
  const Outcome reference = run(s, in);
  fusion = true;
  expect_close(exact, reference, 1e-9, 1e-9, "fused");
}

TEST_P(LargeOp, ThreadsRecordingAndOldMemoryDoNotMatter) {
  const std::vector<Tensor> in = inputs_as(s, Dtype::f32);
  const Outcome expected = run(s, in);
  EXPECT_TRUE(equal_bits(s.call(in), expected.y)) << "recording changes the result";
  fill_blocks(true);
  for_each_thread_count(
      [&](const std::string& threads) { expect_same_bits(run(s, in), expected, threads); });
  fill_blocks(false);
}

TEST_P(LargeOp, ASteadyStepAllocatesNothing) { EXPECT_EQ(allocations_of_a_step(s), 0); }

TEST_P(LargeOp, ARowDoesNotDependOnItsBatch) {
  if (!s.by_row.empty()) expect_rows_stand_alone(s);
}

INSTANTIATE_TEST_SUITE_P(Samples, LargeOp, testing::ValuesIn(cases_where([](const OpCase& c) {
                           return c.sample.bench;
                         })),
                         test_name);

}  // namespace
}  // namespace ink
