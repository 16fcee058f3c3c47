// Runs one sample of an op with all its gradients, and compares two such runs.
#pragma once
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <iterator>
#include <limits>
#include <string>
#include <vector>

#include "autograd/tape.h"
#include "tensor/op_table.h"
#include "tensor/parallel.h"
#include "tests/ops/values.h"

namespace ink {

// Calls of the global operator new so far: every_op_test.cpp counts them.
int64_t heap_allocations();

// The result of a call and the gradients of its floating-point inputs for one dy.
struct Outcome {
  Tensor y;
  std::vector<Tensor> gradients;  // undefined where an input is not watched or has no influence
};

inline constexpr size_t kAll = std::numeric_limits<size_t>::max();

inline void watch(Tape& tape, std::vector<Tensor>& in, size_t only = kAll) {
  for (size_t k = 0; k < in.size(); ++k) {
    if (is_float(in[k].dtype()) && (only == kAll || only == k)) tape.watch(in[k]);
  }
}

inline Tensor fixed_dy(const Tensor& y) { return randn(y.shape(), 77, y.dtype()); }

// With `only`, that input alone is watched. Without a dy it is fixed_dy of the result.
inline Outcome run(const Sample& sample, std::vector<Tensor> in, const Tensor& dy = {},
                   size_t only = kAll) {
  Tape tape;
  watch(tape, in, only);
  Outcome out;
  out.y = sample.call(in);
  out.gradients.resize(in.size());
  if (!tape.resolve(out.y.grad_id).tape) return out;  // nothing to differentiate
  Gradients g = tape.backward(out.y, dy ? dy : fixed_dy(out.y));
  for (size_t k = 0; k < in.size(); ++k) {
    if (g[in[k]]) out.gradients[k] = clone(g[in[k]]);
  }
  return out;
}

inline void expect_same_bits(const Outcome& a, const Outcome& b, const std::string& what) {
  EXPECT_TRUE(equal_bits(a.y, b.y)) << what << ": the result differs";
  for (size_t k = 0; k < a.gradients.size(); ++k) {
    ASSERT_EQ(static_cast<bool>(a.gradients[k]), static_cast<bool>(b.gradients[k]));
    if (a.gradients[k]) {
      EXPECT_TRUE(equal_bits(a.gradients[k], b.gradients[k]))
          << what << ": gradient " << k << " differs";
    }
  }
}

// The largest difference, relative to the largest element of b: an op's results are of one kind, so
// that is the size at which an error matters. Infinite where either is not a number.
inline double largest_difference(const Tensor& a, const Tensor& b) {
  EXPECT_EQ(a.shape(), b.shape());
  const Tensor left = contiguous(converted(a, Dtype::f64)),
               right = contiguous(converted(b, Dtype::f64));
  if (left.size() != right.size() || left.size() == 0) return left.size() == right.size() ? 0 : 1;
  const double *x = left.data<double>(), *y = right.data<double>();
  double worst = 0, largest = 1e-6;  // below that, what is left is rounding
  for (int64_t i = 0; i < left.size(); ++i) {
    const double difference = std::abs(x[i] - y[i]);
    if (std::isnan(difference)) return std::numeric_limits<double>::infinity();
    worst = std::max(worst, difference);
    largest = std::max(largest, std::abs(y[i]));
  }
  return worst / largest;
}

inline void expect_close(const Outcome& got, const Outcome& expected, double tolerance,
                         double gradient_tolerance, const std::string& what) {
  EXPECT_LE(largest_difference(got.y, expected.y), tolerance) << what;
  ASSERT_EQ(got.gradients.size(), expected.gradients.size());
  for (size_t k = 0; k < expected.gradients.size(); ++k) {
    if (!expected.gradients[k]) continue;
    ASSERT_TRUE(got.gradients[k]) << what << ": gradient " << k << " is missing";
    EXPECT_LE(largest_difference(got.gradients[k], expected.gradients[k]), gradient_tolerance)
        << what << ", gradient " << k;
  }
}

// While it lives, parallel_for cuts chunks of so few elements that small samples have many.
class SmallChunks {
 public:
  SmallChunks() : before_(std::exchange(chunk_elements, 7)) {}
  ~SmallChunks() { chunk_elements = before_; }
  SmallChunks(const SmallChunks&) = delete;
  SmallChunks& operator=(const SmallChunks&) = delete;

 private:
  int64_t before_;
};

// Calls f for several numbers of threads, and restores the present one.
template <class F>
void for_each_thread_count(const F& f) {
  const int before = threads();
  for (const int n : {1, 2, 3, 8}) {
    set_threads(n);
    f(std::to_string(n) + " threads");
  }
  set_threads(before);
}

// How often one more step, forward and back, of a sample calls operator new, when two came before.
inline int64_t allocations_of_a_step(const Sample& sample) {
  std::vector<Tensor> in = inputs_as(sample, Dtype::f32);
  const auto step = [&] {
    Tape tape;
    watch(tape, in);
    const int64_t before = heap_allocations();
    const Tensor y = sample.call(in);
    int64_t calls = heap_allocations() - before;
    if (tape.resolve(y.grad_id).tape) {
      const Tensor dy = full(y.shape(), 1, y.dtype());
      const int64_t start = heap_allocations();
      tape.backward(y, dy);
      calls += heap_allocations() - start;
    }
    return calls;
  };
  step();
  step();
  return step();
}

// Row n of inputs and result is the same bits when it stands alone.
inline void expect_rows_stand_alone(const Sample& s) {
  const std::vector<Tensor> in = inputs_as(s, Dtype::f32);
  const int64_t N = in[s.by_row[0]].dim(0);
  const Tensor dy = fixed_dy(s.call(in));
  const Outcome all = run(s, in, dy);
  for (const int64_t n : {int64_t{0}, N / 2, N - 1}) {
    if (n < 0 || n >= N) continue;
    std::vector<Tensor> one = in;
    for (const size_t k : s.by_row) one[k] = rows(in[k], n, n + 1);
    const Outcome alone = run(s, one, rows(dy, n, n + 1));
    EXPECT_TRUE(equal_bits(alone.y, rows(all.y, n, n + 1))) << "row " << n;
    for (const size_t k : s.by_row) {
      if (!all.gradients[k]) continue;
      EXPECT_TRUE(equal_bits(alone.gradients[k], rows(all.gradients[k], n, n + 1)))
          << "row " << n << " of gradient " << k;
    }
  }
}

// Inputs as f32 would round them, in f64: so the two types compute from the same numbers.
inline std::vector<Tensor> rounded_inputs(const Sample& sample) {
  std::vector<Tensor> in = inputs_as(sample, Dtype::f32);
  for (Tensor& x : in) {
    if (is_float(x.dtype())) x = converted(x, Dtype::f64);
  }
  return in;
}

// The samples that `wanted` chooses. They are made once: the large ones fill memory.
inline std::vector<OpCase> cases_where(const std::function<bool(const OpCase&)>& wanted) {
  static const std::vector<OpCase> all = all_cases();
  std::vector<OpCase> cases;
  std::copy_if(all.begin(), all.end(), std::back_inserter(cases), wanted);
  return cases;
}

// What a failure shows; the name is gtest's.
inline void PrintTo(const OpCase& c, std::ostream* out) { *out << c.name(); }  // NOLINT

inline std::string test_name(const testing::TestParamInfo<OpCase>& info) {
  std::string name = info.param.name();
  for (char& c : name) {
    if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
  }
  return name + "_" + std::to_string(info.index);
}

}  // namespace ink
