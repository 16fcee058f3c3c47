// Losses between maps of attention of a student S and a teacher T: (B, H, L, L), scores or
// probabilities, of sequences of T ≤ L tokens (losses/sequences.h). i asks, j is asked.
//
//   mse       Σ (S − T)² / Σ H·T² over the i, j < T of all heads                (Jiao et al. 2020)
//   mse_sum   the same of maps summed over heads, whose numbers may then differ
//   ce        mean over heads and tokens i of −Σ_j P_ij·log Q_ij
//   ce_mean   the same of maps averaged over heads
//
// P and Q are softmax over j of T and S, or T and S themselves where they are `distributions`.
//
// TextBrewer's losses read what stands behind a sequence's end as it is: its softmax runs over all
// L columns. So they agree with these where columns behind the ends hold −10000, as scores of
// attention_scores do. Where TextBrewer is given probabilities it takes softmax of them a second
// time, with zeros behind the ends: these are the losses of probabilities that are not said to be
// distributions. Where TextBrewer has no inputs_mask it sets values of at most −10⁻³ to 0 (in ce:
// P there), padding and ordinary negative scores alike: `negative_as_zero`.
#pragma once
#include "compress/losses/sequences.h"

namespace ink {

// q kᵀ/√D of heads side by side in q, k (N, H·D) → (B, H, L, L), f32 where those have 16 bits;
// −10000 is added in columns behind a sequence's end. Recorded.
Tensor attention_scores(const Tensor& query, const Tensor& key, int64_t heads,
                        const Sequences& sequences);
// softmax over j: exactly 0 behind the ends. Recorded.
Tensor attention_probabilities(const Tensor& scores);

struct AttentionLossOptions {
  bool over_heads = false;        // maps are summed (mse) or averaged (ce) over heads first
  bool distributions = false;     // of ce: the maps are probabilities already
  bool negative_as_zero = false;  // TextBrewer's, for want of a mask
};

Tensor attention_mse_loss(const Tensor& student, const Tensor& teacher, const Sequences& sequences,
                          const AttentionLossOptions& options = {});
Tensor attention_ce_loss(const Tensor& student, const Tensor& teacher, const Sequences& sequences,
                         const AttentionLossOptions& options = {});

// Mean over heads and tokens of KL(softmax T ‖ softmax S), for scores from attention_scores: of
// queries and keys the attention transfer of MiniLM, of values and values its value relation (Wang
// et al. 2020, eq. 7 and 9; the mean is over all tokens of the batch). MiniLMv2 cuts the channels
// of all heads into another number of relation heads (Wang et al. 2021, eq. 5).
Tensor relation_loss(const Tensor& student, const Tensor& teacher, const Sequences& sequences);

}  // namespace ink
