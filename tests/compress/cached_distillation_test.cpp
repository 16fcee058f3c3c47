// Distilling from a teacher's outputs on disk, folder to folder.
#include <gtest/gtest.h>

#include "compress/distill.h"
#include "tensor/file.h"
#include "tests/compress/helpers.h"
#include "tests/tasks/toy_task.h"

namespace ink {
namespace {

class DistilledFromDisk : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    task = new ToyTask("distilled_from_disk");
    FinetuneOptions options = task->options("teacher");
    options.fit.epochs = 1;
    finetune(options);
  }
  static void TearDownTestSuite() {
    delete task;
    task = nullptr;
  }
  static DistillOptions options(const std::string& out) {
    const FinetuneOptions base = task->options(out);
    DistillOptions o{.teacher = task->folder / "teacher", .out = base.out, .config = {}};
    o.student.layers_from_teacher = {1};
    o.data = base.data;
    o.max_length = base.max_length;
    o.fit = base.fit;
    o.fit.epochs = 1;
    return o;
  }
  static std::string weights(const char* out) {
    return read_file(task->folder / out / "model.safetensors", 1 << 26);
  }

  static inline ToyTask* task = nullptr;
};

TEST_F(DistilledFromDisk, GivesTheSameStudent) {
  DistillOptions live = options("live");
  live.config.intermediate_matches = {
      {.layer_teacher = 1, .layer_student = 0},
      {.layer_teacher = 2, .layer_student = 1, .loss = MatchLoss::nst, .second_teacher = 1},
      {.layer_teacher = 2, .layer_student = 1, .loss = MatchLoss::attention_mse},
      {.layer_teacher = 1, .layer_student = 1, .loss = MatchLoss::minilm_value}};
  distill(live);
  std::vector<std::string> notices;
  DistillOptions cached = live;
  cached.teacher_cache.folder = task->folder / "cache";
  for (const char* out : {"made", "found"}) {
    cached.out = task->folder / out;
    distill(cached, {.notice = [&](const std::string& sentence) { notices.push_back(sentence); }});
    EXPECT_TRUE(weights(out) == weights("live")) << out;
  }
  ASSERT_EQ(std::ranges::count_if(notices,
                                  [](const std::string& sentence) {
                                    return sentence.starts_with(
                                        "teacher's outputs of 480 of 480 examples are in ");
                                  }),
            1)
      << "the second run finds the first one's cache";
  // another order of the examples, from the same files
  cached.fit.seed = live.fit.seed = 2;
  cached.out = task->folder / "shuffled";
  live.out = task->folder / "live_shuffled";
  distill(cached);
  distill(live);
  EXPECT_TRUE(weights("shuffled") == weights("live_shuffled"));
  EXPECT_FALSE(weights("shuffled") == weights("live"));
}

TEST_F(DistilledFromDisk, SaysWhatItCannotDo) {
  DistillOptions job = options("rounded");
  job.teacher_cache = {.folder = task->folder / "rounded_cache", .dtype = Dtype::bf16};
  distill(job);
  job.teacher_cache.folder = task->folder / "whole_cache";
  job.teacher_cache.dtype = Dtype::f32;
  job.fit.resume = true;
  EXPECT_ERROR(distill(job), "has teacher_outputs.dtype \"bf16\", got \"f32\"");
  job.fit.resume = false;
  job.out = task->folder / "never";
  job.config.is_caching_logits = true;
  EXPECT_ERROR(distill(job), "is_caching_logits keeps logits in memory, teacher_cache on disk");
}

TEST_F(DistilledFromDisk, OptionsFromJson) {
  const auto read = [](const std::string& cache) {
    return distill_options_from_json(
               parse_json(R"({"teacher": "t", "student": {"layers_from_teacher": [0]}, "train": "a",
                   "TrainingConfig": {"output_dir": "s"}, "teacher_cache": )" +
                              cache + "}",
                          "distill.json"))
        .teacher_cache;
  };
  EXPECT_EQ(read("\"folder\"").folder, "folder");
  const TeacherCacheOptions all =
      read(R"({"folder": "c", "dtype": "bf16", "top_k": 7, "rebuild": true})");
  EXPECT_EQ(all.folder, "c");
  EXPECT_EQ(all.dtype, Dtype::bf16);
  EXPECT_EQ(all.top_k, 7);
  EXPECT_TRUE(all.rebuild);
  EXPECT_ERROR(read(R"({"folder": "c", "topk": 7})"), "unknown key 'topk'; did you mean 'top_k'?");
  EXPECT_ERROR(read(R"({"folder": "c", "dtype": "f16"})"), "unknown value 'f16'");
  EXPECT_ERROR(read(R"({"folder": "c", "top_k": -1})"), "top_k");
  EXPECT_ERROR(read(R"({"folder": ""})"), "expected the name of a folder");
}

}  // namespace
}  // namespace ink
