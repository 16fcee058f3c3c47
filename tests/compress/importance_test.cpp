// Importance: against central differences, products of weights and gradients, and exact sums.
#include "compress/importance.h"

#include <gtest/gtest.h>

#include <cmath>

#include "autograd/tape.h"
#include "compress/choose_masks.h"
#include "compress/scoring.h"
#include "tasks/tagged.h"
#include "tensor/ops.h"
#include "tests/compress/helpers.h"

namespace ink {
namespace {

using Batches = std::vector<FeatureBatch>;

Model small(const std::string& family = "bert", const Heads& heads = {.classification = true}) {
  return in_f64(tiny_model(tiny_family(family), 3, heads));
}

ImportanceScores scores_of_labels(const Model& model, const Batches& batches,
                                  const ImportanceOptions& options = {},
                                  const Task& task = classification_task()) {
  return measure_importance(model, batches, options, label_loss(task, batches));
}

// Sequence b of a batch as a batch of its own.
FeatureBatch alone(const FeatureBatch& batch, int64_t b) {
  const int32_t* at = batch.inputs.offsets.data<int32_t>();
  const auto rows = [&](const Tensor& x) { return clone(slice(x, 0, at[b], at[b + 1])); };
  const bool tags = batch.labels.dim(0) == batch.inputs.tokens();
  return {{rows(batch.inputs.ids), rows(batch.inputs.segments), rows(batch.inputs.positions),
           from(std::vector<int32_t>{0, at[b + 1] - at[b]})},
          tags ? rows(batch.labels) : clone(slice(batch.labels, 0, b, b + 1)),
          {batch.rows[static_cast<size_t>(b)]}};
}

Batches all_alone(const FeatureBatch& batch) {
  Batches batches;
  for (int64_t b = 0; b < batch.inputs.sequences(); ++b) batches.push_back(alone(batch, b));
  return batches;
}

void expect_close(const ImportanceScores& a, const ImportanceScores& b, double tolerance,
                  const std::string& what) {
  for (const auto& [x, y] : {std::pair(&a.heads, &b.heads), std::pair(&a.ffn, &b.ffn)}) {
    ASSERT_EQ(x->size(), y->size()) << what;
    for (size_t l = 0; l < x->size(); ++l)
      for (size_t j = 0; j < (*x)[l].size(); ++j)
        EXPECT_NEAR((*x)[l][j], (*y)[l][j], tolerance * (*y)[l][j] + 1e-14)
            << what << ' ' << l << ' ' << j;
  }
}

// The loss of a model whose columns [first, first + width) of a weight are scaled.
double scaled_loss(Model& model, const FeatureBatch& batch, const std::string& name, int64_t first,
                   int64_t width, double by) {
  Tensor& weight = model.parameters.at(name).value;
  const Tensor kept = clone(weight);
  for (int64_t row = 0; row < weight.dim(0); ++row)
    for (int64_t c = first; c < first + width; ++c)
      weight.data<double>()[row * weight.dim(1) + c] *= by;
  const double value =
      model.classification->loss(classify(model, batch.inputs), batch.labels).item();
  weight = kept;
  return value;
}

TEST(Importance, EqualsCentralDifferencesOfWeightsReallyScaled) {
  Model model = small();
  const FeatureBatch batch = random_batch({5, 1, 9}, 4);
  const ImportanceScores scores = scores_of_labels(model, {batch}, {.input_gate = false});
  const auto difference = [&](const char* name, int64_t first, int64_t width) {
    constexpr double h = 1e-5;
    return std::abs(scaled_loss(model, batch, name, first, width, 1 + h) -
                    scaled_loss(model, batch, name, first, width, 1 - h)) /
           (2 * h) / 3;
  };
  for (int64_t a = 0; a < 4; ++a)
    EXPECT_NEAR(scores.heads[1][static_cast<size_t>(a)],
                difference("bert.encoder.layer.1.attention.output.dense.weight", 4 * a, 4), 1e-8);
  for (int64_t j = 0; j < 8; ++j)
    EXPECT_NEAR(scores.ffn[0][static_cast<size_t>(j)],
                difference("bert.encoder.layer.0.output.dense.weight", j, 1), 1e-8);
}

// Σ over rows of w ⊙ ∂L/∂w, for each column; of a bias for each element.
std::vector<double> products(const Tensor& w, const Tensor& g, bool by_row) {
  const int64_t columns = w.rank() == 2 ? w.dim(1) : 1;
  std::vector<double> sums(static_cast<size_t>(by_row ? w.dim(0) : columns));
  for (int64_t i = 0; i < w.size(); ++i)
    sums[static_cast<size_t>(by_row ? i / columns : i % columns)] +=
        w.data<double>()[i] * g.data<double>()[i];
  return sums;
}

// TextPruner's own way to its scores, in ALBERT's shared layer, which runs twice.
TEST(Importance, EqualsProductsOfWeightsAndTheirGradients) {
  Model model = small("albert");
  const FeatureBatch batch = random_batch({5, 1, 9}, 4);
  const ImportanceScores scores = scores_of_labels(model, {batch});
  Tape tape;
  tape.watch(model.parameters);
  const Gradients gradients =
      tape.backward(model.classification->loss(classify(model, batch.inputs), batch.labels));
  const auto of = [&](const std::string& name, bool by_row) {
    const Tensor& w =
        model.parameters.at("albert.encoder.albert_layer_groups.0.albert_layers.0." + name).value;
    return products(w, gradients[w], by_row);
  };
  const std::vector<double> heads = of("attention.dense.weight", false),
                            after = of("ffn_output.weight", false), rows = of("ffn.weight", true),
                            bias = of("ffn.bias", true);
  for (size_t a = 0; a < 4; ++a) {
    double sum = 0;
    for (size_t c = 4 * a; c < 4 * a + 4; ++c) sum += heads[c];
    EXPECT_NEAR(scores.heads[0][a], std::abs(sum) / 3, 1e-14);
  }
  for (size_t j = 0; j < 8; ++j)
    EXPECT_NEAR(scores.ffn[0][j], (std::abs(after[j]) + std::abs(rows[j] + bias[j])) / 3, 1e-14);
}

TEST(Importance, OfEveryFamilyIsThatOfWhatIsLeftOnceTheRestIsMasked) {
  for (const std::string& family : kPrunableFamilies) {
    const Model model = small(family);
    const Batches batches = {random_batch({5, 1, 9}, 4)};
    const PruningConfig config{.target_ffn_size = 4, .target_num_of_heads = 2};
    const Masks masks = choose_masks(model, batches, config).masks;
    const ImportanceScores masked = scores_of_labels(masked_model(model, masks), batches),
                           cut = scores_of_labels(pruned_model(model, masks), batches);
    for (const auto& [all, mask, left] : {std::tuple(&masked.heads, &masks.heads, &cut.heads),
                                          std::tuple(&masked.ffn, &masks.ffn, &cut.ffn)}) {
      for (size_t l = 0; l < all->size(); ++l) {
        size_t next = 0;
        for (size_t j = 0; j < (*all)[l].size(); ++j) {
          if (!(*mask)[l][j]) {
            EXPECT_EQ((*all)[l][j], 0) << family;
            continue;
          }
          EXPECT_GT((*all)[l][j], 0) << family;
          EXPECT_NEAR((*left)[l][next++], (*all)[l][j], 1e-12) << family;
        }
      }
    }
  }
}

TEST(Importance, PerExampleIsThatOfBatchesOfOne) {
  const Model model = small();
  const FeatureBatch batch = random_batch({5, 1, 9, 3}, 4);
  const ImportanceScores together = scores_of_labels(model, {batch}, {.term = Term::example}),
                         one_by_one = scores_of_labels(model, all_alone(batch));
  expect_close(together, one_by_one, 1e-12, "classes");
}

// Each sentence has another number of labels that count, one has none.
TEST(Importance, PerExampleOfTags) {
  const Model model = small("bert", {.tagging = true});
  FeatureBatch batch = random_batch({5, 2, 9, 3}, 4);
  batch.labels = randint({19}, 8, 0, 3);
  for (const int64_t ignored : {0, 3, 5, 6, 7, 18}) batch.labels.data<int32_t>()[ignored] = kIgnore;
  const ImportanceScores together = scores_of_labels(model, {batch}, {.term = Term::example},
                                                     tagging_task()),
                         one_by_one = scores_of_labels(model, all_alone(batch), {}, tagging_task());
  expect_close(together, one_by_one, 1e-12, "tags");
}

TEST(Importance, BatchesAreAveragedByTheirExamples) {
  const Model model = small();
  const FeatureBatch one = random_batch({5, 1, 9}, 4), other = random_batch({2, 7}, 5);
  const ImportanceScores both = scores_of_labels(model, {one, other}),
                         first = scores_of_labels(model, {one}),
                         second = scores_of_labels(model, {other});
  EXPECT_NEAR(both.heads[0][1], (3 * first.heads[0][1] + 2 * second.heads[0][1]) / 5, 1e-14);
}

// ── without labels ──────────────────────────────────────────────────────────────────────────────

// Σ over classes y of p_y·(∂ log q_y/∂ξ)², exactly.
ImportanceScores fisher(const Model& model, const FeatureBatch& one) {
  const Tensor p = softmax(classify(model, one.inputs));
  ImportanceScores sum;
  for (int32_t y = 0; y < 3; ++y) {
    const Batches of_class = {{one.inputs, from(std::vector<int32_t>{y}), one.rows}};
    const ImportanceScores s =
        scores_of_labels(model, of_class, {.term = Term::square, .input_gate = false});
    if (y == 0)
      sum = {Importance(2, std::vector<double>(4)), Importance(2, std::vector<double>(8))};
    for (size_t l = 0; l < 2; ++l) {
      for (size_t a = 0; a < 4; ++a) sum.heads[l][a] += p.data<double>()[y] * s.heads[l][a];
      for (size_t j = 0; j < 8; ++j) sum.ffn[l][j] += p.data<double>()[y] * s.ffn[l][j];
    }
  }
  return sum;
}

FeatureBatch copies(const FeatureBatch& one, size_t count) {
  const std::vector<std::vector<int32_t>> ids(count, to_vector<int32_t>(one.inputs.ids)),
      segments(count, to_vector<int32_t>(one.inputs.segments));
  FeatureBatch batch{pack(ids, segments), {}, {}};
  for (size_t i = 0; i < count; ++i) batch.rows.push_back(static_cast<int64_t>(i));
  return batch;
}

TEST(Fisher, DrawnLabelsTendToTheExactSum) {
  const Model model = small();
  const FeatureBatch one = random_batch({6}, 9);
  const Batches many = {copies(one, 3000)};
  const ImportanceScores exact = fisher(model, one),
                         drawn = measure_importance(model, many,
                                                    {.term = Term::square, .input_gate = false},
                                                    drawn_label_loss(many, 7));
  for (size_t l = 0; l < 2; ++l)
    for (size_t a = 0; a < 4; ++a)
      EXPECT_NEAR(drawn.heads[l][a], exact.heads[l][a], 0.1 * exact.heads[l][a]) << l << ' ' << a;
}

TEST(Fisher, DependsOnExamplesAndSeedNotOnBatches) {
  const Model model = small();
  const FeatureBatch batch = random_batch({5, 1, 9, 3}, 4);
  const auto scores = [&](const Batches& batches, uint64_t seed) {
    return measure_importance(model, batches, {.term = Term::square},
                              drawn_label_loss(batches, seed));
  };
  expect_close(scores({batch}, 1), scores(all_alone(batch), 1), 1e-12, "batches");
  bool differs = false;
  for (uint64_t seed = 2; seed < 8; ++seed)
    differs |= scores({batch}, seed).heads[0] != scores({batch}, 1).heads[0];
  EXPECT_TRUE(differs);
}

// Smaller models are asked about the labels that the first one drew.
TEST(Fisher, LabelsAreDrawnOnce) {
  const Model model = small();
  Model other = in_f64(tiny_model(tiny_family("bert"), 77));
  const Batches batches = {random_batch({5, 1, 9, 3}, 4)};
  const LossOfBatch fresh = drawn_label_loss(batches, 1), used = drawn_label_loss(batches, 1);
  used(model, 0, {});
  EXPECT_EQ(used(model, 0, {}).loss.item(), drawn_label_loss(batches, 1)(model, 0, {}).loss.item());
  EXPECT_NE(used(other, 0, {}).loss.item(), fresh(other, 0, {}).loss.item());
}

TEST(Fisher, OfTagsAndSpans) {
  const Batches batches = {random_batch({5, 2, 9}, 4)};
  for (const Heads& heads : {Heads{.tagging = true}, Heads{.span = true}}) {
    const Model model = small("bert", heads);
    EXPECT_EQ(decision_logits(model, batches[0].inputs).size(), heads.span ? 2u : 1u);
    const ImportanceScores scores =
        measure_importance(model, batches, {.term = Term::square}, drawn_label_loss(batches, 1));
    for (const auto& layer : scores.heads)
      for (const double score : layer) EXPECT_GT(score, 0);
  }
  EXPECT_ERROR(decision_logits(small("bert", {.masked_lm = true}), batches[0].inputs),
               "fine-tune it first");
}

// Where an answer starts is a softmax over the tokens of its own sequence.
TEST(Fisher, SpansEndWithTheirSequence) {
  const Model model = small("bert", {.span = true});
  const FeatureBatch batch = random_batch({5, 2}, 4);
  for (const Tensor& logits : decision_logits(model, batch.inputs)) {
    EXPECT_EQ(logits.shape(), (Shape{2, 5}));
    for (int64_t t = 2; t < 5; ++t) EXPECT_EQ(softmax(logits).data<double>()[5 + t], 0);
  }
}

// Against the model itself nothing is measured but rounding.
TEST(Reference, OfTheModelItselfLeavesRoundingAlone) {
  const Model model = small(), other = in_f64(tiny_model(tiny_family("bert"), 77));
  const Batches batches = {random_batch({5, 2, 9}, 4)};
  const auto largest = [&](const std::vector<std::vector<Tensor>>& reference) {
    const ImportanceScores s =
        measure_importance(model, batches, {}, reference_loss(batches, reference));
    double most = 0;
    for (const auto& layer : s.heads)
      for (const double score : layer) most = std::max(most, score);
    return most;
  };
  const double of_another = largest({decision_logits(other, batches[0].inputs)});
  EXPECT_GT(of_another, 1e-2);
  EXPECT_LT(largest({decision_logits(model, batches[0].inputs)}), 1e-2 * of_another);
  EXPECT_LT(largest(half_precision_logits(model, batches)), 1e-1 * of_another);
  EXPECT_GT(largest(half_precision_logits(model, batches)), 0);
  EXPECT_ERROR(reference_loss(batches, {}), "expected reference logits of 1 batches, got 0");
}

TEST(Importance, NeedsExamplesAndFiniteLosses) {
  EXPECT_ERROR(scores_of_labels(small(), {}), "expected examples to measure with");
  Model model = small();
  for (Parameter& p : model.parameters)
    if (p.name == "classifier.bias") p.value = full({3}, std::nan(""), Dtype::f64);
  EXPECT_ERROR(scores_of_labels(model, {random_batch({5}, 1)}), "loss of batch 0 is not finite");
}

}  // namespace
}  // namespace ink
