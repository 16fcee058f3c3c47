// More examples to distil from: changed copies of labelled texts, and texts without labels.
//
//   "augmentation": {"copies": 2, "masking": 0.1, "deleting": 0.1, "ngram_sampling": 0.2,
//                    "ngram_lengths": [3, 4, 5], "ngram_weights": [1, 1, 1],
//                    "short_disorder": [0.9, 0.1, 0, 0, 0],
//                    "long_disorder": 0.1, "long_disorder_length": 20}
//
// Of each example there are `copies` more, each made in this order: a span of it alone (with
// probability ngram_sampling), tokens deleted, orders changed near and far, tokens masked
// (compress/augment.h). What is 0 or absent is not done. Both texts of a pair are changed, [CLS],
// [SEP] and the like are not. A copy has no label, as what it was labelled may no longer be true:
// the teacher alone says what it is. Copies are a function of (seed, example, copy), the same in
// every epoch, so they can be cached like the examples themselves.
#pragma once
#include <cstdint>
#include <vector>

#include "compress/augment.h"
#include "tasks/features.h"
#include "tensor/json.h"

namespace ink {

struct Augmentation {
  int64_t copies = 0;  // 0: none
  double masking = 0, deleting = 0;
  double ngram_sampling = 0;
  std::vector<int64_t> ngram_lengths = {1, 2, 3, 4, 5};
  std::vector<double> ngram_weights = {};  // empty: all alike
  DisorderWeights short_disorder = {1, 0, 0, 0, 0};
  double long_disorder = 0, long_disorder_length = 20;

  // Raises Error for unknown keys and values, and where copies would be copies alone.
  static Augmentation from_json(const Json& json);
  Json to_json() const;
};

// The tokens of one text, changed.
std::vector<int32_t> augmented(std::vector<int32_t> tokens, const Augmentation& augmentation,
                               int32_t mask, Draws& draws);

// The examples, and behind them the first copy of each, the second of each, ….
Features with_copies(const Features& features, const Augmentation& augmentation, int32_t mask,
                     const Random& random);

}  // namespace ink
