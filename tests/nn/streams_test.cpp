// Streams: every dropout of a step is there, in any family, body or head, and no two drop the same.
#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "nn/model.h"
#include "tensor/op.h"
#include "tensor/ops.h"
#include "tests/nn/small_models.h"

namespace ink {
namespace {

// Keeps, of all that is computed while it lives, what every dropout does to ones. Attention's is
// seen where all sequences are of one token: its probability is 1, and what it passes on is the
// factor of its mask.
class Dropouts final : public Recorder {
 public:
  Dropouts(const ModelConfig& c, int64_t tokens)
      : values_{tokens, c.heads_per_layer[0] * c.head_size},
        hidden_{tokens, c.hidden_size},
        outer_(std::exchange(current, this)) {}
  ~Dropouts() override { current = outer_; }
  Dropouts(const Dropouts&) = delete;
  Dropouts& operator=(const Dropouts&) = delete;

  GradId resolve(GradId) override { return {.tape = 1}; }
  GradId record(std::unique_ptr<Step> step) override {
    const std::string name = step->name();
    if (name == "dropout")
      masks.push_back(to_vector<float>(step->backward(full(Shape{kSeen}, 1))[0]));
    if (name == "dropout_residual_layer_norm")
      masks.push_back(mask_in(step->backward(randn(hidden_, 1, Dtype::f32))));
    if (name == "attention")
      of_attention.push_back(to_vector<float>(step->backward(full(values_, 1))[2]));
    return {.tape = 1};
  }
  std::vector<std::vector<float>> masks, of_attention;

 private:
  static constexpr int64_t kSeen = 256;  // elements of a mask

  // What dropout does to the gradient of the sum that is normalized.
  static std::vector<float> mask_in(const Grads& gradients) {
    std::vector<float> factors = to_vector<float>(divide(gradients[0], gradients[1]));
    factors.resize(kSeen);
    return factors;
  }

  Shape values_, hidden_;  // (N, H·D), of attention; (N, C)
  Recorder* outer_;
};

// As many masks as expected, each another, and each with zeros.
void expect_distinct(const std::vector<std::vector<float>>& masks, int64_t count,
                     const std::string& what) {
  EXPECT_EQ(static_cast<int64_t>(masks.size()), count) << what;
  const std::set<std::vector<float>> distinct(masks.begin(), masks.end());
  EXPECT_EQ(distinct.size(), masks.size()) << what << ": one mask twice";
  for (const std::vector<float>& mask : masks)
    EXPECT_EQ(std::set<float>(mask.begin(), mask.end()), (std::set<float>{0, 2})) << what;
}

ModelConfig config_of(const Family& family) {
  const std::string folder = std::string("tests/golden/families/") + family.model_type;
  ModelConfig c = ModelConfig::read(folder + "-SequenceClassification/config.json");
  c.hidden_dropout_prob = c.attention_probs_dropout_prob = c.span_dropout = 0.5;
  c.classifier_dropout = c.tagging_dropout = c.choice_dropout = 0.5;
  return c;
}
Model model_with(const ModelConfig& config, const Heads& heads) {
  return Model(config, heads, random_values(Random(1)));
}

constexpr int64_t kSequences = 24;
const Packed& single_tokens() {
  static const Packed batch = pack(testing::sequences(std::vector<int>(kSequences, 1), 1, 97));
  return batch;
}

// Of one pass through the body.
struct Count {
  int64_t dropouts, attention;
};
Count expected_of_body(const ModelConfig& c) {
  const std::string type = c.family->model_type;
  const int64_t L = c.layers();
  // Embeddings, distances, the last states; attention's output, both products of the FFN, and the
  // probabilities of each sequence.
  if (type == "xlnet") return {3 + L * (3 + kSequences), 0};
  if (type == "bigru") return {1 + L, 0};  // embeddings; outputs of layers
  // A layer that widens its states drops those alone.
  if (type == "mobilebert" && c.bottlenecks.use_bottleneck) return {1 + L, L};
  return {1 + 2 * L, L};  // embeddings; outputs of attention and FFN, probabilities
}

void expect_body(const ModelConfig& config, const std::string& what) {
  const Model model = model_with(config, {});
  const Random random(7);
  const Dropouts dropouts(config, kSequences);
  model.body(single_tokens(), {.random = &random});
  const Count expected = expected_of_body(config);
  expect_distinct(dropouts.masks, expected.dropouts, what);
  expect_distinct(dropouts.of_attention, expected.attention, what + ", attention");
}

TEST(Streams, EveryDropoutOfABodyIsThereAndHasItsOwn) {
  for (const Family* family : families()) {
    ModelConfig config = config_of(*family);
    ASSERT_GT(config.layers(), 1);
    expect_body(config, family->model_type);
    if (config.bottlenecks.use_bottleneck) {
      config.bottlenecks.use_bottleneck = false;
      config.bottlenecks.intra_bottleneck_size = config.hidden_size;
      config.head_size = config.hidden_size / config.heads_per_layer[0];
      expect_body(config, std::string(family->model_type) + " without bottlenecks");
    }
  }
}

TEST(Streams, EveryDropoutOfAStepIsThereAndHasItsOwn) {
  const Packed batch = pack(testing::sequences({5, 9}, 1, 97));
  for (const Family* family : families()) {
    const ModelConfig config = config_of(*family);
    const Model model =
        model_with(config, {.classification = true, .span = true, .position = true});
    const Model tagger = model_with(config, {.tagging = true});
    const Random random(7);
    const Dropouts dropouts(config, 14);
    const Tensor hidden = model.body(batch, {.random = &random}).hidden;
    const auto of_body = static_cast<int64_t>(dropouts.masks.size());
    model.classification->logits(model.summary(hidden, batch.offsets), &random);
    model.span->logits(hidden, &random);
    model.position->scores(hidden, batch.offsets, from(std::vector<int32_t>{1, 6}), &random);
    tagger.tagging->logits(hidden, &random);
    const bool twice = family->classifier.dense && family->classifier.dropout_before_dense;
    expect_distinct(dropouts.masks, of_body + 4 + twice, family->model_type);
  }
}

TEST(Streams, XlnetsQueryStreamToo) {
  const ModelConfig config = config_of(xlnet_family());
  const Model model = model_with(config, {});
  const Random random(7);
  const Dropouts dropouts(config, kSequences);
  std::get<XlnetBody>(model.body.kind)
      .two_streams(single_tokens(), std::vector<Tensor>(kSequences, full(Shape{1, 1}, 1)), &random);
  // Distances; then each stream has its embeddings, layers and last states.
  expect_distinct(dropouts.masks, 1 + 2 * (2 + config.layers() * (3 + kSequences)), "xlnet");
}

}  // namespace
}  // namespace ink
