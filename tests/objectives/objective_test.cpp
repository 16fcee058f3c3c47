// Lists of objectives: what they mean, which make no sense, and which models can learn them.
#include "objectives/objective.h"

#include <gtest/gtest.h>

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
  EXPECT_ERROR(objective_from("mlm,ngram"), "'mlm' and 'ngram' both say which tokens");
  EXPECT_ERROR(objective_from("mac,perlm"), "'mac' and 'perlm' both say what becomes");
  EXPECT_ERROR(objective_from("mlm,nsp,sop"), "'nsp' and 'sop' both say what a pair");
  EXPECT_ERROR(objective_from("sop"), "expected something to predict of tokens");
  EXPECT_ERROR(objective_from(""), "expected something to predict of tokens");
  EXPECT_ERROR(objective_from("mac,mlm"), "mac replaces whole words, mlm selects single tokens");
  EXPECT_ERROR(objective_from("plm,wwm"), "plm finds its own targets");
  EXPECT_ERROR(objective_from("perml"), "did you mean 'perlm'?");
  Objective words = objective_from("perlm,mlm");
  words.granularity = Granularity::word;
  EXPECT_ERROR(corruption_of(words, {}), "single tokens are selected");
  EXPECT_ERROR(corruption_of(objective_from("mac"), {}), "expected similar words, got none");
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
