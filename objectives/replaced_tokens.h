// Replaced-token detection: a generator fills masks, a discriminator finds what is not the
// original.
//
// Clark et al. 2020 (ELECTRA), section 2:  L = L_mlm(generator) + 50 · L_disc, both trained at
// once. The generator reads 85 % of the selected tokens masked and 15 % as they are (mask.h); at
// each of them a token is drawn from its softmax. The draw has no gradient. A token that happens to
// be the original one counts as original.
//
//   [CLS] the chef cooked the meal [SEP]     the text
//   [CLS] [MASK] chef [MASK] the meal [SEP]  what the generator reads
//   [CLS] the chef ate the meal [SEP]        what the discriminator reads
//     0    0   0    1   0   0     0          its labels
#pragma once
#include "objectives/batch.h"
#include "tensor/philox.h"

namespace ink {

// A draw from softmax(row) for each row: the largest of logit + Gumbel noise, −log(−log u).
// logits (M, V) → i32 (M); a function of (logits, random) alone.
Tensor sample_tokens(const Tensor& logits, const Random& random);

struct Replaced {
  Packed inputs;    // of the discriminator
  Tensor replaced;  // (N), of `dtype`: 1 where the token is not the original, else 0
};
// sampled i32 (M): one for each selected row of the batch.
Replaced replace_tokens(const PretrainBatch& batch, const Tensor& sampled, Dtype dtype);

}  // namespace ink
