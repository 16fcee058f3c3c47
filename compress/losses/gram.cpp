// Losses between Gram matrices.
#include "compress/losses/gram.h"

#include "tensor/error.h"
#include "tensor/ops.h"

namespace ink {
namespace {

Tensor gram_of_channels(const LayerPair& x, const Sequences& sequences) {
  return matmul(sequences.over_lengths(sequences.apart(x.first)), sequences.apart(x.second), true,
                false);  // (B, C, C)
}

Tensor gram_of_tokens(const LayerPair& x, const Sequences& sequences) {
  check(x.first.dim(1) == x.second.dim(1), "nst_loss: expected two layers of one width, got ",
        x.first.dim(1), " and ", x.second.dim(1));
  const auto C = static_cast<double>(x.first.dim(1));
  return matmul(sequences.apart(scale(x.first, 1 / C)), sequences.apart(x.second), false,
                true);  // (B, L, L), 0 behind the ends
}

}  // namespace

Tensor fsp_loss(const LayerPair& student, const LayerPair& teacher, const Sequences& sequences) {
  const Tensor s = gram_of_channels(student, sequences), t = gram_of_channels(teacher, sequences);
  check(s.shape() == t.shape(), "fsp_loss: expected layers of the teacher's width, got ", s.shape(),
        " and ", t.shape());
  return mse_loss(s, t);
}

Tensor nst_loss(const LayerPair& student, const LayerPair& teacher, const Sequences& sequences) {
  const Tensor s = gram_of_tokens(student, sequences), t = gram_of_tokens(teacher, sequences);
  return scale(mse_loss(s, t), sequences.share_of_pairs());
}

}  // namespace ink
