// Losses: gradients of the joint ones in f64, what ELECTRA's two models share, and its sampling.
#include "objectives/losses.h"

#include <gtest/gtest.h>

#include <cmath>

#include "autograd/gradient_check.h"
#include "autograd/tape.h"
#include "objectives/replaced_tokens.h"
#include "tensor/parallel.h"
#include "tests/objectives/worked_example.h"

namespace ink {
namespace {

constexpr ObjectiveTokens kTokens{.cls = 0, .sep = 1, .mask = 2, .vocabulary_size = 20};

// With kTokens at the front.
Tokenizer tokenizer() {
  std::vector<std::string> tokens{"[CLS]", "[SEP]", "[MASK]", "[UNK]", "[PAD]"};
  for (char c = 'a'; tokens.size() < 20; ++c) tokens.emplace_back(1, c);
  return Tokenizer(Vocabulary(tokens));
}

ModelConfig small(const Family& family) {
  ModelConfig c;
  c.family = &family;
  c.vocab_size = 20;
  c.hidden_size = 8;
  c.head_size = 4;
  c.max_position_embeddings = 16;
  c.hidden_act = Activation::gelu;
  c.layer_norm_eps = 1e-5;
  c.initializer_range = 0.2;
  c.hidden_dropout_prob = c.attention_probs_dropout_prob = 0;
  c.set_layers(1, 2, 6);
  return c;
}

ValueSource in_f64(uint64_t seed) {
  return [values = random_values(Random(seed))](const std::string& name, const Shape& shape,
                                                const Initial& initial) {
    return converted(values(name, shape, initial), Dtype::f64);
  };
}

PretrainBatch batch_of(const Objective& objective) {
  std::vector<Instance> instances;
  for (int32_t which = 0; which < 2; ++which) {
    TokenSentence a, b;
    for (int32_t i = 0; i < 6; ++i) {
      a.ids.push_back(3 + (i * 5 + which) % 17);
      b.ids.push_back(3 + (i * 7 + which) % 17);
    }
    a.continues = b.continues = {0, 1, 0, 1, 0, 0};
    const Segment first(a), second(b);
    const bool pair = objective.pair_task != PairTask::none;
    instances.push_back(make_instance(first, pair ? &second : nullptr, kTokens));
    if (pair) instances.back().pair_label = which;
  }
  const Corruption corrupt = corruption_of(objective, tokenizer());
  std::vector<Corrupted> results;
  std::vector<const Instance*> pointers;
  for (size_t i = 0; i < instances.size(); ++i) {
    Draws draws(Random(3).split(i));
    results.push_back(corrupt(instances[i], draws));
    pointers.push_back(&instances[i]);
  }
  return make_batch(pointers, results);
}

Tensor total(const PretrainModel& m, const PretrainBatch& batch) {
  Tensor sum;
  for (const LossTerm& term : pretrain_losses(m, batch, {}, Random(5))) {
    const Tensor part = scale(term.mean, term.weight);
    sum = sum ? add(sum, part) : part;
  }
  return sum;
}

void expect_right_gradients(PretrainModel& m, const PretrainBatch& batch, size_t terms) {
  ASSERT_EQ(pretrain_losses(m, batch, {}, Random(5)).size(), terms);
  std::vector<Tensor> values;
  for (const Parameter& p : m.parameters()) values.push_back(p.value);
  const GradientCheck check = check_gradients(
      [&](std::span<const Tensor> given) {
        size_t i = 0;
        for (Parameter& p : m.parameters()) p.value = given[i++];
        m.refresh();
        return total(m, batch);
      },
      values, {.tolerance = 1e-5});
  EXPECT_TRUE(check.ok) << check.message;
}

TEST(Losses, ReplacedTokenDetectionHasTheRightGradient) {
  Objective o = objective_from("rtd,wwm");
  o.select.fraction = 0.5;
  const ModelConfig c = small(electra_family());
  PretrainModel m(Model(c, heads_of(o), in_f64(1)),
                  Model(generator_config(c, 0.5), {.masked_lm = true}, in_f64(2)), 50);
  const PretrainBatch batch = batch_of(o);
  expect_right_gradients(m, batch, 2);
}

TEST(Losses, PermutedTokensInBothSpacesHaveTheRightGradient) {
  Objective o = objective_from("perlm");
  o.select.fraction = 0.5;
  o.space = Space::both;
  PretrainModel m(Model(small(bert_family()), heads_of(o), in_f64(1)));
  expect_right_gradients(m, batch_of(o), 2);
}

TEST(Losses, SimilarWordsWithSentenceOrderHaveTheRightGradient) {
  Objective o = objective_from("mac,sop");
  o.select.fraction = 0.4;
  auto similar = std::make_shared<SimilarWords>();
  similar->add(std::vector<int32_t>{3}, std::vector<int32_t>{9});
  o.similar = similar;
  PretrainModel m(Model(small(bert_family()), heads_of(o), in_f64(1)));
  expect_right_gradients(m, batch_of(o), 2);
}

TEST(Losses, FilledRowsAndSequencesCountNothing) {
  Objective o = objective_from("wwm,nsp");
  o.select.fraction = 0.5;
  PretrainModel m(Model(small(bert_family()), heads_of(o), random_values(Random(1))));
  const PretrainBatch batch = batch_of(o), rows = with_filled_rows(batch, 20),
                      all = with_filled_inputs(rows, 16);
  ASSERT_LT(batch.rows.size(), 20);
  EXPECT_EQ(rows.rows.size(), 20);
  EXPECT_EQ(with_filled_rows(rows, 20).rows.size(), 20);
  EXPECT_EQ(all.inputs.tokens(), 64);
  EXPECT_EQ(all.inputs.sequences(), 8);
  const auto gradients = [&](const PretrainBatch& b) {
    Tape tape;
    tape.watch(m.parameters());
    return tape.backward(total(m, b), Tensor(), m.parameters());
  };
  const std::vector<Tensor> expected = gradients(batch);
  for (const PretrainBatch& filled : {rows, all}) {
    EXPECT_EQ(filled.predictions(), batch.predictions());
    EXPECT_EQ(filled.counts.pairs, batch.counts.pairs);
    EXPECT_TRUE(equal_bits(total(m, filled), total(m, batch)));
    const std::vector<Tensor> got = gradients(filled);
    for (size_t i = 0; i < got.size(); ++i)
      for (int64_t k = 0; k < got[i].size(); ++k)
        EXPECT_NEAR(got[i].data<float>()[k], expected[i].data<float>()[k], 1e-7) << i;
  }
}

TEST(Losses, TheGeneratorReadsTheDiscriminatorsTablesAndNothingElse) {
  const ModelConfig c = small(electra_family());
  const Objective o = objective_from("rtd");
  PretrainModel m(Model(c, heads_of(o), random_values(Random(1))),
                  Model(generator_config(c, 0.25), {.masked_lm = true}, random_values(Random(2))),
                  50);
  EXPECT_EQ(m.generator->config.hidden_size, 2);
  EXPECT_EQ(m.generator->config.embedding_channels(), 8);
  EXPECT_EQ(m.generator->config.ffn_per_layer, std::vector<int64_t>{8});
  for (const char* table : {"word", "position", "token_type"}) {
    const std::string name = std::string("electra.embeddings.") + table + "_embeddings.weight";
    EXPECT_EQ(m.generator->parameters.at(name).value.data<float>(),
              m.model.parameters.at(name).value.data<float>());
    EXPECT_EQ(m.parameters().find("generator." + name), nullptr);
  }
  EXPECT_NE(m.generator->parameters.at("electra.embeddings.LayerNorm.weight").value.data<float>(),
            m.model.parameters.at("electra.embeddings.LayerNorm.weight").value.data<float>());
  EXPECT_EQ(m.parameters().elements(),
            m.model.parameters.elements() + m.generator->parameters.elements() - 8 * (20 + 16 + 2));
}

TEST(Losses, TheGeneratorsSizesAreThoseOfThePaper) {
  ModelConfig c = small(electra_family());
  c.hidden_size = 768;
  c.set_layers(12, 12, 3072);
  const ModelConfig base = generator_config(c, 1.0 / 3);
  EXPECT_EQ(base.hidden_size, 256);
  EXPECT_EQ(base.heads_per_layer, std::vector<int64_t>(12, 4));
  EXPECT_EQ(base.ffn_per_layer, std::vector<int64_t>(12, 1024));
  EXPECT_EQ(base.head_size, 64);
}

TEST(ReplacedTokens, SamplesFollowTheSoftmaxAndNotTheThreads) {
  constexpr int64_t kRows = 20000;
  const Tensor row = from(std::vector<float>{0, 1, 2, -40}), zero = zeros({kRows, 4});
  const Tensor logits = add(zero, row);
  const auto drawn = to_vector<int32_t>(sample_tokens(logits, Random(1)));
  std::vector<double> count(4);
  for (const int32_t id : drawn) ++count[static_cast<size_t>(id)];
  const double sum = 1 + std::exp(1.0) + std::exp(2.0);
  for (int i = 0; i < 3; ++i) {
    const double p = std::exp(i) / sum, n = kRows;
    EXPECT_NEAR(count[static_cast<size_t>(i)] / n, p, 4 * std::sqrt(p * (1 - p) / n)) << i;
  }
  EXPECT_EQ(count[3], 0);
  const int before = threads();
  for (const int n : {1, 3, 8}) {
    set_threads(n);
    EXPECT_EQ(to_vector<int32_t>(sample_tokens(logits, Random(1))), drawn) << n;
  }
  set_threads(before);
  EXPECT_NE(to_vector<int32_t>(sample_tokens(logits, Random(2))), drawn);
}

// the chef cooked the meal → the chef ate the meal (Clark et al. 2020, figure 2); "the" is drawn as
// it was and counts as original.
TEST(ReplacedTokens, ACorrectSampleIsOriginalAsInThePaper) {
  Names names;
  const Instance instance = names.instance({{"the"}, {"chef"}, {"cooked"}, {"the"}, {"meal"}});
  Corrupted c{.inputs = names.ids({"[CLS]", "[MASK]", "chef", "[MASK]", "the", "meal", "[SEP]"}),
              .positions = {1, 3},
              .labels = names.ids({"the", "cooked"})};
  const Instance* one = &instance;
  const PretrainBatch batch = make_batch({&one, 1}, {&c, 1});
  const Replaced r = replace_tokens(batch, from(names.ids({"the", "ate"})), Dtype::f32);
  EXPECT_EQ(to_vector<int32_t>(r.inputs.ids),
            names.ids({"[CLS]", "the", "chef", "ate", "the", "meal", "[SEP]"}));
  EXPECT_EQ(to_vector<float>(r.replaced), (std::vector<float>{0, 0, 0, 1, 0, 0, 0}));
  EXPECT_THROW(replace_tokens(batch, from(names.ids({"the"})), Dtype::f32), Error);
}

}  // namespace
}  // namespace ink
