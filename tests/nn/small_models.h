// Small models and batches for the tests of nn/.
#pragma once
#include <string>
#include <vector>

#include "nn/model.h"

namespace ink::testing {

// 3 layers of 60 channels, 5 heads, width 97, 199 words; without dropout.
inline ModelConfig small_config() {
  ModelConfig c;
  c.vocab_size = 199;
  c.hidden_size = 60;
  c.max_position_embeddings = 40;
  c.hidden_dropout_prob = c.attention_probs_dropout_prob = 0;
  c.set_layers(3, 5, 97);
  return c;
}

inline ModelConfig uneven_config() {
  ModelConfig c = small_config();
  c.heads_per_layer = {5, 2, 3};
  c.ffn_per_layer = {97, 31, 64};
  return c;
}

// Sequences of the given lengths with reproducible content; `seed` differs, content differs.
inline std::vector<std::vector<int32_t>> sequences(const std::vector<int>& lengths, uint64_t seed,
                                                   uint64_t vocabulary) {
  std::vector<std::vector<int32_t>> all;
  for (size_t b = 0; b < lengths.size(); ++b) {
    const Random random = Random(seed).split(b);
    std::vector<int32_t> ids;
    for (int t = 0; t < lengths[b]; ++t)
      ids.push_back(static_cast<int32_t>(random.below(static_cast<uint64_t>(t), vocabulary)));
    all.push_back(std::move(ids));
  }
  return all;
}

}  // namespace ink::testing
