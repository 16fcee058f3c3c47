// From a fine-tuned teacher to small models, folder to folder: distilled students.
#include "compress/distill.h"

#include <gtest/gtest.h>

#include <atomic>

#include "compress/prune.h"
#include "nn/session.h"
#include "tensor/allocator.h"
#include "tensor/file.h"
#include "tests/compress/distill_options.h"
#include "tests/compress/helpers.h"
#include "tests/tasks/toy_task.h"

namespace ink {
namespace {

// One fine-tuned teacher for all tests of this file.
class Compressed : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    task = new ToyTask("compress");
    teacher_accuracy = finetune(task->options("teacher")).dev.score;
  }
  static void TearDownTestSuite() {
    delete task;
    task = nullptr;
  }

  static DistillOptions distill_options(const std::string& out) {
    DistillOptions o = distillation_like(task->options(out), task->folder / "teacher");
    o.config.temperature = 2;
    return o;
  }
  static ModelConfig narrow() {
    ModelConfig c = ModelConfig::read(task->folder / "teacher" / "config.json");
    c.hidden_size = 24;
    c.set_layers(1, 2, 48);
    return c;
  }
  static inline ToyTask* task = nullptr;
  static inline double teacher_accuracy = 0;
};

TEST_F(Compressed, StudentLearnsFromSoftLabelsAndHiddenStates) {
  DistillOptions options = distill_options("student");
  options.student.architecture = narrow();
  options.match_evenly = MatchLoss::hidden_mse;
  const DistillResult result = distill(options);
  EXPECT_EQ(result.teachers.each[0].score, teacher_accuracy);
  EXPECT_GT(result.student.dev.score, 0.9);
  const Model untrained(narrow(), {.pooler = true, .classification = true},
                        random_values(Random(1)));
  EXPECT_GT(result.student.dev.score, accuracy_of(*task, untrained) + 0.3);
  const Model saved = load_model(options.out);
  EXPECT_EQ(saved.config.layers(), 1);
  EXPECT_EQ(saved.parameters.find("projection.0.weight"), nullptr)
      << "projections are no part of the student";
}

TEST_F(Compressed, StudentLearnsFromAttentionAndRelations) {
  DistillOptions options = distill_options("attentive");
  options.student.architecture = narrow();  // 1 layer of 2 heads; the teacher has 2 of 4
  options.fit.epochs = 2;
  options.config.intermediate_matches = {
      {.layer_teacher = 2, .layer_student = 1, .loss = MatchLoss::attention_ce_mean},
      {.layer_teacher = 2, .layer_student = 1, .loss = MatchLoss::minilm_value},
      {.layer_teacher = 2, .layer_student = 1, .loss = MatchLoss::nst}};
  options.config.intermediate_matches[1].relation_heads = 4;
  options.config.intermediate_matches[2].second_teacher = 1;
  options.config.probability_shift = true;
  options.config.temperature_scheduler = {.kind = TemperatureSchedule::Kind::flsw};
  std::vector<double> losses;
  distill(options, {.progress = [&](const Progress& p) { losses.push_back(p.loss); }});
  EXPECT_LT(losses.back(), losses.front());
  const std::string log = read_file(options.out / "training" / "log.jsonl", 1 << 24);
  for (const char* part :
       {"attention_attention_ce_mean_1_2", "relation_minilm_value_1_2", "hidden_nst_1-0_2-1"})
    EXPECT_NE(log.find(part), std::string::npos) << part;
  options.out = task->folder / "never";
  options.fit.recompute = true;
  EXPECT_ERROR(distill(options), "recomputed layers keep no attention to match");
  options.fit.recompute = false;
  options.config.intermediate_matches[0].layer_teacher = 3;
  EXPECT_ERROR(distill(options), "wants layer_T 3, but the teacher has attention layers 1 to 2");
}

// All layers with all by transport, of states and of attention; projections at a rate of their own;
// and the weights of cost attention, which move from batch to batch, resume too.
TEST_F(Compressed, LayersMatchedByTransportResumeBitForBit) {
  DistillOptions options = distill_options("by_transport");
  options.student.architecture = narrow();
  options.student.architecture->set_layers(2, 2, 48);
  options.fit.epochs = 2;
  EmdMatch states{.cost_attention = true};
  states.pair.student_size = 24;
  states.pair.teacher_size = 32;
  states.pair.projection_rate = 1e-2;
  EmdMatch maps;
  maps.pair.loss = MatchLoss::attention_mse_sum;
  options.config.emd = {states, maps};
  const std::string text = explanation(plan_distillation(options));
  EXPECT_NE(text.find("layers 1 to 2 (N, 24) -> linear (N, 32) each  with layers 1 to 2 (N, 32) by "
                      "optimal transport and cost attention  weight 1  emd_hidden_mse"),
            std::string::npos)
      << text;
  std::vector<double> losses;
  distill(options, {.progress = [&](const Progress& p) { losses.push_back(p.loss); }});
  EXPECT_LT(losses.back(), losses.front());
  const std::string log = read_file(options.out / "training" / "log.jsonl", 1 << 24);
  for (const char* part :
       {"\"emd_hidden_mse\"", "\"emd_hidden_mse_embeddings\"", "\"emd_attention_mse_sum\""})
    EXPECT_NE(log.find(part), std::string::npos) << part;

  options.out = task->folder / "by_transport_resumed";
  std::atomic<bool> stop = false;
  options.fit.stop = &stop;
  distill(options, {.progress = [&](const Progress& p) { stop = p.step == 41; }});
  EXPECT_FALSE(std::filesystem::exists(options.out / "training" / "checkpoint-00000060"));
  stop = false;
  options.fit.resume = true;
  const auto without_model = [&] {
    for (const char* model : {"config.json", "model.safetensors"})
      std::filesystem::remove(options.out / model);
  };
  without_model();
  distill(options);
  const Model straight = load_model(task->folder / "by_transport"),
              resumed = load_model(options.out);
  for (const Parameter& p : straight.parameters)
    EXPECT_TRUE(equal_bits(p.value, resumed.parameters.at(p.name).value)) << p.name;
  without_model();
  options.config.emd[0].cost_temperature = 2;
  EXPECT_ERROR(distill(options), "cost_temperature");
}

TEST_F(Compressed, AMapByTransportFindsTheLayersTheStudentBeganAs) {
  DistillOptions options = distill_options("mapped");
  options.student.layers_from_teacher = {0};
  options.match_evenly = MatchLoss::hidden_mse;
  const auto layer = [&](const char* map) {
    options.layer_map = map;
    return plan_distillation(options).config.intermediate_matches.at(1).layer_teacher;
  };
  EXPECT_EQ(layer("uniform"), 2);
  EXPECT_EQ(layer("emd"), 1);
  options.student = {};
  options.student.architecture = narrow();  // other widths: by Gram matrices
  EXPECT_GE(layer("emd"), 1);
}

TEST_F(Compressed, StudentDropsInEveryStep) {
  const auto losses = [](double body, double classifier) {
    DistillOptions options = distill_options("dropout");
    std::filesystem::remove_all(options.out);
    options.student.folder = task->model_that_drops(body, classifier);
    options.fit.epochs = 1;
    options.fit.learning_rate = 0;  // so that steps differ by what they drop alone
    std::vector<double> all;
    distill(options, {.progress = [&](const Progress& p) { all.push_back(p.loss); }});
    return all;
  };
  const std::vector<double> without = losses(0, 0);
  expect_all_differ(losses(0.5, 0), without);
  expect_all_differ(losses(0, 0.5), without);
}

TEST_F(Compressed, CachedTeacherGivesTheSameStudent) {
  DistillOptions options = distill_options("computed");
  options.student.layers_from_teacher = {1};
  options.fit.epochs = 1;
  distill(options);
  options.out = task->folder / "cached";
  options.config.is_caching_logits = true;
  distill(options);
  const Model computed = load_model(task->folder / "computed"),
              cached = load_model(task->folder / "cached");
  for (const Parameter& p : computed.parameters)
    EXPECT_TRUE(equal_bits(p.value, cached.parameters.at(p.name).value)) << p.name;
}

TEST_F(Compressed, RecomputedLayersGiveTheSameStudentInLessMemory) {
  DistillOptions options = distill_options("whole");
  options.student.layers_from_teacher = {0, 1, 0, 1};
  options.match_evenly = MatchLoss::hidden_mse;
  options.fit.epochs = 1;
  options.fit.batch_size = 120;
  reset_peak();
  distill(options);
  const size_t plain = pool_statistics().peak;
  options.out = task->folder / "recomputed";
  options.fit.recompute = true;
  reset_peak();
  distill(options);
  EXPECT_LT(pool_statistics().peak, plain * 4 / 5);
  const auto weights = [](const char* out) {
    return read_file(task->folder / out / "model.safetensors", 1 << 26);
  };
  EXPECT_EQ(weights("whole"), weights("recomputed"));
}

TEST_F(Compressed, StudentTakesLayersOfItsTeacher) {
  const Model teacher = load_model(task->folder / "teacher");
  const Model student = model_from_layers(teacher, {1});
  EXPECT_TRUE(equal_bits(student.parameters.at("bert.encoder.layer.0.output.dense.weight").value,
                         teacher.parameters.at("bert.encoder.layer.1.output.dense.weight").value));
  EXPECT_TRUE(equal_bits(student.parameters.at("classifier.weight").value,
                         teacher.parameters.at("classifier.weight").value));
  EXPECT_EQ(student.config.layers(), 1);
  EXPECT_ERROR(model_from_layers(teacher, {2}), "layers of the teacher from 0 to 1, got 2");
}

TEST_F(Compressed, DistillationErrors) {
  DistillOptions options = distill_options("never");
  EXPECT_ERROR(distill(options), "expected one source of the student");
  options.student.architecture = narrow();
  options.config.intermediate_matches = {{.layer_teacher = 1, .layer_student = 1}};
  EXPECT_ERROR(distill(options), "needs \"proj\": [\"linear\", 24, 32]");
  options.config.intermediate_matches.clear();
  options.config.kd_loss_weight = 0;
  options.config.kd_loss_weight_scheduler = WeightSchedule::linear_growth;
  EXPECT_ERROR(distill(options), "nothing is left to learn at the first step");
  options.config.kd_loss_weight_scheduler = WeightSchedule::none;
  options.match_evenly = MatchLoss::hidden_mse;
  options.fit.early_stop = 2;
  EXPECT_ERROR(distill(options), "layers alone are learnt, of which the task's score says nothing");
  options.fit.early_stop = 0;
  options.match_evenly = {};
  options.config.kd_loss_weight = 1;
  EXPECT_FALSE(std::filesystem::exists(options.out));
  options.student.architecture->vocab_size -= 1;
  EXPECT_ERROR(distill(options), "distill: the student: its tokenizer has");
  options.student = {.preset = "T5"};
  EXPECT_ERROR(distill(options), "students: unknown preset 'T5'; did you mean 'T6'?");
  options.student = {.folder = task->folder / "model"};
  options.teacher = task->folder / "model";
  EXPECT_ERROR(distill(options), "this model does not classify");
  options.teacher = task->folder / "teacher";
  options.out = options.teacher / "student";
  EXPECT_ERROR(distill(options), "expected another folder for the result");
  options.out = task->folder / "train.tsv" / "student";  // a file is in the way
  std::vector<std::string> said;
  EXPECT_ERROR(distill(options, {.notice = [&](const std::string& s) { said.push_back(s); }}),
               "cannot create the folder");
  EXPECT_TRUE(said.empty()) << "before the teacher is judged";
}

TEST_F(Compressed, BiGruLearnsAndIsAnOrdinaryModel) {
  DistillOptions options = distill_options("bigru");
  ModelConfig gru = narrow();
  gru.family = &bigru_family();
  gru.hidden_size = 32;
  gru.set_layers(1, 1, 24);
  options.student.architecture = gru;
  options.student.init_from_teacher = TeacherInit{.from = TeacherInit::From::embeddings};
  options.match_evenly = MatchLoss::cos;
  EXPECT_GT(distill(options).student.dev.score, 0.9);
  const Model saved = load_model(options.out);
  EXPECT_EQ(saved.config.family, &bigru_family());
  EXPECT_EQ(saved.config.architectures, std::vector<std::string>{"BiGruForSequenceClassification"});
  FinetuneOptions further = task->options("bigru_tuned");
  further.model = options.out;
  further.fit.epochs = 1;
  EXPECT_GT(finetune(further).dev.score, 0.9);
  PruneOptions pruning;
  pruning.model = options.out;
  pruning.out = task->folder / "bigru_pruned";
  pruning.data = task->folder / "train.tsv";
  pruning.max_length = 16;
  pruning.config = {.target_ffn_size = 16,
                    .target_num_of_heads = 0,
                    .pruning_method = PruningMethod::iterative,
                    .n_iters = 2};
  EXPECT_ERROR(prune(pruning), "bigru has no attention heads and feed-forward neurons");
}

TEST_F(Compressed, APlanSaysWhatTrainingWillDo) {
  DistillOptions options = distill_options("planned");
  options.student.architecture = narrow();
  options.match_evenly = MatchLoss::hidden_mse;
  options.layer_map = "last";
  options.fit.epochs = 2;
  options.fit.accumulate = 2;
  const DistillPlan plan = plan_distillation(options);
  EXPECT_FALSE(std::filesystem::exists(options.out)) << "planning writes nothing";
  EXPECT_EQ(plan.train_examples, 480);
  EXPECT_EQ(plan.steps, 30);  // 2 epochs of 480 / 16 batches, 2 to a step
  const DistillResult result = distill(options);
  EXPECT_EQ(result.student.training.step, plan.steps);
  EXPECT_EQ(load_model(options.out).parameters.elements(), plan.student_parameters);
  const std::string text = explanation(plan);
  for (const char* part :
       {"teacher    bert, 2 layers of 32 channels, 4 heads, width 64; ",
        "student    bert, 1 layer of 24 channels, 2 heads, width 48; ", "random weights",
        "layer 1 (N, 24) -> linear (N, 32)  with layer 2 (N, 32)  weight 1", "temperature 2",
        "30 steps: 2 epochs in batches of at most 16 examples",
        "evaluated 2 times, after steps 15 30; the best is kept\n"})
    EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
  EXPECT_EQ(to_json(plan)["DistillationConfig"]["intermediate_matches"].size(), 2u);
  EXPECT_EQ(to_json(plan)["evaluations"].to_string(), "[15, 30]");
}

// What a run would refuse, a plan refuses too.
TEST_F(Compressed, APlanRefusesLayersOfOtherSizes) {
  DistillOptions options = distill_options("never_planned");
  options.student = {.architecture = narrow(),
                     .init_from_teacher = TeacherInit{.from = TeacherInit::From::uniform}};
  options.config.intermediate_matches.clear();
  EXPECT_ERROR(plan_distillation(options), "layers of other sizes cannot be taken over");
}

TEST_F(Compressed, ARunThatIsThereIsNotBegunAnew) {
  DistillOptions options = distill_options("begun_twice");
  options.student.layers_from_teacher = {1};
  options.fit.steps = 1;
  distill(options);
  Model model = load_model(task->folder / "teacher");
  model.parameters.own();
  model.parameters.at("classifier.bias").value.data<float>()[0] = 100;
  options.teacher = task->folder / "always_one";
  save_model(model, options.teacher, task->folder / "teacher");
  bool judged = false;
  const TaskHooks hooks{.notice = [&](const std::string&) { judged = true; }};
  EXPECT_ERROR(distill(options, hooks), "--resume");
  EXPECT_FALSE(judged) << "it is refused before a doubtful teacher is judged";
  EXPECT_ERROR(plan_distillation(options), "--resume");
  options.fit.resume = true;
  plan_distillation(options);
  options.out = options.teacher;
  EXPECT_ERROR(plan_distillation(options), "always_one");
}

// The folder of the student alone is looked at before the first training, not after it.
TEST_F(Compressed, TheFolderOfTheStudentAloneIsCheckedFirst) {
  DistillOptions options = distill_options("with_alone");
  options.student.layers_from_teacher = {1};
  options.compare_alone = true;
  std::filesystem::create_directories(options.out / "alone" / "training" / "checkpoint-00000004");
  EXPECT_ERROR(distill(options), "holds checkpoints of an earlier run");
  EXPECT_FALSE(std::filesystem::exists(options.out / "training"));
}

// Labels alone leave nothing for a teacher to say.
TEST_F(Compressed, TextsWithoutLabelsWantATeacher) {
  DistillOptions options = distill_options("labels_alone");
  options.student.layers_from_teacher = {1};
  options.config = {.hard_label_weight = 1, .kd_loss_weight = 0};
  options.more.augmentation = {.copies = 1, .masking = 0.2};
  EXPECT_ERROR(plan_distillation(options), "nothing but true labels is learnt, which further");
  options.more = {};
  options.compare_alone = true;
  EXPECT_ERROR(plan_distillation(options), "as by the student alone");
  options.compare_alone = false;
  plan_distillation(options);
  options.config = {};
  options.more.unlabelled = options.data.train;
  EXPECT_ERROR(plan_distillation(options), "is the file of the labelled examples");
}

TEST_F(Compressed, OptionsFromJson) {
  const auto read = [](const std::string& text) {
    return distill_options_from_json(parse_json(text, "distill.json"));
  };
  const DistillOptions o =
      read(R"({"teacher": "t", "student": {"layers_from_teacher": [0, 2]}, "train": "a.tsv",
      "TrainingConfig": {"output_dir": "s", "num_epochs": 7, "max_grad_norm": -1},
      "DistillationConfig": {"temperature": 8}})");
  EXPECT_EQ(o.student.layers_from_teacher, (std::vector<int64_t>{0, 2}));
  EXPECT_EQ(o.fit.epochs, 7);
  EXPECT_EQ(o.fit.clip_norm, 0);
  EXPECT_EQ(o.config.temperature, 8);
  const DistillOptions preset =
      read(R"({"teacher": "t", "train": "a", "match_evenly": "cos", "layer_map": "last",
      "student": {"preset": "t3_small", "init_from_teacher": "embeddings"},
      "TrainingConfig": {"output_dir": "s"}})");
  EXPECT_EQ(preset.student.preset, "T3-small");
  EXPECT_EQ(preset.student.init_from_teacher->from, TeacherInit::From::embeddings);
  EXPECT_EQ(preset.layer_map, "last");
  EXPECT_EQ(read(R"({"teacher": "t", "train": "a", "student": {"preset": "T3",
      "init_from_teacher": [0, 4, 8]}, "TrainingConfig": {"output_dir": "s"}})")
                .student.init_from_teacher->layers,
            (std::vector<int64_t>{0, 4, 8}));
  EXPECT_ERROR(read(R"({"teacher": "t", "train": "a", "student": {"preset": "T3",
      "init_from_teacher": "middle"}, "TrainingConfig": {"output_dir": "s"}})"),
               "init_from_teacher: unknown value 'middle'; expected one of none, embeddings");
  EXPECT_ERROR(read(R"({"teacher": "t", "student": "s", "train": "a", "layer_map": "last",
      "TrainingConfig": {"output_dir": "s"}})"),
               "layer_map: a map says which layers match_evenly or a loss_preset compares");
  EXPECT_ERROR(read(
                   R"({"teacher": "t", "student": "s", "train": "a",
          "TrainingConfig": {"output_dirs": "s"}})"),
               "unknown key 'output_dirs'; did you mean 'output_dir'?");
  EXPECT_ERROR(read(R"({"teacher": "t", "student": "s", "train": "a", "tau": 1})"),
               "distill.json: tau: is a key of jobs on several tasks; this one is on one task");
  EXPECT_ERROR(read(R"({"teacher": "t", "student": "s", "train": "a", "num_steps": 9})"),
               "num_steps: stands here only beside tasks; of one task it is a key of");
  const auto training = [&](const std::string& keys) {
    return read(R"({"teacher": "t", "student": "s", "train": "a", "TrainingConfig":
        {"output_dir": "s", )" +
                keys + "}}")
        .fit;
  };
  EXPECT_EQ(training(R"("early_stop": 0)").early_stop, 0);
  EXPECT_ERROR(training(R"("early_stop": -1)"),
               "TrainingConfig: early_stop: expected 0 (never) or more, got -1");
  EXPECT_ERROR(training(R"("num_epochs": 0)"), "num_epochs: expected 1 or more, got 0");
  EXPECT_ERROR(training(R"("learning_rate": -1e-4)"),
               "TrainingConfig: learning_rate: expected 0 or more, got -0.0001");
  EXPECT_ERROR(training(R"("weight_decay": -1)"), "weight_decay: expected 0 or more, got -1");
  EXPECT_ERROR(training(R"("warmup_proportion": 3)"),
               "warmup_proportion: expected a share of the steps, from 0 to 1, got 3");
  EXPECT_ERROR(training(R"("num_steps": 5, "ckpt_frequency": 2)"),
               "distill.json: TrainingConfig: ckpt_frequency: goes with num_epochs");
  EXPECT_ERROR(read(R"({"teacher": "t", "student": "s", "train": "a"})"),
               "expected the student's folder in output_dir");
}

}  // namespace
}  // namespace ink
