// Losses between logits.
#include "compress/losses/logits.h"

#include <algorithm>
#include <cmath>

#include "tensor/error.h"
#include "tensor/ops.h"

namespace ink {
namespace {

// (…, C) → (rows, C)
Tensor as_rows(const Tensor& x) { return x.rank() == 2 ? x : reshape(x, {-1, x.dim(-1)}); }

void check_shapes(const Tensor& student, const Tensor& teacher) {
  check(student && teacher, "kd_loss: expected logits of student and teacher");
  check(student.rank() >= 2, "kd_loss: logits should be (rows, classes), got ", student.shape());
  check(student.shape() == teacher.shape(),
        "kd_loss: student and teacher should have logits of one shape, got ", student.shape(),
        " and ", teacher.shape());
}

// Of logits that have been divided by the temperature.
Tensor tempered(const Tensor& student, const Tensor& teacher, KdLoss type) {
  switch (type) {
    case KdLoss::ce: return soft_cross_entropy(student, softmax(teacher));
    case KdLoss::kl: return kl_divergence(student, softmax(teacher));
    case KdLoss::mse:
    case KdLoss::regression: return mse_loss(student, teacher);
    case KdLoss::bce: return binary_cross_entropy(student, sigmoid(teacher));
  }
  fail("kd_loss: unknown type ", static_cast<int>(type));
}

}  // namespace

Tensor kd_loss(const Tensor& student, const Tensor& teacher, KdLoss type, double temperature) {
  check_shapes(student, teacher);
  check(temperature > 0, "kd_loss: expected a temperature above 0, got ", temperature);
  const double factor = type == KdLoss::regression ? 1 : 1 / temperature;
  return tempered(scale(as_rows(student), factor), scale(as_rows(teacher), factor), type);
}

Tensor kd_loss(const Tensor& student, const Tensor& teacher, KdLoss type,
               const Tensor& temperatures) {
  check_shapes(student, teacher);
  const Tensor s = as_rows(student), t = as_rows(teacher);
  check(temperatures && temperatures.size() == s.dim(0), "kd_loss: expected a temperature for ",
        "each of ", s.dim(0), " rows, got ", temperatures.size());
  if (type == KdLoss::regression) return tempered(s, t, type);
  Tensor column = reshape(temperatures, {s.dim(0), 1});
  column.grad_id = {};
  return tempered(divide(s, column), divide(t, column), type);
}

Tensor kd_loss(std::span<const Tensor> students, std::span<const Tensor> teachers, KdLoss type,
               double temperature) {
  check(!students.empty() && students.size() == teachers.size(),
        "kd_loss: expected as many logits of the teacher as of the student, got ", teachers.size(),
        " and ", students.size());
  Tensor total;
  for (size_t i = 0; i < students.size(); ++i) {
    const Tensor part = kd_loss(students[i], teachers[i], type, temperature);
    total = total ? add(total, part) : part;
  }
  return total;
}

namespace {

// The rows of numbers (rows, C) that are known.
std::vector<int32_t> known_rows(const Tensor& numbers) {
  const auto values = to_vector<double>(converted(on_host(numbers), Dtype::f64));
  const auto C = static_cast<size_t>(numbers.dim(1));
  std::vector<int32_t> rows;
  for (size_t first = 0; first < values.size(); first += C)
    if (std::none_of(&values[first], &values[first] + C, [](double x) { return std::isnan(x); }))
      rows.push_back(static_cast<int32_t>(first / C));
  return rows;
}

}  // namespace

bool any_known(const Tensor& labels) {
  if (labels.dtype() != Dtype::i32) {
    const auto all = to_vector<double>(converted(on_host(labels), Dtype::f64));
    return std::ranges::any_of(all, [](double x) { return !std::isnan(x); });
  }
  const std::vector<int32_t> all = to_vector<int32_t>(on_host(labels));
  return std::ranges::any_of(all, [](int32_t label) { return label != kIgnore; });
}

Tensor hard_label_loss(const Tensor& logits, const Tensor& labels, KdLoss type) {
  if (labels.dtype() == Dtype::i32) return cross_entropy(logits, labels);
  check(type == KdLoss::bce || type == KdLoss::regression,
        "hard_label_loss: labels that are numbers go with kd_loss_type bce or regression; "
        "expected i32");
  check(labels.size() == logits.size(), "hard_label_loss: expected labels for logits ",
        logits.shape(), ", got ", labels.shape());
  Tensor said = as_rows(logits), wanted = like(logits, reshape(labels, said.shape()));
  const std::vector<int32_t> rows = known_rows(wanted);
  if (rows.empty()) return scale(mse_loss(said, clone(said)), 0);
  if (std::ssize(rows) < said.dim(0)) {
    said = gather_rows(said, from(rows));
    wanted = gather_rows(wanted, from(rows));
  }
  return type == KdLoss::bce ? binary_cross_entropy(said, wanted) : mse_loss(said, wanted);
}

namespace {

template <class T>
void shift_rows(Tensor& logits, const std::vector<int32_t>& labels) {
  const int64_t C = logits.dim(1);
  T* row = logits.data<T>();
  for (size_t n = 0; n < labels.size(); ++n, row += C) {
    if (labels[n] < 0) continue;
    check(labels[n] < C, "probability_shift: label ", labels[n], " of row ", n, " is none of ", C,
          " classes");
    std::iter_swap(std::max_element(row, row + C), row + labels[n]);
  }
}

}  // namespace

Tensor probability_shift(const Tensor& logits, const Tensor& labels) {
  check(logits && logits.rank() >= 2, "probability_shift: expected logits (rows, classes)");
  check(labels && labels.dtype() == Dtype::i32 && labels.size() * logits.dim(-1) == logits.size(),
        "probability_shift: expected a label i32 for each row of ", logits.shape());
  const Tensor read = on_host(logits);
  Tensor rows =
      clone(view(read, {labels.size(), logits.dim(-1)}, {logits.dim(-1), 1}, read.offset()));
  const std::vector<int32_t> wanted = to_vector<int32_t>(on_host(labels));
  if (rows.dtype() == Dtype::f64)
    shift_rows<double>(rows, wanted);
  else
    shift_rows<float>(rows, wanted);
  return like(logits, reshape(rows, logits.shape()));
}

}  // namespace ink
