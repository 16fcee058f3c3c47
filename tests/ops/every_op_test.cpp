// What every op must hold, shown on every sample it declares.
#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <cstdlib>
#include <new>
#include <set>

#include "autograd/gradient_check.h"
#include "autograd/tape.h"
#include "tensor/op_table.h"
#include "tensor/ops.h"
#include "tensor/parallel.h"
#include "tensor/simd.h"
#include "tests/ops/layouts.h"

// Counts calls of the global operator new, so that a test can show that ops do not reach it.
static std::atomic<int64_t> heap_allocations{0};
[[gnu::noinline]] void* operator new(std::size_t bytes) {
  heap_allocations.fetch_add(1, std::memory_order_relaxed);
  void* p = std::malloc(bytes ? bytes : 1);
  if (!p) throw std::bad_alloc();
  return p;
}
[[gnu::noinline]] void operator delete(void* p) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete(void* p, std::size_t) noexcept { std::free(p); }

namespace ink {
namespace {

std::vector<OpCase> large_cases() {
  std::vector<OpCase> cases = all_cases();
  std::erase_if(cases, [](const OpCase& c) { return !c.sample.bench; });
  return cases;
}

std::vector<OpCase> small_cases(bool fused_only) {
  std::vector<OpCase> cases = all_cases();
  std::erase_if(cases,
                [&](const OpCase& c) { return c.sample.bench || (fused_only && !c.op->fused); });
  return cases;
}

// The result of a call and the gradients of all its floating-point inputs for a fixed dy.
struct Outcome {
  Tensor y;
  std::vector<Tensor> gradients;
};

Outcome run(const Sample& sample, std::vector<Tensor> in) {
  Tape tape;
  for (Tensor& x : in) {
    if (is_float(x.dtype())) tape.watch(x);
  }
  Outcome out;
  out.y = sample.call(in);
  if (!tape.resolve(out.y.grad_id).tape) return out;  // nothing to differentiate
  Gradients g = tape.backward(out.y, randn(out.y.shape(), 77, out.y.dtype()));
  for (const Tensor& x : in) out.gradients.push_back(g[x] ? clone(g[x]) : Tensor());
  return out;
}

void expect_same_bits(const Outcome& a, const Outcome& b, const std::string& what) {
  EXPECT_TRUE(equal_bits(a.y, b.y)) << what << ": the result differs";
  ASSERT_EQ(a.gradients.size(), b.gradients.size());
  for (size_t i = 0; i < a.gradients.size(); ++i) {
    ASSERT_EQ(static_cast<bool>(a.gradients[i]), static_cast<bool>(b.gradients[i]));
    if (a.gradients[i]) {
      EXPECT_TRUE(equal_bits(a.gradients[i], b.gradients[i]))
          << what << ": gradient " << i << " differs";
    }
  }
}

double largest_difference(const Tensor& a, const Tensor& b) {
  EXPECT_EQ(a.shape(), b.shape());
  const std::vector<double> x = to_vector<double>(converted(a, Dtype::f64)),
                            y = to_vector<double>(converted(b, Dtype::f64));
  double worst = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    const double d = std::abs(x[i] - y[i]) / std::max(1.0, std::abs(y[i]));
    worst = d > worst || std::isnan(d) ? d : worst;
    if (std::isnan(worst)) break;
  }
  return worst;
}

class EveryOp : public testing::TestWithParam<OpCase> {};
class FusedOp : public EveryOp {};
class LargeOp : public EveryOp {};

TEST_P(EveryOp, GradientEqualsCentralDifferencesInF64) {
  const Sample& s = GetParam().sample;
  const GradientCheck result = check_gradients(s.call, s.in, {.tolerance = s.tolerance});
  EXPECT_TRUE(result.ok) << result.message;
}

TEST_P(EveryOp, RecordingDoesNotChangeTheResult) {
  const Sample& s = GetParam().sample;
  for (const Dtype dtype : {Dtype::f64, Dtype::f32}) {
    const std::vector<Tensor> in = inputs_as(s, dtype);
    EXPECT_TRUE(equal_bits(s.call(in), run(s, in).y)) << name_of(dtype);
  }
}

// The same values seen through other strides: from the end of a wider buffer, every second element,
// axes swapped.
TEST_P(EveryOp, StridesAndOffsetsDoNotMatter) {
  const Sample& s = GetParam().sample;
  const std::vector<Tensor> in = inputs_as(s, Dtype::f64);
  const Outcome expected = run(s, in);
  for (int layout = 0; layout < kLayouts; ++layout) {
    std::vector<Tensor> strided;
    for (const Tensor& x : in) strided.push_back(with_layout(x, layout));
    const Outcome got = run(s, strided);
    EXPECT_LT(largest_difference(got.y, expected.y), 1e-12) << "layout " << layout;
    for (size_t i = 0; i < expected.gradients.size(); ++i) {
      if (expected.gradients[i]) {
        EXPECT_LT(largest_difference(got.gradients[i], expected.gradients[i]), 1e-12)
            << "layout " << layout;
      }
    }
  }
}

// Memory is handed out full of NaN: an element that nobody assigns, or that is read before it is
// written, shows.
TEST_P(EveryOp, AssignsEveryElementOfResultAndGradients) {
  const Sample& s = GetParam().sample;
  const std::vector<Tensor> in = inputs_as(s, Dtype::f64);
  const Outcome expected = run(s, in);
  fill_blocks(true);
  const Outcome got = run(s, in);
  fill_blocks(false);
  expect_same_bits(got, expected, "pre-filled memory");
}

TEST_P(EveryOp, ThreadsDoNotMatter) {
  const Sample& s = GetParam().sample;
  const int before = threads();
  for (const Dtype dtype : {Dtype::f64, Dtype::f32}) {
    const std::vector<Tensor> in = inputs_as(s, dtype);
    set_threads(1);
    const Outcome expected = run(s, in);
    for (const int n : {2, 3, 8}) {
      set_threads(n);
      expect_same_bits(run(s, in), expected, std::to_string(n) + " threads, " + name_of(dtype));
    }
  }
  set_threads(before);
}

TEST_P(EveryOp, F32AgreesWithF64) {
  const Sample& s = GetParam().sample;
  const Outcome exact = run(s, inputs_as(s, Dtype::f64)), got = run(s, inputs_as(s, Dtype::f32));
  EXPECT_LT(largest_difference(got.y, exact.y), 2e-5);
  for (size_t i = 0; i < exact.gradients.size(); ++i) {
    if (exact.gradients[i]) {
      EXPECT_LT(largest_difference(got.gradients[i], exact.gradients[i]), 1e-4) << "gradient " << i;
    }
  }
}

TEST_P(EveryOp, EveryInstructionSetAgrees) {
  const Sample& s = GetParam().sample;
  const simd::Level before = simd::level();
  const std::vector<Tensor> in = inputs_as(s, Dtype::f32);
  simd::set_level(simd::Level::portable);
  const Outcome expected = run(s, in);
  for (const simd::Level level : {simd::Level::avx2, simd::Level::avx512}) {
    if (level > simd::best()) continue;
    simd::set_level(level);
    const Outcome got = run(s, in);
    EXPECT_LT(largest_difference(got.y, expected.y), 2e-5) << simd::name_of(level);
    for (size_t i = 0; i < expected.gradients.size(); ++i) {
      if (expected.gradients[i]) {
        EXPECT_LT(largest_difference(got.gradients[i], expected.gradients[i]), 1e-4)
            << simd::name_of(level);
      }
    }
  }
  simd::set_level(before);
}

TEST_P(FusedOp, EqualsItsReference) {
  const Sample& s = GetParam().sample;
  const std::vector<Tensor> in = inputs_as(s, Dtype::f64);
  const Outcome fused = run(s, in);
  fusion = false;
  const Outcome reference = run(s, in);
  fusion = true;
  EXPECT_LT(largest_difference(fused.y, reference.y), 1e-9);
  for (size_t i = 0; i < reference.gradients.size(); ++i) {
    if (reference.gradients[i]) {
      EXPECT_LT(largest_difference(fused.gradients[i], reference.gradients[i]), 1e-9)
          << "gradient " << i;
    }
  }
}

// A steady step works in pool memory alone.
TEST_P(EveryOp, SecondRunAllocatesNothing) {
  const Sample& s = GetParam().sample;
  std::vector<Tensor> in = inputs_as(s, Dtype::f32);
  const auto step = [&] {
    Tape tape;
    for (Tensor& x : in) {
      if (is_float(x.dtype())) tape.watch(x);
    }
    const int64_t before = heap_allocations;
    const Tensor y = s.call(in);
    int64_t calls = heap_allocations - before;
    if (tape.resolve(y.grad_id).tape) {
      const Tensor dy = full(y.shape(), 1, y.dtype());
      const int64_t start = heap_allocations;
      tape.backward(y, dy);
      calls += heap_allocations - start;
    }
    return calls;
  };
  step();
  step();
  const uint64_t system = pool_statistics().system_allocations;
  EXPECT_EQ(step(), 0) << "operator new was called";
  EXPECT_EQ(pool_statistics().system_allocations, system) << "the pool had to ask the system";
}

// Large enough that every thread has several chunks.
TEST_P(LargeOp, ThreadsDoNotMatter) {
  const Sample& s = GetParam().sample;
  const int before = threads();
  const std::vector<Tensor> in = inputs_as(s, Dtype::f32);
  set_threads(1);
  const Outcome expected = run(s, in);
  set_threads(3);
  expect_same_bits(run(s, in), expected, "3 threads");
  set_threads(before);
}

std::string test_name(const testing::TestParamInfo<OpCase>& info) {
  std::string name = info.param.name();
  for (char& c : name) {
    if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
  }
  return name + "_" + std::to_string(info.index);
}

INSTANTIATE_TEST_SUITE_P(Samples, EveryOp, testing::ValuesIn(small_cases(false)), test_name);
INSTANTIATE_TEST_SUITE_P(Samples, LargeOp, testing::ValuesIn(large_cases()), test_name);
INSTANTIATE_TEST_SUITE_P(Samples, FusedOp, testing::ValuesIn(small_cases(true)), test_name);

TEST(OpTable, HoldsEveryOpOnceWithSamplesAndABench) {
  std::set<std::string> names;
  for (const OpEntry& op : all_ops()) {
    EXPECT_TRUE(names.insert(op.name).second) << op.name << " is listed twice";
    std::set<std::string> labels;
    for (const Sample& s : op.samples()) {
      EXPECT_TRUE(labels.insert(s.label).second)
          << op.name << ": two samples are called " << s.label;
    }
    EXPECT_GE(labels.size(), 2U) << op.name;
  }
  EXPECT_GE(names.size(), 40U);
}

}  // namespace
}  // namespace ink
