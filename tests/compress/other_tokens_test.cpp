// Teachers and students with tokenizers of their own: whole texts are compared, tokens are not.
#include <gtest/gtest.h>

#include "compress/distill.h"
#include "compress/reading.h"
#include "tests/compress/helpers.h"
#include "tests/tasks/toy_task.h"
#include "tests/text/tiny_tokenizers.h"

namespace ink {
namespace {

// An untrained model of a family, with a tokenizer.
std::filesystem::path model_in(const ToyTask& task, const char* name, const Family& family,
                               const Tokenizer& tokenizer) {
  ModelConfig c;
  c.family = &family;
  c.vocab_size = tokenizer.vocabulary().size();
  c.hidden_size = c.embedding_size = 32;
  c.max_position_embeddings = 44;
  c.positions_after_padding = &family == &roberta_family();
  c.pad_token_id = 1;
  c.initializer_range = 0.1;
  c.set_layers(2, 4, 64);
  save_model(Model(c, {}, random_values(Random(5))), task.folder / name);
  tokenizer.save(task.folder / name);
  return task.folder / name;
}

// The characters of the task, numbered from the last to the first.
Tokenizer reversed(const ToyTask& task) {
  std::vector<std::string> tokens = Tokenizer::load(task.folder / "model").vocabulary().tokens();
  std::reverse(tokens.begin() + 5, tokens.end());
  return Tokenizer(Vocabulary(tokens));
}

std::filesystem::path fine_tuned(const ToyTask& task, const std::filesystem::path& model) {
  FinetuneOptions options = task.options("teacher");
  options.model = model;
  options.max_length = 40;
  EXPECT_GT(finetune(options).dev.score, 0.8);
  return options.out;
}

DistillOptions options_for(const ToyTask& task, const std::filesystem::path& student,
                           const std::string& out) {
  const FinetuneOptions base = task.options(out);
  DistillOptions o;
  o.teacher = task.folder / "teacher";
  o.out = base.out;
  o.student.folder = student;
  o.data = base.data;
  o.max_length = 40;
  o.fit = base.fit;
  o.config.temperature = 2;
  return o;
}

// BERT's frame and XLNet's, of other numbers for the same characters.
TEST(OtherTokens, XlnetLearnsFromBert) {
  const ToyTask task("other_tokens");
  fine_tuned(task, model_in(task, "bert", bert_family(), Tokenizer::load(task.folder / "model")));
  const auto xlnet = model_in(task, "xlnet", xlnet_family(), reversed(task).with_class_last());
  DistillOptions options = options_for(task, xlnet, "student");
  EXPECT_GT(distill(options).student.dev.score, 0.8);
  EXPECT_EQ(Tokenizer::load(options.out).vocabulary().tokens(),
            reversed(task).vocabulary().tokens());
  // The student's own labels do not help where the teacher reads the wrong rows: a cached teacher,
  // which reads its own features in its own order, says the same.
  const auto weights = [](const std::filesystem::path& out) {
    return read_file(out / "model.safetensors", 1 << 26);
  };
  const std::string computed = weights(options.out);
  options.out = task.folder / "cached";
  options.config.is_caching_logits = true;
  distill(options);
  EXPECT_EQ(weights(options.out), computed);
  options.config.is_caching_logits = false;
  options.match_evenly = MatchLoss::hidden_mse;
  options.out = task.folder / "never";
  EXPECT_ERROR(distill(options), "teacher and student cut texts into different tokens");
  EXPECT_ERROR(plan_distillation(options), "nothing to compare token by token");
  options.match_evenly = {};
  EXPECT_FALSE(plan_distillation(options).same_tokens);
}

// Three bytes of BPE for each character that BERT reads as one.
TEST(OtherTokens, BertLearnsFromRoberta) {
  const ToyTask task("other_tokens");
  write_file(task.folder / "tokenizer.json", testing::tiny_bpe().to_string());
  fine_tuned(task, model_in(task, "roberta", roberta_family(), Tokenizer::load(task.folder)));
  const auto bert = model_in(task, "bert", bert_family(), Tokenizer::load(task.folder / "model"));
  const DistillResult result = distill(options_for(task, bert, "student"));
  EXPECT_GT(result.teachers.each[0].score, 0.8);
  EXPECT_GT(result.student.dev.score, 0.8);
}

// A student's own tokenizer that says the same is no other: features are shared, tokens compared.
TEST(OtherTokens, TheSameTokensAreReadOnce) {
  const ToyTask task("other_tokens");
  const ModelConfig config = ModelConfig::read(task.folder / "model" / "config.json");
  const Reader teacher{task.folder / "model", config};
  const TaskData data{.train = task.folder / "train.tsv", .dev = task.folder / "dev.tsv"};
  const Labels labels({"c0", "c1", "c2"});
  const auto read = [&](const std::filesystem::path& student) {
    return readings_of({.task = classification_task(), .data = data, .labels = labels},
                       student_tokens(student, config, teacher), {teacher})
        .front();
  };
  EXPECT_TRUE(read({}).train.shared());
  const auto same = model_in(task, "same", bert_family(), Tokenizer::load(task.folder / "model"));
  EXPECT_TRUE(read(same).train.shared());
  EXPECT_EQ(student_tokens(same, config, teacher).from, same);
  const auto other = model_in(task, "other", bert_family(), reversed(task));
  const Readings readings = read(other);
  EXPECT_FALSE(readings.train.shared());
  const FeatureBatch batch = readings.train.student.features->batch(std::vector<int64_t>{3, 1});
  const Packed its = readings.train.for_teacher(batch);
  EXPECT_EQ(to_vector<int32_t>(its.ids),
            to_vector<int32_t>(
                readings.train.teacher.features->batch(std::vector<int64_t>{3, 1}).inputs.ids));
  EXPECT_NE(to_vector<int32_t>(its.ids), to_vector<int32_t>(batch.inputs.ids));
}

}  // namespace
}  // namespace ink
