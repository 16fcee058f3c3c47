// Several tasks in one student: how tasks are drawn, one body under many heads, exact resume.
#include "compress/multi_task.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>

#include "autograd/training_log.h"
#include "compress/masks.h"
#include "compress/pruned_model.h"
#include "compress/task_draws.h"
#include "nn/session.h"
#include "tensor/file.h"
#include "tests/compress/helpers.h"
#include "tests/tasks/toy_tagging.h"

namespace ink {
namespace {

using Numbers = std::vector<double>;

Numbers probabilities(const std::vector<int64_t>& batches, double tau) {
  return task_probabilities(batches, tau);
}

TEST(TaskDraws, ProbabilitiesOfTextBrewer) {
  EXPECT_EQ(probabilities({100, 400}, 1), (Numbers{0.2, 0.8}));
  EXPECT_NEAR(probabilities({100, 400}, 0.5)[0], 1.0 / 3, 1e-15);
  EXPECT_EQ(probabilities({100, 400}, 0), (Numbers{0.5, 0.5}));
  EXPECT_EQ(probabilities({7}, 1), Numbers{1});
  EXPECT_EQ(probabilities({6, 1}, 400), (Numbers{1, std::pow(1.0 / 6, 400)}));
  EXPECT_ERROR(probabilities({1, 2}, -1), "expected a tau of at least 0, got -1");
  EXPECT_ERROR(probabilities({1, 0}, 1), "expected batches of every task, got 0");
}

TEST(TaskDraws, FollowTheProbabilitiesAndCountEachTask) {
  constexpr int64_t kDraws = 20'000;
  TaskDraws draws({0.2, 0.5, 0.3}, Random(1)), again({0.2, 0.5, 0.3}, Random(1));
  std::vector<int64_t> counts(3);
  for (int64_t m = 0; m < kDraws; ++m) {
    const TaskDraws::Draw draw = draws[m];
    ASSERT_LT(draw.task, 3u);
    EXPECT_EQ(draw.earlier, counts[draw.task]++);
  }
  for (const auto& [task, share] : {std::pair<size_t, double>{0, 0.2}, {1, 0.5}, {2, 0.3}}) {
    const double deviation = std::sqrt(share * (1 - share) / kDraws);
    EXPECT_NEAR(static_cast<double>(counts[task]) / kDraws, share, 4 * deviation);
  }
  const TaskDraws::Draw late = again[kDraws - 1];  // as a resumed run asks
  EXPECT_EQ(late.task, draws[kDraws - 1].task);
  EXPECT_EQ(late.earlier, draws[kDraws - 1].earlier);
}

TEST(MultiTask, OptionsFromJson) {
  const auto read = [](const std::string& rest) {
    return multi_task_options_from_json(parse_json(
        R"({"tasks": {"sst2": {"teacher": "t1", "train": "a.tsv", "dev": "b.tsv"},
                      "ner": {"teacher": "t2", "train": "c.txt", "task": "tagging"}}, )" +
            rest + "}",
        "distill.json"));
  };
  const MultiTaskOptions o =
      read(R"("tau": 0.5, "num_steps": 70, "evaluate_every": 7, "student": {"preset": "T3"},
              "TrainingConfig": {"output_dir": "s", "learning_rate": 0.001},
              "DistillationConfig": {"temperature": 8})");
  ASSERT_EQ(o.tasks.size(), 2u);
  EXPECT_EQ(o.tasks[0].name, "sst2");
  EXPECT_EQ(o.tasks[0].data.dev, "b.tsv");
  EXPECT_EQ(o.tasks[1].teacher, "t2");
  EXPECT_EQ(o.tasks[1].task, &tagging_task());
  EXPECT_EQ(o.out, "s");
  EXPECT_EQ(o.student.preset, "T3");
  EXPECT_EQ(o.config.temperature, 8);
  EXPECT_EQ(o.fit.learning_rate, 0.001);
  EXPECT_EQ(o.tau, 0.5);
  EXPECT_EQ(o.steps, 70);
  EXPECT_EQ(o.evaluate_every, 7);
  const std::string rest =
      R"("student": "s", "TrainingConfig": {"output_dir": "o"}, "num_steps": 1, )";
  EXPECT_ERROR(read(rest + R"("taus": 1)"), "unknown key 'taus'; did you mean 'tau");
  EXPECT_ERROR(read(rest + R"("tau": -1)"), "tau: expected at least 0, got -1");
  EXPECT_ERROR(read(R"("student": "s", "TrainingConfig": {"output_dir": "o", "num_epochs": 3},
                       "num_steps": 1)"),
               "TrainingConfig: num_epochs: is a key of jobs on one task; this one is on several "
               "tasks, which are drawn step by step: expected num_steps and evaluate_every");
  EXPECT_ERROR(read(R"("student": "s", "TrainingConfig": {"output_dir": "o"})"), "num_steps");
  EXPECT_ERROR(read(R"("student": "s", "TrainingConfig": {"output_dir": "o", "early_stop": 3},
                       "num_steps": 1)"),
               "early_stop: is a key of jobs on one task; this one is on several tasks");
  EXPECT_ERROR(read(rest + R"("match_evenly": "cos")"),
               "match_evenly: is a key of jobs on one task or plain text; this one is on several");
}

TEST(MultiTask, UnknownTasksAreFound) {
  EXPECT_ERROR(multi_task_options_from_json(parse_json(
                   R"({"tasks": {"ner": {"teacher": "t", "train": "c.txt", "task": "tags"}}})",
                   "distill.json")),
               "distill.json: tasks: ner: task: expected ");
}

// A teacher of three classes, one of two, and a tagger, of one vocabulary.
class ManyTasks : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    toy = new ToyTagging("many_tasks");
    for (const char* set : {"train", "dev"}) {
      std::string text = read_file(file(set, ".tsv"), 1 << 24);
      for (const char* other : {"c1\t", "c2\t"})
        for (size_t at = 0; (at = text.find(other, at)) != std::string::npos;)
          text.replace(at, 2, "no");
      for (size_t at = 0; (at = text.find("c0\t", at)) != std::string::npos;)
        text.replace(at, 2, "yes");
      write_file(file(set, "2.tsv"), text);
    }
    FinetuneOptions o = toy->ToyTask::options("three");
    finetune(o);
    o.out = toy->folder / "two";
    o.data.train = file("train", "2.tsv");
    o.data.dev = file("dev", "2.tsv");
    finetune(o);
    finetune(toy->options("tags"));
  }
  static void TearDownTestSuite() {
    delete toy;
    toy = nullptr;
  }
  static std::filesystem::path file(const char* set, const char* ending) {
    return toy->folder / (std::string(set) + ending);
  }
  static TaughtTask classes(const char* name, const char* ending) {
    return {.name = name,
            .teacher = toy->folder / name,
            .data = {.train = file("train", ending), .dev = file("dev", ending)}};
  }
  static MultiTaskOptions options(const char* out) {
    MultiTaskOptions o;
    o.tasks = {classes("three", ".tsv"), classes("two", "2.tsv")};
    o.tasks.push_back({.name = "tags",
                       .teacher = toy->folder / "tags",
                       .data = {.train = file("train", ".txt"), .dev = file("dev", ".txt")},
                       .task = &tagging_task()});
    o.out = toy->folder / out;
    o.max_length = 16;
    ModelConfig student = ModelConfig::read(toy->folder / "model" / "config.json");
    student.hidden_size = 24;
    student.set_layers(1, 2, 48);
    o.student.architecture = student;
    o.config.temperature = 2;
    o.config.intermediate_matches = {
        {.layer_teacher = 2, .layer_student = 1, .student_size = 24, .teacher_size = 32}};
    o.fit.batch_size = 16;
    o.fit.learning_rate = 3e-3;
    o.steps = 1000;
    o.evaluate_every = 250;
    return o;
  }
  static inline ToyTagging* toy = nullptr;
};

TEST_F(ManyTasks, OneBodyLearnsAllOfThem) {
  const MultiTaskOptions o = options("together");
  const MultiTaskResult result = distill_tasks(o);
  ASSERT_EQ(result.tasks.size(), 3u);
  std::vector<Model> models;
  double mean = 0;
  for (const MultiTaskResult::OfTask& task : result.tasks) {
    EXPECT_GT(task.teacher.score, 0.95) << task.name;
    EXPECT_GT(task.student.score, 0.85) << task.name;
    mean += task.student.score / 3;
    models.push_back(load_model(o.out / task.name));
  }
  EXPECT_NEAR(result.training.best.score, mean, 1e-12);
  EXPECT_EQ(models[0].config.labels.size(), 3u);
  EXPECT_EQ(models[1].config.labels, (std::vector<std::string>{"no", "yes"}));
  EXPECT_TRUE(models[2].tagging);
  for (const Parameter& p : models[2].parameters) {
    if (!p.name.starts_with("bert.")) continue;
    for (const Model& other : models)
      EXPECT_TRUE(equal_bits(p.value, other.parameters.at(p.name).value)) << p.name;
  }
  EXPECT_EQ(models[0].parameters.find("projection.0.weight"), nullptr);
  const std::string log = read_file(o.out / "training" / "log.jsonl", 1 << 24);
  for (const char* metric : {"three.accuracy", "two.accuracy", "tags.f1"})
    EXPECT_NE(log.find(metric), std::string::npos) << metric;
}

// For each task what a job of its own would do; how often it is drawn; nothing is written.
TEST_F(ManyTasks, APlanSaysWhatEachTaskWillDo) {
  MultiTaskOptions o = options("planned");
  o.tau = 0;
  const MultiTaskPlan plan = plan_tasks(o);
  ASSERT_EQ(plan.tasks.size(), 3u);
  EXPECT_NEAR(plan.tasks[2].probability, 1.0 / 3, 1e-12);
  EXPECT_EQ(plan.tasks[0].plan.train_examples, 480);
  EXPECT_EQ(plan.tasks[2].plan.task, &tagging_task());
  for (const MultiTaskPlan::OfTask& task : plan.tasks) {
    EXPECT_EQ(task.plan.steps, 1000) << "of all tasks together";
    EXPECT_EQ(task.plan.evaluations, (std::vector<int64_t>{250, 500, 750, 1000}));
  }
  const std::string text = explanation(plan);
  for (const char* part :
       {"3 tasks in one student; the 1000 steps are of all", "\n== tags, with probability 0.33",
        "layer 1 (N, 24) -> linear (N, 32)  with layer 2 (N, 32)"})
    EXPECT_NE(text.find(part), std::string::npos) << part << " in\n" << text;
  EXPECT_EQ(to_json(plan)["tasks"]["two"].integer("dev_examples"), 120);
  o.evaluate_every = 0;
  EXPECT_EQ(plan_tasks(o).tasks[0].plan.evaluations, std::vector<int64_t>{1000});
  EXPECT_FALSE(std::filesystem::exists(o.out));
}

// Micro-batches of a step count alike, whatever the tasks count in: tags of tokens, or texts.
TEST_F(ManyTasks, AStepIsTheMeanOfItsMicroBatches) {
  MultiTaskOptions o = options("mean");
  o.config.intermediate_matches.clear();
  o.steps = 20;
  o.evaluate_every = 20;
  o.fit.accumulate = 2;
  o.fit.log_every = 1;
  distill_tasks(o);
  int64_t mixed = 0;
  for (const Json& line : read_training_log(o.out / "training" / "log.jsonl")) {
    if (!line.has("loss")) continue;
    std::vector<double> losses;
    for (const char* name : {"three.kd_loss", "two.kd_loss", "tags.kd_loss"})
      if (line.has(name)) losses.push_back(line.real(name));
    if (losses.size() < 2) continue;
    ++mixed;
    EXPECT_NEAR(line.real("loss"), (losses[0] + losses[1]) / 2, 1e-5);
  }
  EXPECT_GT(mixed, 5);
}

TEST_F(ManyTasks, TeachersOfOtherSizesAreRefusedInAPlan) {
  MultiTaskOptions o = options("other_sizes");
  o.student = {};
  o.student.layers_from_teacher = {0};
  o.config.intermediate_matches.clear();
  Model narrow = load_model(toy->folder / "two");
  const Masks masks =
      masks_from_json(parse_json(R"({"head_mask": [[1, 1, 0, 0], [1, 1, 1, 1]]})", "m"));
  o.tasks[1].teacher = toy->folder / "narrow";
  save_model(pruned_model(narrow, masks), o.tasks[1].teacher, toy->folder / "two");
  EXPECT_ERROR(plan_tasks(o), "tasks share one body: expected teachers of one size");
}

TEST_F(ManyTasks, ResumeBitForBit) {
  MultiTaskOptions o = options("straight");
  o.steps = 24;
  o.evaluate_every = 8;
  o.fit.accumulate = 2;
  o.tau = 0.5;
  distill_tasks(o);
  o.out = toy->folder / "resumed";
  std::atomic<bool> stop = false;
  o.fit.stop = &stop;
  distill_tasks(o, {.progress = [&](const Progress& p) { stop = p.step == 11; }});
  stop = false;
  o.fit.resume = true;
  distill_tasks(o);
  for (const TaughtTask& task : o.tasks)
    EXPECT_EQ(read_file(o.out / task.name / "model.safetensors", 1 << 26),
              read_file(toy->folder / "straight" / task.name / "model.safetensors", 1 << 26));
  o.tau = 1;
  EXPECT_ERROR(distill_tasks(o), "tau");
  o.tau = 0.5;
  std::filesystem::remove_all(o.out / "two");
  EXPECT_ERROR(distill_tasks(o), "has kept a model of every task in");
  o.fit.resume = false;
  EXPECT_ERROR(distill_tasks(o), "--resume");
}

// An untrained teacher is doubted, and texts that were cut are counted, task by task.
TEST_F(ManyTasks, SaysWhatIsDoubtful) {
  MultiTaskOptions o = options("doubted");
  o.steps = 1;
  o.max_length = 8;
  Model model = load_model(toy->folder / "two");
  model.parameters.own();
  model.parameters.at("classifier.bias").value.data<float>()[0] = 100;
  o.tasks[1].teacher = toy->folder / "always_no";
  save_model(model, o.tasks[1].teacher, toy->folder / "two");
  std::vector<std::string> said;
  distill_tasks(o, {.notice = [&](const std::string& sentence) { said.push_back(sentence); }});
  const auto says = [&](const std::string& part) {
    return std::ranges::any_of(said, [&](const std::string& sentence) {
      return sentence.find(part) != std::string::npos;
    });
  };
  EXPECT_TRUE(says("task two: the teacher " + o.tasks[1].teacher.string() + " scores "));
  EXPECT_TRUE(says("no better than saying always no"));
  EXPECT_TRUE(says("task three: ") && says("training examples are longer than 8 tokens"));
}

TEST_F(ManyTasks, LayersAloneKeepTheLatestStudent) {
  MultiTaskOptions o = options("layers");
  o.config.kd_loss_weight = 0;
  o.steps = 6;
  o.evaluate_every = 2;
  EXPECT_EQ(distill_tasks(o).training.best_step, 6);
}

TEST_F(ManyTasks, ErrorsComeBeforeAnythingIsWritten) {
  const auto refused = [](const std::function<void(MultiTaskOptions&)>& change) {
    MultiTaskOptions o = options("never");
    change(o);
    distill_tasks(o);
  };
  EXPECT_ERROR(refused([](MultiTaskOptions& o) { o.tasks.clear(); }), "expected tasks, got none");
  EXPECT_ERROR(refused([](MultiTaskOptions& o) { o.tasks[1].name = "three"; }),
               "the task three is there twice");
  EXPECT_ERROR(refused([](MultiTaskOptions& o) { o.tasks[1].name = "../x"; }),
               "a task's name is that of its folder; expected letters, digits, _ and -");
  EXPECT_ERROR(refused([](MultiTaskOptions& o) { o.steps = 0; }),
               "expected steps above 0 where tasks are drawn, got 0");
  EXPECT_ERROR(refused([](MultiTaskOptions& o) { o.config.is_caching_logits = true; }),
               "logits are not cached where tasks are drawn");
  EXPECT_ERROR(
      refused([](MultiTaskOptions& o) { o.config.intermediate_matches[0].layer_teacher = 3; }),
      "wants layer_T 3, but the teacher has hidden layers 0 to 2");
  EXPECT_ERROR(refused([](MultiTaskOptions& o) { o.tasks[1].teacher = toy->folder / "tags"; }),
               "(task two)");
  // As many words, in another order; and a student whose classes are others.
  std::filesystem::copy(
      toy->folder / "two", toy->folder / "other_words",
      std::filesystem::copy_options::overwrite_existing | std::filesystem::copy_options::recursive);
  std::vector<std::string> words = Tokenizer::load(toy->folder / "two").vocabulary().tokens();
  std::swap(words[words.size() - 1], words[words.size() - 2]);
  std::string text;
  for (const std::string& word : words) text += word + '\n';
  write_file(toy->folder / "other_words" / "vocab.txt", text);
  std::filesystem::remove(toy->folder / "other_words" / "tokenizer.json");
  EXPECT_ERROR(
      refused([](MultiTaskOptions& o) { o.tasks[1].teacher = toy->folder / "other_words"; }),
      "task two reads other tokens than three");
  EXPECT_ERROR(refused([](MultiTaskOptions& o) {
                 o.student = {.folder = toy->folder / "three"};
                 o.config.intermediate_matches.clear();
               }),
               "the student " + (toy->folder / "three").string());
  EXPECT_FALSE(std::filesystem::exists(toy->folder / "never"));
}

}  // namespace
}  // namespace ink
