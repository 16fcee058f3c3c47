// Lists of objectives: what they mean, which make no sense, and which models can learn them.
#include "objectives/objective.h"

#include <gtest/gtest.h>

#include <set>

#include "objectives/tokenize.h"
#include "tests/expect_error.h"

namespace ink {
namespace {

TEST(Objective, AListSaysWhatIsSelectedWhatBecomesOfItAndWhatAPairIsAsked) {
  const Objective wwm = objective_from("wwm");
  EXPECT_EQ(wwm.task, TokenTask::masked);
  EXPECT_TRUE(wwm.select.whole_words);
  EXPECT_EQ(wwm.select.ngrams.size(), 1u);
  EXPECT_FALSE(objective_from("mlm,nsp").select.whole_words);
  EXPECT_EQ(objective_from("mlm,nsp").pair_task, PairTask::next_sentence);
  EXPECT_EQ(objective_from("ngram").select.ngrams, kWordNgrams);
  EXPECT_EQ(objective_from("mac,sop").select.ngrams, kWordNgrams);
  EXPECT_EQ(objective_from("sop,mac").pair_task, PairTask::sentence_order);
  EXPECT_EQ(objective_from("mac,wwm").select.ngrams.size(), 1u);
  EXPECT_EQ(objective_from("perlm").select.ngrams, kWordNgrams);
  EXPECT_FALSE(objective_from("perlm,mlm").select.whole_words);
  const Objective rtd = objective_from("rtd");
  EXPECT_FALSE(rtd.select.whole_words);
  EXPECT_EQ(rtd.mask_share, 0.85);
  EXPECT_EQ(rtd.keep_share, 0.15);
  EXPECT_TRUE(objective_from("rtd,wwm").select.whole_words);
  EXPECT_DOUBLE_EQ(objective_from("plm").select.fraction, 1.0 / 6);
}

TEST(Objective, NonsenseIsRefusedWithAReason) {
  EXPECT_ERROR(objective_from("wwm,"), "expected a name behind the last comma");
  EXPECT_ERROR(objective_from("mlm,ngram"), "'mlm' and 'ngram' both say which tokens");
  EXPECT_ERROR(objective_from("mac,perlm"), "'mac' and 'perlm' both say what becomes");
  EXPECT_ERROR(objective_from("mlm,nsp,sop"), "'nsp' and 'sop' both say what a pair");
  EXPECT_ERROR(objective_from("sop"), "expected something to predict of tokens");
  EXPECT_ERROR(objective_from(""), "expected something to predict of tokens");
  EXPECT_ERROR(objective_from("mac,mlm"), "mac replaces whole words, mlm selects single tokens");
  EXPECT_ERROR(objective_from("plm,wwm"), "plm finds its own targets");
  EXPECT_ERROR(objective_from("perml"), "did you mean 'perlm'?");
  const Tokenizer tokenizer(Vocabulary({"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a"}));
  Objective words = objective_from("perlm,mlm");
  words.granularity = Granularity::word;
  EXPECT_ERROR(corruption_of(words, tokenizer), "single tokens are selected");
  EXPECT_ERROR(corruption_of(objective_from("mac"), tokenizer), "expected similar words, got none");
}

TEST(Objective, CellsInWhichNothingCanMoveAreRefused) {
  const Tokenizer tokenizer(Vocabulary({"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a"}));
  const auto with = [&](const char* list, std::vector<double> ngrams = {}) {
    Objective o = objective_from(list);
    o.granularity = Granularity::ngram;
    if (!ngrams.empty()) o.select.ngrams = ngrams;
    return corruption_of(o, tokenizer);
  };
  EXPECT_ERROR(with("perlm,mlm"), "inside their n-grams, but single tokens are selected");
  EXPECT_ERROR(with("perlm,wwm"), "n-grams of one word are selected");
  EXPECT_ERROR(with("perlm", {1}), "n-grams of one word are selected");
  EXPECT_ERROR(with("perlm", {1, 0}), "n-grams of one word are selected");
  EXPECT_NO_THROW(with("perlm"));
  Objective one = objective_from("perlm");
  one.select.max_predictions = 1;
  EXPECT_ERROR(corruption_of(one, tokenizer), "one alone has nowhere to go");
}

// Pre-training with MacBERT reads no [MASK], by chance neither; BERT's code draws any id.
TEST(Objective, RandomWordsOfMacAreNoSpecialTokens) {
  const std::vector<std::string> tokens{"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[unused1]",
                                        "<S>",   "[",     "a",     "##b",   "中"};
  const Tokenizer tokenizer{Vocabulary(tokens)};
  const auto drawn = [&](Objective o) {
    o.mask_share = o.keep_share = 0;
    o.task = TokenTask::masked;  // as --replace random does
    o.select.fraction = 1;
    const Corruption corrupt = corruption_of(o, tokenizer);
    const Instance instance =
        make_instance(Segment({{8, 9, 10}, {0, 1, 0}}), nullptr, objective_tokens(tokenizer));
    std::set<int32_t> all;
    for (uint64_t seed = 0; seed < 500; ++seed) {
      Draws draws{Random(seed)};
      const Corrupted c = corrupt(instance, draws);
      for (const int32_t p : c.positions) all.insert(c.inputs[static_cast<size_t>(p)]);
    }
    return all;
  };
  EXPECT_EQ(drawn(objective_from("mac")), (std::set<int32_t>{7, 8, 9, 10}));
  EXPECT_EQ(drawn(objective_from("wwm")).size(), tokens.size());
}

TEST(Objective, APairMayBeAskedNothing) {
  const Objective o = objective_from("perlm,pair");
  EXPECT_EQ(o.pair_task, PairTask::unasked);
  EXPECT_FALSE(heads_of(o).pair);
  ModelConfig config;
  config.type_vocab_size = 1;
  EXPECT_ERROR(check_supported(o, config), "type_vocab_size is 1");
}

TEST(Objective, HeadsFollowFromThePredictions) {
  EXPECT_EQ(heads_of(objective_from("wwm,sop")), (Heads{.masked_lm = true, .pair = true}));
  EXPECT_EQ(heads_of(objective_from("rtd")), (Heads{.replaced = true}));
  Objective perlm = objective_from("perlm");
  EXPECT_EQ(heads_of(perlm), (Heads{.position = true}));
  perlm.space = Space::global;
  EXPECT_EQ(heads_of(perlm), (Heads{.masked_lm = true}));
  perlm.space = Space::both;
  EXPECT_EQ(heads_of(perlm), (Heads{.masked_lm = true, .position = true}));
}

TEST(Objective, ModelsThatCannotLearnItAreRefused) {
  const auto refused = [](const char* list, const Family& family, const char* reason) {
    ModelConfig config;
    config.family = &family;
    EXPECT_ERROR(check_supported(objective_from(list), config), reason);
  };
  refused("rtd", bert_family(),
          "rtd needs a discriminator's head, which models of the family bert");
  refused("perlm", electra_family(), "perlm needs a head for positions");
  refused("mlm,sop", electra_family(), "nsp or sop needs a head for pairs");
  refused("plm", bert_family(), "plm needs a model of two streams (xlnet), got bert");
  ModelConfig config;
  check_supported(objective_from("perlm,sop"), config);
  config.type_vocab_size = 1;
  EXPECT_ERROR(check_supported(objective_from("wwm,nsp"), config), "type_vocab_size is 1");
  config.family = &xlnet_family();
  check_supported(objective_from("plm"), config);
}

}  // namespace
}  // namespace ink
