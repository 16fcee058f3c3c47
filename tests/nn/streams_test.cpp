// Streams: no two dropouts of one step drop the same elements, in any family, body or head.
#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "nn/model.h"
#include "tensor/op.h"
#include "tests/nn/small_models.h"

namespace ink {
namespace {

// Keeps, of all that is computed while it lives, what every dropout does to ones.
class Dropouts final : public Recorder {
 public:
  Dropouts() : outer_(std::exchange(current, this)) {}
  ~Dropouts() override { current = outer_; }
  Dropouts(const Dropouts&) = delete;
  Dropouts& operator=(const Dropouts&) = delete;

  GradId resolve(GradId) override { return {.tape = 1}; }
  GradId record(std::unique_ptr<Step> step) override {
    if (std::string(step->name()) == "dropout")
      masks.push_back(to_vector<float>(step->backward(full(Shape{256}, 1))[0]));
    return {.tape = 1};
  }
  std::vector<std::vector<float>> masks;

 private:
  Recorder* outer_;
};

void expect_distinct(const Dropouts& dropouts, size_t least, const char* family) {
  const std::set<std::vector<float>> distinct(dropouts.masks.begin(), dropouts.masks.end());
  EXPECT_GE(dropouts.masks.size(), least) << family;
  EXPECT_EQ(distinct.size(), dropouts.masks.size()) << family << " repeats a mask";
}

Model model_with(const Family& family, const Heads& heads) {
  const std::string folder = std::string("tests/golden/families/") + family.model_type;
  ModelConfig c = ModelConfig::read(folder + "-SequenceClassification/config.json");
  c.hidden_dropout_prob = c.attention_probs_dropout_prob = c.span_dropout = 0.5;
  c.classifier_dropout = c.tagging_dropout = c.choice_dropout = 0.5;
  return Model(c, heads, random_values(Random(1)));
}

const Packed& batch() {
  static const Packed two = pack(testing::sequences({5, 9}, 1, 97));
  return two;
}

TEST(Streams, EveryDropoutOfAStepHasItsOwn) {
  for (const Family* family : families()) {
    const Model model =
        model_with(*family, {.classification = true, .span = true, .position = true});
    const Model tagger = model_with(*family, {.tagging = true});
    const Random random(7);
    const Dropouts dropouts;
    const Tensor hidden = model.body(batch(), {.random = &random}).hidden;
    model.classification->logits(model.summary(hidden, batch().offsets), &random);
    model.span->logits(hidden, &random);
    model.position->scores(hidden, batch().offsets, from(std::vector<int32_t>{1, 6}), &random);
    tagger.tagging->logits(hidden, &random);
    expect_distinct(dropouts, 7, family->model_type);
  }
}

TEST(Streams, XlnetsQueryStreamToo) {
  const Model model = model_with(xlnet_family(), {});
  const Random random(7);
  const Dropouts dropouts;
  std::get<XlnetBody>(model.body.kind)
      .two_streams(batch(), {full(Shape{5, 5}, 1), full(Shape{9, 9}, 1)}, &random);
  expect_distinct(dropouts, 20, "xlnet");
}

}  // namespace
}  // namespace ink
