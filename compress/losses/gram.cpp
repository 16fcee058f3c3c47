// Losses between Gram matrices.
#include "compress/losses/gram.h"

#include "tensor/error.h"
#include "tensor/ops.h"

namespace ink {
namespace {

// Both layers, (B, L, C).
LayerPair apart(const LayerPair& x, const Sequences& sequences) {
  const Tensor first = sequences.apart(x.first);
  return {first, x.second ? sequences.apart(x.second) : first};
}

Tensor gram_of_channels(const LayerPair& x, const Sequences& sequences) {
  const LayerPair states = apart(x, sequences);
  return matmul(sequences.over_lengths(states.first), states.second, true, false);  // (B, C, C)
}

Tensor gram_of_tokens(const LayerPair& x, const Sequences& sequences) {
  const LayerPair states = apart(x, sequences);
  const int64_t C = states.first.dim(2);
  check(C == states.second.dim(2), "nst_loss: expected two layers of one width, got ", C, " and ",
        states.second.dim(2));
  return matmul(scale(states.first, 1 / static_cast<double>(C)), states.second, false,
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
