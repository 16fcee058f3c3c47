// Pre-training that goes on from a model.
#include <gtest/gtest.h>

#include "objectives/pretrain.h"
#include "tests/objectives/toy_training.h"

namespace ink {
namespace {

class PretrainStart : public ToyTraining {
 protected:
  PretrainStart() : ToyTraining("ink_pretrain_start") {}

  PretrainOptions options(const std::string& out) const {
    return {.corpus = {folder_ / "texts"},
            .out = folder_ / out,
            .max_tokens = 40,
            .batch_tokens = 160,
            .block_bytes = 4000,
            .held_out = 0.1,
            .steps = 3};
  }
};

TEST_F(PretrainStart, GoesOnFromAnotherModel) {
  PretrainOptions o = options("first");
  run(o);
  o.out = folder_ / "second";
  o.start_from = folder_ / "first";
  o.learning_rate = 0;
  run(o);
  EXPECT_EQ(bytes("first/model.safetensors"), bytes("second/model.safetensors"));
}

TEST_F(PretrainStart, AHeadThatTheModelDoesNotHaveIsSaidToBeNew) {
  PretrainOptions o = options("without_pairs");
  o.steps = 1;
  run(o);
  o.start_from = o.out;
  o.out = folder_ / "with_pairs";
  o.objective.pair_task = PairTask::sentence_order;
  const auto notices = [&] {
    std::string said;
    pretrain(config(), tokenizer_, &segmenter_, o,
             {.notice = [&](const std::string& sentence) { said += sentence + '\n'; }});
    return said;
  };
  const std::string said = notices();
  EXPECT_NE(said.find("has no "), std::string::npos) << said;
  EXPECT_NE(said.find("cls.seq_relationship.weight"), std::string::npos) << said;
  EXPECT_NE(said.find("they are new and know nothing yet"), std::string::npos) << said;
  o.start_from = o.out;
  o.out = folder_ / "with_known_pairs";
  EXPECT_EQ(notices().find("they are new"), std::string::npos);
}

}  // namespace
}  // namespace ink
