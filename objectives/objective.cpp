// From the names of objectives to corruptions, heads and fingerprints.
#include "objectives/objective.h"

#include <algorithm>
#include <sstream>

#include "objectives/factorization.h"
#include "objectives/mask.h"
#include "objectives/random_tokens.h"
#include "objectives/tokenize.h"
#include "tensor/error.h"
#include "tensor/fingerprint.h"
#include "tensor/keys.h"

namespace ink {
namespace {

constexpr std::string_view kSelections[] = {"mlm", "wwm", "ngram"};
constexpr std::string_view kTasks[] = {"mac", "perlm", "rtd", "plm"};
constexpr std::string_view kPairs[] = {"nsp", "sop", "pair"};
constexpr std::string_view kAll[] = {"mlm", "wwm", "ngram", "mac", "perlm",
                                     "rtd", "plm", "nsp",   "sop", "pair"};

// The words of a list by the row of names that they are of; empty where it names none.
struct Chosen {
  std::string selection, task, pair;
};

Chosen chosen_from(const std::string& list) {
  Chosen chosen;
  const auto set = [&](std::string& slot, const std::string& word, const char* what) {
    check(slot.empty(), "objective: '", slot, "' and '", word, "' both say ", what,
          "; expected one of them, got ", in_quotes(list));
    slot = word;
  };
  check(!list.ends_with(','), "objective: expected a name behind the last comma, got ",
        in_quotes(list));
  std::istringstream words(list);
  for (std::string word; std::getline(words, word, ',');) {
    if (std::ranges::count(kSelections, word)) {
      set(chosen.selection, word, "which tokens are selected");
    } else if (std::ranges::count(kTasks, word)) {
      set(chosen.task, word, "what becomes of the selected tokens");
    } else if (std::ranges::count(kPairs, word)) {
      set(chosen.pair, word, "what a pair of texts is asked");
    } else {
      const std::string_view nearest = nearest_word(word, kAll);
      fail("objective: expected a list of ", alternatives(kAll), ", got ", in_quotes(word),
           nearest.empty() ? "" : "; did you mean '", nearest, nearest.empty() ? "" : "'?");
    }
  }
  check(!chosen.selection.empty() || !chosen.task.empty(),
        "objective: expected something to predict of tokens, such as wwm, got ", in_quotes(list));
  check(chosen.task != "mac" || chosen.selection != "mlm",
        "objective: mac replaces whole words, mlm selects single tokens; expected mac alone, or "
        "with wwm or ngram");
  check(chosen.task != "plm" || chosen.selection.empty(), "objective: plm finds its own targets; '",
        chosen.selection, "' would select others");
  return chosen;
}

}  // namespace

Objective objective_from(const std::string& list) {
  const Chosen chosen = chosen_from(list);
  Objective o;
  if (chosen.task == "mac") o.task = TokenTask::mac;
  o.random_words = o.task == TokenTask::mac;
  if (chosen.task == "perlm") o.task = TokenTask::perlm;
  if (chosen.task == "rtd") o.task = TokenTask::rtd;
  if (chosen.task == "plm") o.task = TokenTask::plm;
  if (chosen.pair == "nsp") o.pair_task = PairTask::next_sentence;
  if (chosen.pair == "sop") o.pair_task = PairTask::sentence_order;
  if (chosen.pair == "pair") o.pair_task = PairTask::unasked;

  const bool ngrams = chosen.selection.empty()
                          ? o.task == TokenTask::mac || o.task == TokenTask::perlm
                          : chosen.selection == "ngram";
  const bool single = chosen.selection.empty() ? o.task == TokenTask::rtd  //
                                               : chosen.selection == "mlm";
  o.select.whole_words = !single;
  if (ngrams) o.select.ngrams = kWordNgrams;
  if (o.task == TokenTask::plm) o.select.fraction = FactorizationOptions().fraction;
  if (o.task == TokenTask::rtd) {
    o.mask_share = 0.85;
    o.keep_share = 0.15;
  }
  return o;
}

namespace {

// Whether a cell that tokens move in can hold two of them.
void check_cells(const Objective& o) {
  check(o.select.max_predictions != 1,
        "objective: perlm moves at most max_predictions tokens, and one alone has nowhere to go; "
        "expected 2 or more, or 0 for as many as the share says");
  bool ngrams = false;  // of two words or more
  for (size_t n = 1; n < o.select.ngrams.size(); ++n) ngrams |= o.select.ngrams[n] > 0;
  check(o.granularity != Granularity::word || o.select.whole_words,
        "objective: perlm moves tokens inside their words, but single tokens are selected; "
        "expected words or n-grams, or another granularity");
  check(o.granularity != Granularity::ngram || (ngrams && o.select.whole_words),
        "objective: perlm moves tokens inside their n-grams, but ",
        o.select.whole_words ? "n-grams of one word are selected; expected longer ones, or "
                               "granularity word, which says the same"
                             : "single tokens are selected; expected n-grams, or another "
                               "granularity");
}

}  // namespace

Corruption corruption_of(const Objective& o, const Tokenizer& tokenizer) {
  const ObjectiveTokens tokens = objective_tokens(tokenizer);
  const RandomTokens random = o.random_words ? RandomTokens::words_of(tokenizer.vocabulary())
                                             : RandomTokens(tokens.vocabulary_size);
  switch (o.task) {
    case TokenTask::masked:
    case TokenTask::rtd:
      return masked_language_model({.select = o.select,
                                    .mask_share = o.mask_share,
                                    .keep_share = o.keep_share,
                                    .random = random,
                                    .tokens = tokens});
    case TokenTask::mac:
      return similar_word_model({.select = o.select,
                                 .fallback_share = o.fallback_share,
                                 .nearest = o.nearest,
                                 .similar = o.similar,
                                 .random = random,
                                 .tokens = tokens});
    case TokenTask::perlm:
      check_cells(o);
      return permuted_language_model({.select = o.select,
                                      .label = o.label,
                                      .granularity = o.granularity,
                                      .predict = o.predict});
    case TokenTask::plm:
      return permutation_model(
          {.fraction = o.select.fraction, .max_predictions = o.select.max_predictions});
  }
  fail("objective: unknown task ", static_cast<int>(o.task));
}

Heads heads_of(const Objective& o) {
  Heads heads{.pair = o.pair_task == PairTask::next_sentence ||
                      o.pair_task == PairTask::sentence_order};
  const bool perlm = o.task == TokenTask::perlm;
  heads.replaced = o.task == TokenTask::rtd;
  heads.position = perlm && o.space != Space::global;
  heads.masked_lm = !heads.replaced && !(perlm && o.space == Space::local);
  return heads;
}

namespace {

bool has_head(const Family& family, bool Heads::*head) {
  return std::ranges::any_of(family.architectures,
                             [&](const Architecture& a) { return a.heads.*head; });
}

}  // namespace

void check_supported(const Objective& o, const ModelConfig& config) {
  const Family& family = *config.family;
  const Heads wanted = heads_of(o);
  const auto need = [&](bool Heads::*head, const char* objective, const char* what) {
    check(!(wanted.*head) || has_head(family, head), "pre-training: ", objective, " needs ", what,
          ", which models of the family ", family.model_type, " do not have");
  };
  need(&Heads::masked_lm, "predicting tokens", "a masked-LM head");
  need(&Heads::position, "perlm", "a head for positions");
  need(&Heads::replaced, "rtd", "a discriminator's head");
  need(&Heads::pair, "nsp or sop", "a head for pairs");
  check(o.task != TokenTask::plm || family.two_streams,
        "pre-training: plm needs a model of two streams (xlnet), got ", family.model_type);
  check(o.pair_task == PairTask::none || config.type_vocab_size >= 2,
        "pre-training: pairs of texts need a model of 2 segments, type_vocab_size is ",
        config.type_vocab_size);
}

namespace {

// By the value of the enumeration, so that a message about another run can be read.
template <class T, size_t n>
const char* name_of(T value, const char* const (&names)[n]) {
  return names[static_cast<size_t>(value)];
}

constexpr const char *kTaskNames[] = {"masked", "mac", "perlm", "rtd", "plm"},
                     *kLabelNames[] = {"inverse", "forward"},
                     *kGranularityNames[] = {"no-limit", "word", "ngram", "sentence"},
                     *kPredictNames[] = {"partial", "full"},
                     *kSpaceNames[] = {"local", "global", "both"};

}  // namespace

Json fingerprint_of(const Objective& o) {
  Json ngrams = Json::make_array();
  for (const double share : o.select.ngrams) ngrams.append(share);
  Json out = Json::make_object({{"task", name_of(o.task, kTaskNames)},
                                {"whole_words", o.select.whole_words},
                                {"ngrams", ngrams},
                                {"mask_fraction", o.select.fraction},
                                {"max_predictions", o.select.max_predictions},
                                {"mask_share", o.mask_share},
                                {"keep_share", o.keep_share},
                                {"nearest", o.nearest},
                                {"fallback_share", o.fallback_share},
                                {"random_words", o.random_words},
                                {"label", name_of(o.label, kLabelNames)},
                                {"granularity", name_of(o.granularity, kGranularityNames)},
                                {"predict", name_of(o.predict, kPredictNames)},
                                {"space", name_of(o.space, kSpaceNames)},
                                {"scale", o.scale.value_or(1)},
                                {"generator_size", o.generator_size},
                                {"replaced_weight", o.replaced_weight}});
  if (o.similar) out.set("similar_words", Digest().add(o.similar->digest()).to_string());
  return out;
}

}  // namespace ink
