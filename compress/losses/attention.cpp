// Losses between maps of attention.
#include "compress/losses/attention.h"

#include <algorithm>
#include <cmath>

#include "autograd/tape.h"
#include "tensor/error.h"
#include "tensor/ops.h"

namespace ink {
namespace {

constexpr double kBehind = -10000;   // added to scores behind a sequence's end
constexpr double kNegative = -1e-3;  // TextBrewer's limit of what counts as padding
constexpr double kLeast = 1e-30;     // keeps log finite; no probability of f32 is changed by it

void check_maps(const char* name, const Tensor& s, const Tensor& t, const Sequences& sequences) {
  check(s.rank() == 4 && s.dim(0) == sequences.count() && s.dim(2) == sequences.longest() &&
            s.dim(3) == sequences.longest(),
        "", name, ": expected maps (", sequences.count(), ", heads, ", sequences.longest(), ", ",
        sequences.longest(), "), got ", s.shape());
  check(s.shape() == t.shape(), "", name,
        ": student and teacher should have maps of one shape, got ", s.shape(), " and ", t.shape());
}

Tensor by_heads(const Tensor& rows, int64_t heads, const Sequences& sequences) {
  const Tensor x = sequences.apart(rows);
  return transpose(reshape(x, {x.dim(0), x.dim(1), heads, x.dim(2) / heads}), 1, 2);
}

Tensor wide_copy(const Tensor& x) { return wide(x.dtype()) == x.dtype() ? x : cast(x, Dtype::f32); }

// 1 where x > kNegative, else 0; a constant. h/(h + tiny) is 1 for every h that x + 10⁻³ may be.
Tensor above_limit(const Tensor& x) {
  const Pause pause;
  const Tensor h = relu(shift(x, -kNegative));
  return divide(h, shift(h, kLeast));
}

Tensor without_negative(const Tensor& x) { return multiply(x, above_limit(x)); }

Tensor rows_of(const Tensor& maps) { return reshape(maps, {-1, maps.dim(3)}); }

}  // namespace

Tensor attention_scores(const Tensor& query, const Tensor& key, int64_t heads,
                        const Sequences& sequences) {
  check(heads >= 1 && query.dim(1) % heads == 0 && query.shape() == key.shape(),
        "attention_scores: expected queries and keys of ", heads, " heads, got ", query.shape(),
        " and ", key.shape());
  const double D = static_cast<double>(query.dim(1)) / static_cast<double>(heads);
  const Tensor q = by_heads(scale(query, 1 / std::sqrt(D)), heads, sequences),
               k = by_heads(key, heads, sequences);
  return sequences.columns_shifted(wide_copy(matmul(q, k, false, true)), kBehind);
}

Tensor attention_probabilities(const Tensor& scores) { return softmax(scores); }

Tensor attention_mse_loss(const Tensor& student, const Tensor& teacher, const Sequences& sequences,
                          const AttentionLossOptions& options) {
  Tensor s = options.over_heads ? sum(student, 1, true) : student,
         t = options.over_heads ? sum(teacher, 1, true) : teacher;
  check_maps("attention_mse", s, t, sequences);
  if (options.negative_as_zero) s = without_negative(s), t = without_negative(t);
  const Tensor loss = mse_loss(sequences.pairs_kept(s), sequences.pairs_kept(t));
  return scale(loss, sequences.share_of_pairs());
}

Tensor attention_ce_loss(const Tensor& student, const Tensor& teacher, const Sequences& sequences,
                         const AttentionLossOptions& options) {
  const Tensor s = options.over_heads ? mean(student, 1, true) : student,
               t = options.over_heads ? mean(teacher, 1, true) : teacher;
  check_maps("attention_ce", s, t, sequences);
  Tensor p = options.distributions ? t : softmax(t);
  if (options.negative_as_zero) p = multiply(p, above_limit(t));
  p = sequences.pairs_kept(p);
  if (!options.distributions)
    return scale(soft_cross_entropy(rows_of(s), rows_of(p)), sequences.share_of_rows());
  const double rows = static_cast<double>(s.dim(1)) * static_cast<double>(sequences.tokens());
  return scale(sum(multiply(p, log(shift(s, kLeast)))), -1 / std::max(rows, 1.0));
}

Tensor relation_loss(const Tensor& student, const Tensor& teacher, const Sequences& sequences) {
  check_maps("relation_loss", student, teacher, sequences);
  const Tensor p = sequences.pairs_kept(softmax(teacher));
  return scale(kl_divergence(rows_of(student), rows_of(p)), sequences.share_of_rows());
}

}  // namespace ink
