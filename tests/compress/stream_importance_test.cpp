// Importance of channels and layers: against products of weights and gradients, central
// differences, and models that really lack a layer.
#include <gtest/gtest.h>

#include <cmath>

#include "autograd/tape.h"
#include "compress/importance.h"
#include "compress/scoring.h"
#include "compress/stream_surgery.h"
#include "tensor/ops.h"
#include "tests/compress/helpers.h"

namespace ink {
namespace {

using Batches = std::vector<FeatureBatch>;

Model small(const std::string& family = "bert") {
  return in_f64(tiny_model(tiny_family(family), 3));
}

ImportanceScores stream_scores(const Model& model, const Batches& batches,
                               Term term = Term::batch) {
  const bool shared = model.config.shared.groups > 0,
             bert = model.config.family->body_kind == BodyKind::bert;
  return measure_importance(model, batches,
                            {.term = term, .elements = false, .layers = !shared, .channels = bert},
                            label_loss(classification_task(), batches));
}

double loss_of(const Model& model, const FeatureBatch& batch) {
  return model.classification->loss(classify(model, batch.inputs), batch.labels).item();
}

// γ_c·∂L/∂γ_c + β_c·∂L/∂β_c over all layer norms, and Σ over classes of w·∂L/∂w of what reads the
// pooled state; of families whose embeddings are projected also the rows of the projection.
TEST(StreamImportance, OfChannelsEqualsProductsOfWeightsAndTheirGradients) {
  for (const std::string& family : {std::string("bert"), std::string("albert")}) {
    Model model = small(family);
    const FeatureBatch batch = random_batch({5, 1, 9}, 4);
    const std::vector<double> got = stream_scores(model, {batch}).channels;
    Tape tape;
    tape.watch(model.parameters);
    const Gradients gradients =
        tape.backward(model.classification->loss(classify(model, batch.inputs), batch.labels));
    std::vector<double> wanted(16);
    const auto add_products = [&](const std::string& name, bool by_row) {
      const Tensor& w = model.parameters.at(name).value;
      const Tensor g = contiguous(gradients[w]);
      const int64_t columns = w.rank() == 2 ? w.dim(1) : 1;
      for (int64_t i = 0; i < w.size(); ++i)
        wanted[static_cast<size_t>(by_row ? i / columns : i % columns)] +=
            w.data<double>()[i] * g.data<double>()[i];
    };
    for (const Parameter& p : model.parameters) {
      const bool norm = p.name.find("LayerNorm") != std::string::npos ||
                        p.name.find("layer_norm") != std::string::npos;
      if (norm && p.value.dim(0) == 16) add_products(p.name, true);
      if (p.name.find("embedding_hidden_mapping_in") != std::string::npos)
        add_products(p.name, true);
    }
    add_products("classifier.weight", false);
    for (size_t c = 0; c < 16; ++c)
      EXPECT_NEAR(got[c], std::abs(wanted[c]) / 3, 1e-13) << family << ' ' << c;
  }
}

TEST(StreamImportance, OfLayersEqualsCentralDifferences) {
  for (const std::string& family :
       {std::string("bert"), std::string("xlnet"), std::string("mobilebert")}) {
    const Model model = small(family);
    const FeatureBatch batch = random_batch({5, 1, 9}, 4);
    const std::vector<double> got = stream_scores(model, {batch}).layers;
    ASSERT_EQ(got.size(), 2u);
    const auto loss_at = [&](size_t layer, double gate) {
      StreamGates gates{.offsets = batch.inputs.offsets};
      gates.layers.assign(2, full({3, 1}, 1, Dtype::f64));
      gates.layers[layer] = full({3, 1}, gate, Dtype::f64);
      const Tensor logits = classify(model, batch.inputs, {.stream = &gates});
      return model.classification->loss(logits, batch.labels).item();
    };
    constexpr double h = 1e-5;
    for (size_t l = 0; l < 2; ++l)
      EXPECT_NEAR(got[l], std::abs(loss_at(l, 1 + h) - loss_at(l, 1 - h)) / (2 * h) / 3, 1e-8)
          << family << ' ' << l;
  }
}

TEST(StreamImportance, PerExampleDoesNotDependOnBatches) {
  const Model model = small();
  const FeatureBatch a = random_batch({5, 1, 9}, 4), b = random_batch({2, 7}, 5);
  const ImportanceScores both = stream_scores(model, {a, b}, Term::example),
                         first = stream_scores(model, {a}, Term::example),
                         second = stream_scores(model, {b}, Term::example);
  for (size_t c = 0; c < 16; ++c)
    EXPECT_NEAR(both.channels[c], (3 * first.channels[c] + 2 * second.channels[c]) / 5, 1e-14);
}

TEST(StreamImportance, LossWithoutALayerIsThatOfTheModelWithoutIt) {
  const Model model = small();
  const Batches batches = {random_batch({5, 1, 9}, 4), random_batch({2, 7}, 5)};
  const std::vector<double> growth =
      loss_without_layers(model, batches, label_loss(classification_task(), batches));
  for (size_t l = 0; l < 2; ++l) {
    std::vector<uint8_t> keep(2, 1);
    keep[l] = 0;
    const Model without = with_layers(model, keep);
    double wanted = 0;
    for (const FeatureBatch& batch : batches)
      wanted += static_cast<double>(batch.inputs.sequences()) *
                (loss_of(without, batch) - loss_of(model, batch)) / 5;
    EXPECT_NEAR(growth[l], wanted, 1e-12);
  }
}

TEST(StreamImportance, WhereThereAreNoGates) {
  const Batches batches = {random_batch({3}, 1)};
  const auto measure = [&](const char* family, const ImportanceOptions& options) {
    return measure_importance(small(family), batches, options,
                              label_loss(classification_task(), batches));
  };
  EXPECT_ERROR(measure("xlnet", {.channels = true}), "xlnet has no gates of channels");
  EXPECT_ERROR(measure("albert", {.layers = true}), "layers with weights of their own");
}

}  // namespace
}  // namespace ink
