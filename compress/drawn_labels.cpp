// One draw for each decision.
#include "compress/drawn_labels.h"

#include "tensor/error.h"
#include "tensor/ops.h"

namespace ink {
namespace {

// The first class at which the probabilities, added up, exceed u.
int32_t class_at(const float* probabilities, int64_t classes, double u) {
  int64_t c = 0;
  for (double sum = 0; c + 1 < classes; ++c) {
    sum += probabilities[c];
    if (u < sum) break;
  }
  return static_cast<int32_t>(c);
}

// What a row of logits is read as.
Tensor expectations(const Tensor& logits, Problem problem) {
  switch (problem) {
    case Problem::single_label: return softmax(logits);
    case Problem::multi_label: return sigmoid(logits);
    case Problem::regression: return logits;
  }
  fail("importance: unknown problem ", static_cast<int>(problem));
}

// Number i of a stream, where `expected` is a probability or a mean.
float drawn_number(double expected, Problem problem, const Random& stream, uint64_t i) {
  if (problem == Problem::regression) return static_cast<float>(expected + stream.normal(i));
  return stream.uniform(i) < expected ? 1.0F : 0.0F;
}

}  // namespace

std::vector<int64_t> decisions_of(const Packed& batch, int64_t rows) {
  const int64_t B = batch.sequences();
  check(rows == B || rows == batch.tokens(), "importance: expected a label for each of ", B,
        " sequences or ", batch.tokens(), " tokens, got ", rows);
  std::vector<int64_t> starts;
  for (int64_t b = 0; b <= B; ++b)
    starts.push_back(rows == B ? b : batch.offsets.data<int32_t>()[b]);
  return starts;
}

Tensor drawn_labels(const Tensor& logits, Problem problem, const FeatureBatch& batch,
                    const Random& random) {
  const Tensor p = converted(to(expectations(logits, problem), Device::cpu), Dtype::f32);
  const int64_t L = p.dim(1);
  const std::vector<int64_t> starts = decisions_of(batch.inputs, p.dim(0));
  check(std::ssize(batch.rows) == batch.inputs.sequences(), "importance: expected the numbers of ",
        batch.inputs.sequences(), " examples to draw labels for, got ", batch.rows.size());
  const bool classes = problem == Problem::single_label;
  Tensor labels = classes ? Tensor(Shape{p.dim(0)}, Dtype::i32) : Tensor(p.shape(), Dtype::f32);
  for (size_t b = 0; b + 1 < starts.size(); ++b) {
    const Random stream = random.split(static_cast<uint64_t>(batch.rows[b]));
    for (int64_t r = starts[b]; r < starts[b + 1]; ++r) {
      const float* expected = p.data<float>() + r * L;
      const auto first = static_cast<uint64_t>(r - starts[b]);
      if (classes) labels.data<int32_t>()[r] = class_at(expected, L, stream.uniform(first));
      for (int64_t c = 0; !classes && c < L; ++c)
        labels.data<float>()[r * L + c] =
            drawn_number(expected[c], problem, stream,
                         first * static_cast<uint64_t>(L) + static_cast<uint64_t>(c));
    }
  }
  return labels;
}

Tensor surprise(const Tensor& logits, Problem problem, const Tensor& labels) {
  const auto rows = static_cast<double>(logits.dim(0)), all = static_cast<double>(logits.size());
  switch (problem) {
    case Problem::single_label: return scale(cross_entropy(logits, labels), rows);
    case Problem::multi_label:
      return scale(binary_cross_entropy(logits, like(logits, labels)), all);
    case Problem::regression: return scale(mse_loss(logits, like(logits, labels)), all / 2);
  }
  fail("importance: unknown problem ", static_cast<int>(problem));
}

}  // namespace ink
