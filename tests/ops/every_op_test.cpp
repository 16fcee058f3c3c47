// What every op must hold, shown on every small sample it declares.
#include <atomic>
#include <cstdlib>
#include <new>
#include <set>

#include "autograd/gradient_check.h"
#include "tensor/simd.h"
#include "tests/ops/layouts.h"
#include "tests/ops/outcome.h"

// Counts calls of the global operator new, so that a test can show that ops do not reach it.
static std::atomic<int64_t> allocations{0};
[[gnu::noinline]] void* operator new(std::size_t bytes) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  void* p = std::malloc(bytes ? bytes : 1);
  if (!p) throw std::bad_alloc();
  return p;
}
[[gnu::noinline]] void operator delete(void* p) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete(void* p, std::size_t) noexcept { std::free(p); }

namespace ink {

int64_t heap_allocations() { return allocations; }

namespace {

class EveryOp : public testing::TestWithParam<OpCase> {
 protected:
  const Sample& s = GetParam().sample;
};
class FusedOp : public EveryOp {};
class RowwiseOp : public EveryOp {};

TEST_P(EveryOp, GradientEqualsCentralDifferencesInF64) {
  const GradientCheck result = check_gradients(s.call, s.in, {.tolerance = s.tolerance});
  EXPECT_TRUE(result.ok) << result.message;
}

TEST_P(EveryOp, RecordingDoesNotChangeTheResult) {
  for (const Dtype dtype : {Dtype::f64, Dtype::f32}) {
    const std::vector<Tensor> in = inputs_as(s, dtype);
    EXPECT_TRUE(equal_bits(s.call(in), run(s, in).y)) << name_of(dtype);
  }
}

// Inputs seen through other strides give what their row-major copies give.
TEST_P(EveryOp, StridesAndOffsetsDoNotMatter) {
  for (int layout = 0; layout < kLayouts; ++layout) {
    std::vector<Tensor> strided, packed;
    for (const Tensor& x : inputs_as(s, Dtype::f64)) {
      strided.push_back(with_layout(x, layout));
      packed.push_back(clone(strided.back()));
    }
    expect_close(run(s, strided), run(s, packed), 1e-12, 1e-12, "layout " + std::to_string(layout));
  }
}

// Memory is handed out full of NaN: an element that nobody assigns, or that is read before it is
// written, shows.
TEST_P(EveryOp, AssignsEveryElementOfResultAndGradients) {
  const std::vector<Tensor> in = inputs_as(s, Dtype::f64);
  const Outcome expected = run(s, in);
  fill_blocks(true);
  const Outcome got = run(s, in);
  fill_blocks(false);
  expect_same_bits(got, expected, "pre-filled memory");
}

// One chunk worked through by one thread against many chunks and many threads.
TEST_P(EveryOp, ChunksAndThreadsDoNotMatter) {
  for (const Dtype dtype : {Dtype::f64, Dtype::f32}) {
    const std::vector<Tensor> in = inputs_as(s, dtype);
    const Outcome expected = run(s, in);
    const SmallChunks chunks;
    for_each_thread_count([&](const std::string& threads) {
      expect_same_bits(run(s, in), expected, threads + ", " + name_of(dtype));
    });
  }
}

TEST_P(EveryOp, F32AgreesWithF64) {
  expect_close(run(s, inputs_as(s, Dtype::f32)), run(s, rounded_inputs(s)), 2e-6, 1e-5, "f32");
}

TEST_P(EveryOp, EveryInstructionSetAgrees) {
  const simd::Level before = simd::level();
  const std::vector<Tensor> in = inputs_as(s, Dtype::f32);
  simd::set_level(simd::Level::portable);
  const Outcome expected = run(s, in);
  for (const simd::Level level : {simd::Level::avx2, simd::Level::avx512}) {
    if (level > simd::best()) continue;
    simd::set_level(level);
    expect_close(run(s, in), expected, 2e-6, 1e-5, simd::name_of(level));
  }
  simd::set_level(before);
}

// A gradient is the same whichever others are wanted beside it.
TEST_P(EveryOp, EachGradientAloneIsTheSame) {
  const std::vector<Tensor> in = inputs_as(s, Dtype::f32);
  const Outcome all = run(s, in);
  for (size_t k = 0; k < in.size(); ++k) {
    if (!all.gradients[k]) continue;
    const Outcome alone = run(s, in, {}, k);
    ASSERT_TRUE(alone.gradients[k]) << k;
    EXPECT_TRUE(equal_bits(alone.gradients[k], all.gradients[k])) << k;
  }
}

// A steady step works in pool memory alone.
TEST_P(EveryOp, ASteadyStepAllocatesNothing) {
  allocations_of_a_step(s);
  const uint64_t system = pool_statistics().system_allocations;
  EXPECT_EQ(allocations_of_a_step(s), 0) << "operator new was called";
  EXPECT_EQ(pool_statistics().system_allocations, system) << "the pool had to ask the system";
}

TEST_P(FusedOp, EqualsItsReference) {
  const std::vector<Tensor> in = inputs_as(s, Dtype::f64);
  const Outcome fused = run(s, in);
  fusion = false;
  const Outcome reference = run(s, in);
  fusion = true;
  expect_close(fused, reference, 1e-9, 1e-9, "fused");
}

TEST_P(RowwiseOp, ARowDoesNotDependOnItsBatch) { expect_rows_stand_alone(s); }

INSTANTIATE_TEST_SUITE_P(Samples, EveryOp, testing::ValuesIn(cases_where([](const OpCase& c) {
                           return !c.sample.bench;
                         })),
                         test_name);
INSTANTIATE_TEST_SUITE_P(Samples, FusedOp, testing::ValuesIn(cases_where([](const OpCase& c) {
                           return !c.sample.bench && c.op->fused;
                         })),
                         test_name);
INSTANTIATE_TEST_SUITE_P(Samples, RowwiseOp, testing::ValuesIn(cases_where([](const OpCase& c) {
                           return !c.sample.bench && !c.sample.by_row.empty();
                         })),
                         test_name);

// ── the table ───────────────────────────────────────────────────────────────────────────────────

TEST(OpTable, HoldsEveryOpOnceWithSamplesAndABench) {
  std::set<std::string> names;
  for (const OpEntry& op : all_ops()) {
    EXPECT_TRUE(names.insert(op.name).second) << op.name << " is listed twice";
    std::set<std::string> labels;
    size_t large = 0;
    for (const Sample& s : op.samples()) {
      EXPECT_TRUE(labels.insert(s.label).second)
          << op.name << ": two samples are called " << s.label;
      large += s.bench ? 1 : 0;
    }
    EXPECT_GE(large, 1U) << op.name << " has no sample for the bench";
    EXPECT_GE(labels.size() - large, 2U) << op.name;
  }
  EXPECT_GE(names.size(), 40U);
}

double share_of_zeros(const Tensor& x) {
  const std::vector<double> values = numbers(x);
  return static_cast<double>(std::count(values.begin(), values.end(), 0.0)) /
         static_cast<double>(std::max<size_t>(1, values.size()));
}

// Zeros are easy to agree on: some sample must have a result and gradients that are not mostly 0.
TEST(OpTable, SamplesShowResultsAndGradientsThatAreNotZero) {
  for (const OpEntry& op : all_ops()) {
    double result = 1;
    std::vector<double> gradients;
    for (const Sample& s : op.samples()) {
      if (s.bench) continue;
      const Outcome outcome = run(s, s.in);
      if (outcome.y.size() > 0) result = std::min(result, share_of_zeros(outcome.y));
      gradients.resize(std::max(gradients.size(), outcome.gradients.size()), 1);
      for (size_t k = 0; k < outcome.gradients.size(); ++k) {
        const bool nothing = is_float(s.in[k].dtype()) &&
                             (!outcome.gradients[k] || outcome.gradients[k].size() == 0);
        if (nothing) continue;
        const double share = outcome.gradients[k] ? share_of_zeros(outcome.gradients[k]) : 0;
        gradients[k] = std::min(gradients[k], share);
      }
    }
    EXPECT_LE(result, 0.5) << op.name << ": results are mostly zeros";
    for (size_t k = 0; k < gradients.size(); ++k) {
      EXPECT_LE(gradients[k], 0.5)
          << op.name << ": gradients of input " << k << " are mostly zeros";
    }
  }
}

}  // namespace
}  // namespace ink
