// Models pruned folder to folder: sizes, what is kept, data without labels, masks that are given.
#include "compress/prune.h"

#include <gtest/gtest.h>

#include "nn/session.h"
#include "tensor/file.h"
#include "tests/compress/helpers.h"
#include "tests/tasks/toy_task.h"

namespace ink {
namespace {

// One fine-tuned model for all tests of this file.
class Pruned : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    task = new ToyTask("prune");
    finetune(task->options("teacher"));
  }
  static void TearDownTestSuite() {
    delete task;
    task = nullptr;
  }
  static PruneOptions prune_options(const std::string& out) {
    PruneOptions o;
    o.model = task->folder / "teacher";
    o.out = task->folder / out;
    o.data = task->folder / "train.tsv";
    o.max_length = 16;
    o.config = {.target_ffn_size = 16,
                .target_num_of_heads = 2,
                .pruning_method = PruningMethod::iterative,
                .n_iters = 2};
    return o;
  }

  static inline ToyTask* task = nullptr;
};

TEST_F(Pruned, PrunedModelIsSmallerAndRecoversByTraining) {
  const PruneResult result = prune(prune_options("pruned"));
  EXPECT_EQ(result.heads_per_layer, (std::vector<int64_t>{2, 2}));
  EXPECT_EQ(result.ffn_per_layer, (std::vector<int64_t>{16, 16}));
  // two layers lose 2 heads of 8 channels and 48 neurons of width 32
  EXPECT_EQ(result.parameters_before - result.parameters_after,
            2 * (2 * (4 * 8 * 32 + 24) + 48 * 65));
  FinetuneOptions recover = task->options("recovered");
  recover.model = task->folder / "pruned";
  recover.fit.epochs = 3;
  const FinetuneResult recovered = finetune(recover);
  EXPECT_GT(recovered.dev.score, 0.95);
  PruneOptions again = prune_options("pruned_again");
  again.model = task->folder / "recovered";
  again.config.target_ffn_size = 8;
  again.config.target_num_of_heads = 1;
  EXPECT_EQ(prune(again).heads_per_layer, (std::vector<int64_t>{1, 1}));
  again.out = task->folder / "pruned_thrice";
  again.config.target_num_of_heads = 3;
  EXPECT_ERROR(
      prune(again),
      "target_num_of_heads: expected at most 2 per layer (4 in all 2 layers together), got 3");
}

TEST_F(Pruned, TheLeastImportantHalfMattersLessThanTheMostImportant) {
  const PruneResult result = prune(prune_options("least"));
  const Json account =
      parse_json(read_file(task->folder / "least" / "pruning.json", 1 << 20), "pruning.json");
  Masks kept = masks_from_json(Json::make_object({{"ffn_mask", account["ffn_mask"]}}));
  for (auto& layer : kept.ffn)
    for (uint8_t& keep : layer) keep = !keep;  // 48 of 64 neurons stay, but not the important ones
  const Model teacher = load_model(task->folder / "teacher");
  const Masks important = masks_from_json(Json::make_object({{"ffn_mask", account["ffn_mask"]}}));
  EXPECT_GE(accuracy_of(*task, pruned_model(teacher, important)),
            accuracy_of(*task, pruned_model(teacher, kept)));
}

TEST_F(Pruned, WithoutLabelsUnknownOnesAreNoErrors) {
  const auto kept = [](const char* out, const std::string& label) {
    const std::filesystem::path data = task->folder / "relabelled.tsv";
    write_file(data, label + "\t" + ToyTask::character(1) + "\n" + label + "\t" +
                         ToyTask::character(25) + "\n");
    PruneOptions options = prune_options(out);
    options.data = data;
    options.config.use_logits = true;
    prune(options);
    return read_file(options.out / "model.safetensors", 1 << 26);
  };
  EXPECT_EQ(kept("of_unknown", "c9"), kept("of_known", "c1"));
  PruneOptions options = prune_options("with_labels");
  options.data = task->folder / "relabelled.tsv";
  write_file(options.data, "c9\tx\n");
  EXPECT_ERROR(prune(options), "relabelled.tsv:1: unknown label 'c9'");
}

TEST_F(Pruned, GivenMasksAreCut) {
  PruneOptions options = prune_options("masked");
  options.config = {};
  EXPECT_ERROR(prune(options), "expected a file in `masks`");
  options.masks = task->folder / "masks.json";
  write_file(options.masks, R"({"head_mask": [[1, 0, 0, 1], [0, 0, 0, 1]]})");
  EXPECT_EQ(prune(options).heads_per_layer, (std::vector<int64_t>{2, 1}));
  options.out = task->folder / "never_masked";
  write_file(options.masks, R"({"head_mask": [[1, 0, 0, 1]]})");
  EXPECT_ERROR(prune(options), "masks.json: prune: expected a mask of 2 layers of heads, got 1");
  options.out = options.model / ".";
  EXPECT_ERROR(prune(options), "prune: expected another folder for the result");
}

}  // namespace
}  // namespace ink
