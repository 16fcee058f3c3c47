// Distilling from a teacher's outputs on disk, and from examples that it alone labels, folder to
// folder.
#include <gtest/gtest.h>

#include "compress/comparison.h"
#include "nn/model_folder.h"
#include "nn/weights.h"
#include "tensor/file.h"
#include "tests/compress/distill_options.h"
#include "tests/compress/helpers.h"
#include "tests/tasks/toy_task.h"

namespace ink {
namespace {

class DistilledFromDisk : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    task = new ToyTask("distilled_from_disk");
    FinetuneOptions options = task->options("teacher");
    options.fit.epochs = 4;
    finetune(options);
  }
  static void TearDownTestSuite() {
    delete task;
    task = nullptr;
  }
  static DistillOptions options(const std::string& out) {
    DistillOptions o = distillation_like(task->options(out), task->folder / "teacher");
    o.student.layers_from_teacher = {1};
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

TEST_F(DistilledFromDisk, ATeacherInShardsTeachesTheSame) {
  const std::filesystem::path shards = task->folder / "shards";
  std::filesystem::copy(task->folder / "teacher", shards);
  std::vector<NamedTensor> tensors;
  const Model teacher = load_model(shards);
  for (const Parameter& p : teacher.parameters) tensors.push_back({p.name, p.value});
  save_weights(shards, tensors, {.max_shard_bytes = 1 << 14});
  ASSERT_FALSE(std::filesystem::exists(shards / "model.safetensors"));
  DistillOptions job = options("from_one_file");
  job.teacher_cache.folder = task->folder / "cache_of_both";
  distill(job);
  job.teacher = shards;
  job.out = task->folder / "from_shards";
  std::vector<std::string> notices;
  distill(job, {.notice = [&](const std::string& sentence) { notices.push_back(sentence); }});
  EXPECT_TRUE(weights("from_shards") == weights("from_one_file"));
  EXPECT_TRUE(std::ranges::none_of(notices, [](const std::string& sentence) {
    return sentence.starts_with("teacher's outputs of 480 of 480 examples are in ");
  })) << "the cache of the same weights is found";
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

// The first 24 examples of the task, and the texts of the others.
void split_training(const std::filesystem::path& folder) {
  const std::string all = read_file(folder / "train.tsv", 1 << 20);
  std::string few, texts;
  size_t line = 0;
  for (size_t at = 0; at < all.size(); ++line) {
    const size_t end = all.find('\n', at) + 1;
    if (line <= 24)
      few += all.substr(at, end - at);
    else
      texts += all.substr(all.find('\t', at) + 1, end - all.find('\t', at) - 1);
    at = end;
  }
  write_file(folder / "few.tsv", few);
  write_file(folder / "texts.txt", texts);
}

TEST_F(DistilledFromDisk, LearnsFromTextsThatTheTeacherLabels) {
  split_training(task->folder);
  DistillOptions job = options("from_few");
  job.student = {.folder = task->folder / "model"};  // that knows nothing yet
  job.data.train = task->folder / "few.tsv";
  job.config.hard_label_weight = 0.5;
  job.fit.epochs = 6;
  const double alone = distill(job).student.dev.score;
  job.more.unlabelled = task->folder / "texts.txt";
  job.out = task->folder / "from_more";
  EXPECT_EQ(plan_distillation(job).train_examples, 480);
  EXPECT_GT(distill(job).student.dev.score, alone + 0.2);
  job.out = task->folder / "from_none";
  write_file(task->folder / "empty.txt", "\n \n");
  job.more.unlabelled = task->folder / "empty.txt";
  EXPECT_ERROR(plan_distillation(job), "empty.txt: expected texts, one a line, found none");
  write_file(task->folder / "bytes.txt", "ab\na\xff\n");
  job.more.unlabelled = task->folder / "bytes.txt";
  EXPECT_ERROR(plan_distillation(job),
               "bytes.txt:2: expected UTF-8, found another byte at column 2");
}

TEST_F(DistilledFromDisk, IsComparedWithTheStudentAlone) {
  DistillOptions job = options("compared");
  job.config.intermediate_matches = {{.layer_teacher = 1, .layer_student = 0}};
  job.more.augmentation = {.copies = 1, .masking = 0.2};
  const DistillPlan planned = plan_distillation(job);
  const DistillResult distilled = distill(job);
  EXPECT_EQ(distilled.evaluations, planned.evaluations);
  const double score = distilled.student.dev.score;
  const DistillOptions alone = without_teacher(job, distilled.evaluations);
  const DistillPlan plan = plan_distillation(alone);
  EXPECT_EQ(plan.train_examples, 480) << "no copies without a teacher";
  EXPECT_EQ(plan.evaluations.size(), planned.evaluations.size());
  std::vector<double> losses;
  const double score_alone =
      distill(alone, {.progress = [&](const Progress& p) { losses.push_back(p.loss); }})
          .student.dev.score;
  EXPECT_EQ(read_file(alone.out / "training" / "log.jsonl", 1 << 24).find("kd_loss"),
            std::string::npos)
      << "the teacher is not asked";
  EXPECT_EQ(losses.size(), 60u) << "as many steps as with copies";
  const std::vector<ComparedModel> models =
      compare_models(job, {{"teacher", job.teacher}, {"distilled", job.out}, {"alone", alone.out}});
  ASSERT_EQ(models.size(), 3u);
  EXPECT_EQ(models[0].parameters, load_model(job.teacher).parameters.elements());
  EXPECT_LT(models[1].parameters, models[0].parameters);
  EXPECT_EQ(models[1].scores.score, score);
  EXPECT_EQ(models[2].scores.score, score_alone);
  for (const ComparedModel& m : models) EXPECT_GT(m.sentences_per_second, 0) << m.name;
  const std::atomic<bool> stop = true;
  job.fit.stop = &stop;
  EXPECT_TRUE(compare_models(job, {{"teacher", job.teacher}}).empty()) << "it was stopped";
}

TEST_F(DistilledFromDisk, APlanNamesTheCacheAndWhatIsAdded) {
  write_file(task->folder / "two_texts.txt", "a b\nb c\n");
  DistillOptions job = options("explained");
  job.config.intermediate_matches = {{.layer_teacher = 1, .layer_student = 0}};
  job.more.augmentation = {.copies = 1, .masking = 0.2};
  job.more.unlabelled = task->folder / "two_texts.txt";
  job.teacher_cache.folder = task->folder / "planned_cache";
  job.fit.steps = 100;
  job.fit.evaluate_every = 7;
  job.fit.keep_best = 3;
  const DistillPlan plan = plan_distillation(job);
  EXPECT_EQ(plan.unlabelled, 2);
  EXPECT_EQ(plan.copies, 482);
  EXPECT_EQ(plan.cache.fields, (std::vector<std::string>{"logits", "hidden.1"}));
  const std::string text = explanation(plan);
  for (const std::string& part : std::vector<std::string>{
           "964 examples, ",
           "of them 480 with a label; the teacher alone labels 2 further texts and 482",
           "evaluated 15 times, after steps 7 14 21 28 … 100; the best is kept, and 3 in gs{step}",
           "teacher on disk, in " + job.teacher_cache.folder.string() +
               "\n  logits hidden.1 of every"})
    EXPECT_NE(text.find(part), std::string::npos) << part << '\n' << text;
  EXPECT_FALSE(std::filesystem::exists(job.teacher_cache.folder));
  job.out = task->folder / "measured_cache";
  job.fit.steps = 1;
  distill(job);
  int64_t bytes = 0;
  for (const auto& file : std::filesystem::directory_iterator(job.teacher_cache.folder))
    bytes += static_cast<int64_t>(file.file_size());
  EXPECT_GE(bytes, plan.cache.bytes);
  EXPECT_LT(bytes, plan.cache.bytes + (64 << 10)) << "headers";
  job.out = task->folder / "planned_again";
  EXPECT_EQ(plan_distillation(job).cache.bytes, plan.cache.bytes);
  job.fit.seed = 9;  // other copies
  EXPECT_ERROR(plan_distillation(job), "it was made of other tokens than this job's");
}

TEST_F(DistilledFromDisk, CopiesAreCachedLikeTheirOriginals) {
  DistillOptions job = options("copies");
  job.config.hard_label_weight = 0.5;
  job.more.augmentation = {.copies = 1, .masking = 0.2, .deleting = 0.2};
  EXPECT_EQ(plan_distillation(job).train_examples, 960);
  distill(job);
  job.out = task->folder / "copies_cached";
  job.teacher_cache.folder = task->folder / "copies_cache";
  distill(job);
  EXPECT_TRUE(weights("copies_cached") == weights("copies"));
  job.out = task->folder / "no_copies";
  job.teacher_cache.folder = "";
  job.more.augmentation = {};
  distill(job);
  EXPECT_FALSE(weights("no_copies") == weights("copies"));
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
  const DistillOptions more = distill_options_from_json(parse_json(
      R"({"teacher": "t", "student": "s", "train": "a", "TrainingConfig": {"output_dir": "o"},
          "unlabelled": "texts.txt", "compare_alone": true,
          "augmentation": {"copies": 3, "masking": 0.1}})",
      "distill.json"));
  EXPECT_EQ(more.more.unlabelled, "texts.txt");
  EXPECT_EQ(more.more.augmentation.copies, 3);
  EXPECT_TRUE(more.compare_alone);
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
