// What a pre-training predicts, as data: which tokens, what becomes of them, and of pairs of texts.
//
//   Objective o = objective_from("mac,sop");      // MacBERT's
//   o.similar = …;
//   const Corruption corrupt = corruption_of(o, tokenizer);
//
// A list names at most one of each row:
//
//   mlm, wwm, ngram        which tokens are selected: single ones, words, n-grams of words. Alone:
//                          they are masked (BERT, BERT-wwm)
//   mac, perlm, rtd, plm   what becomes of them: similar words (MacBERT), other places (PERT),
//                          masks for a generator (ELECTRA), a random order (XLNet)
//   nsp, sop, pair         a label of two texts: next sentence, sentence order; none
//
// mac and perlm select n-grams and rtd single tokens unless the list says otherwise.
#pragma once
#include <memory>
#include <optional>
#include <string>

#include "nn/config.h"
#include "objectives/corruption.h"
#include "objectives/mac.h"
#include "objectives/pairs.h"
#include "objectives/permute.h"
#include "objectives/selection.h"
#include "text/tokenizer.h"

namespace ink {

enum class TokenTask : uint8_t { masked, mac, perlm, rtd, plm };
// Where PerLM's answers are: places of the sequence, words of the vocabulary, or a sum of both
// losses.
enum class Space : uint8_t { local, global, both };

struct Objective {
  TokenTask task = TokenTask::masked;
  PairTask pair_task = PairTask::none;
  SelectionOptions select = {};

  // masked, rtd
  double mask_share = 0.8;  // of the selected tokens become [MASK]
  double keep_share = 0.1;  // stay; the rest become random tokens
  // mac
  std::shared_ptr<const SimilarWords> similar = {};
  int64_t nearest = 1;  // as in mac.h, these two
  double fallback_share = 0.1;
  // Whether random tokens are words, none of the special ones: of mac and its ablations. BERT's
  // code draws from the whole vocabulary.
  bool random_words = false;
  // perlm
  PertLabel label = PertLabel::inverse;
  Granularity granularity = Granularity::no_limit;
  Predict predict = Predict::partial;
  Space space = Space::local;
  // Of the products of states; 0: 1/√C, which keeps a first softmax from saturating; none: what the
  // model has been trained with, of a new one 1.
  std::optional<double> scale = {};
  // rtd
  double generator_size = 0.25;  // of the hidden size
  double replaced_weight = 50;   // of the discriminator's loss
};

// Raises Error that says what is wrong with the list.
Objective objective_from(const std::string& list);

// Raises Error when options contradict each other.
Corruption corruption_of(const Objective& objective, const Tokenizer& tokenizer);

// The heads of the model that is trained; of rtd, those of the discriminator.
Heads heads_of(const Objective& objective);
// Raises Error when this model cannot learn that.
void check_supported(const Objective& objective, const ModelConfig& config);

Json fingerprint_of(const Objective& objective);

}  // namespace ink
