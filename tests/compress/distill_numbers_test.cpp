// Students of tasks whose labels are numbers or lists: their own losses, and what is refused.
#include <gtest/gtest.h>

#include "compress/comparison.h"
#include "compress/distill.h"
#include "compress/loss_of_task.h"
#include "compress/multi_task.h"
#include "compress/prune.h"
#include "tensor/file.h"
#include "tests/compress/distill_options.h"
#include "tests/compress/helpers.h"
#include "tests/tasks/relabelled.h"

namespace ink {
namespace {

// A fine-tuned teacher of one of the two tasks.
struct Taught {
  ToyTask toy;
  const Task& task;

  Taught(const std::string& name, const Task& learnt) : toy(name), task(learnt) {
    relabel(toy, &task == &regression_task() ? kAsNumbers : kAsLists);
    FinetuneOptions options = toy.options("teacher");
    options.task = &task;
    finetune(options);
  }
  DistillOptions options(const std::string& out) const {
    DistillOptions o = distillation_like(toy.options(out), toy.folder / "teacher");
    o.task = &task;
    o.student.layers_from_teacher = {1};
    o.config.kd_loss_type = kd_loss_of(task);
    o.config.temperature = 2;
    return o;
  }
  std::string weights(const char* out) const {
    return read_file(toy.folder / out / "model.safetensors", 1 << 26);
  }
};

class OfNumbers : public ::testing::TestWithParam<const char*> {};

TEST_P(OfNumbers, AStudentLearnsFromTeacherAndLabels) {
  const Taught t(std::string("student_") + GetParam(), task_named(GetParam()));
  DistillOptions options = t.options("student");
  options.config.hard_label_weight = 0.5;
  options.match_evenly = MatchLoss::hidden_mse;
  const DistillResult result = distill(options);
  EXPECT_GT(result.teachers.each.at(0).score, 0.9);
  EXPECT_GT(result.student.dev.score, 0.85);
  const ModelConfig student = ModelConfig::read(options.out / "config.json");
  EXPECT_EQ(student.problem_type, t.task.problem_type);
  EXPECT_TRUE(t.task.done_by(student));
  const std::string log = read_file(options.out / "training" / "log.jsonl", 1 << 24);
  for (const char* term : {"\"kd_loss\"", "\"hard_label_loss\""})
    EXPECT_NE(log.find(term), std::string::npos) << term;
  const DistillOptions alone = without_teacher(options, result.evaluations);
  EXPECT_EQ(alone.config.kd_loss_type, options.config.kd_loss_type);
  EXPECT_GT(distill(alone).student.dev.score, 0.85);
}

// A student from a preset has no head yet: it gets one of the teacher's kind.
TEST_P(OfNumbers, ANewHeadIsOfTheTeachersKind) {
  const Taught t(std::string("new_head_") + GetParam(), task_named(GetParam()));
  DistillOptions options = t.options("student");
  options.student = {.folder = t.toy.folder / "model"};
  options.fit.epochs = 1;
  distill(options);
  EXPECT_TRUE(t.task.done_by(ModelConfig::read(options.out / "config.json")));
}

TEST_P(OfNumbers, CachedTeachersAndTextsWithoutLabels) {
  const Taught t(std::string("cached_") + GetParam(), task_named(GetParam()));
  write_file(t.toy.folder / "more.txt", ToyTask::character(1) + ToyTask::character(25) + "\n");
  const auto student = [&](const char* out, const auto& change) {
    DistillOptions options = t.options(out);
    options.config.hard_label_weight = 1;
    options.fit.epochs = 1;
    options.more.unlabelled = t.toy.folder / "more.txt";
    options.more.augmentation = {.copies = 1, .masking = 0.2};
    change(options);
    const DistillPlan plan = plan_distillation(options);
    EXPECT_EQ(plan.unlabelled, 1);
    EXPECT_EQ(plan.copies, 481);
    distill(options);
    return t.weights(out);
  };
  const std::string computed = student("computed", [](DistillOptions&) {});
  EXPECT_EQ(student("memory", [](DistillOptions& o) { o.config.is_caching_logits = true; }),
            computed);
  EXPECT_EQ(
      student("disk", [&](DistillOptions& o) { o.teacher_cache.folder = t.toy.folder / "cache"; }),
      computed);
}

TEST_P(OfNumbers, PruningMeasuresAndRecovers) {
  const Taught t(std::string("pruned_") + GetParam(), task_named(GetParam()));
  const auto pruned = [&](const std::string& out, const std::string& keys) {
    PruneOptions options;
    options.model = t.toy.folder / "teacher";
    options.out = t.toy.folder / out;
    options.data = t.toy.folder / "train.tsv";
    options.task = &t.task;
    options.max_length = 16;
    options.config = PruningConfig::from_json(parse_json(
        R"({"pruning_method": "iterative", "target_num_of_heads": 2, "target_ffn_size": 32)" +
            keys + "}",
        "p.json"));
    EXPECT_EQ(prune(options).heads_per_layer, (std::vector<int64_t>{2, 2}));
    const Model model = load_model(options.out);
    const Tokenizer tokenizer = Tokenizer::load(options.out);
    return t.task
        .read(t.toy.folder / "dev.tsv", {}, t.task.labels_of(model.config), {tokenizer, 16})
        .judge(model)
        .scores.score;
  };
  pruned("by_labels", "");
  pruned("by_itself", R"(, "use_logits": true)");
  EXPECT_GT(pruned("recovered", R"(, "use_logits": true, "recovery":
      {"epochs": 3, "learning_rate": 3e-3, "batch_size": 16, "distil": true})"),
            0.85);
  EXPECT_ERROR(pruned("compatible", R"(, "use_logits": true, "compatible": true)"),
               "compares distributions over classes");
}

INSTANTIATE_TEST_SUITE_P(Tasks, OfNumbers, ::testing::Values("regression", "multi-label"),
                         [](const auto& task) {
                           return std::string(task.index == 0 ? "Regression" : "MultiLabel");
                         });

TEST(NumbersAndLists, OtherProblemsAreRefusedBeforeTheFirstStep) {
  const Taught t("other_problem", regression_task());
  const auto refused = [&](const char* message, const auto& change) {
    DistillOptions options = t.options("never");
    change(options);
    EXPECT_ERROR(distill(options), message);
    EXPECT_FALSE(std::filesystem::exists(options.out));
  };
  refused(
      "does not do the task classification: labels: expected a model of the task "
      "classification, got problem_type regression; its task (--task) is regression",
      [](DistillOptions& o) { o.task = &classification_task(); });
  refused("the task regression has numbers; expected kd_loss_type regression, got ce",
          [](DistillOptions& o) { o.config.kd_loss_type = KdLoss::ce; });
  refused("moves the true class to the front, and the task regression has none; expected",
          [](DistillOptions& o) { o.config.probability_shift = true; });
  Model classifier = load_model(t.toy.folder / "teacher");
  classifier.config.problem_type = "multi_label_classification";
  save_model(classifier, t.toy.folder / "lists", t.toy.folder / "teacher");
  refused("has a head of the task multi-label, the teacher",
          [&](DistillOptions& o) { o.student = {.folder = t.toy.folder / "lists"}; });
  refused("does not do the task regression",
          [&](DistillOptions& o) { o.other_teachers = {t.toy.folder / "lists"}; });

  DistillOptions lists = t.options("never");
  lists.task = &multi_label_task();
  lists.teacher = t.toy.folder / "lists";
  lists.config.kd_loss_type = KdLoss::bce;
  lists.teacher_cache = {.folder = t.toy.folder / "cache", .top_k = 1};
  EXPECT_ERROR(distill(lists), "expected top_k 0 in teacher_cache");
}

TEST(NumbersAndLists, AFileNeedNotNameTheLoss) {
  const auto loss = [](const std::string& keys) {
    return distill_options_from_json(parse_json(R"({"teacher": "t", "student": "s", "train": "a",
        "TrainingConfig": {"output_dir": "s"})" + keys +
                                                    "}",
                                                "d.json"))
        .config.kd_loss_type;
  };
  EXPECT_EQ(loss(""), KdLoss::ce);
  EXPECT_EQ(loss(R"(, "task": "regression")"), KdLoss::regression);
  EXPECT_EQ(loss(R"(, "task": "multi-label", "DistillationConfig": {"temperature": 2})"),
            KdLoss::bce);
  EXPECT_EQ(loss(R"(, "task": "regression", "DistillationConfig": {"kd_loss_type": "kl"})"),
            KdLoss::kl)
      << "what it names is left, and refused later";
}

TEST(NumbersAndLists, EachOfSeveralTasksHasItsOwnLoss) {
  const auto losses = [](const char* of_first, const char* of_all) {
    const MultiTaskOptions o = multi_task_options_from_json(parse_json(
        std::string(R"({"tasks": {"a": {"teacher": "t", "train": "x")") + of_first +
            R"(}, "b": {"teacher": "t", "train": "x", "task": "multi-label"},
            "c": {"teacher": "t", "train": "x", "task": "regression"}},
            "DistillationConfig": {)" +
            of_all + R"(}, "num_steps": 2, "student": "s", "TrainingConfig": {"output_dir": "n"}})",
        "d.json"));
    std::vector<KdLoss> all;
    for (const TaughtTask& task : o.tasks) all.push_back(job_of(o, task).config.kd_loss_type);
    return all;
  };
  using enum KdLoss;
  EXPECT_EQ(losses("", ""), (std::vector{ce, bce, regression}));
  EXPECT_EQ(losses(R"(, "kd_loss_type": "mse")", ""), (std::vector{mse, bce, regression}));
  EXPECT_EQ(losses("", R"("kd_loss_type": "kl")"), (std::vector{kl, kl, kl}))
      << "what it names is left, and refused later";
  EXPECT_ERROR(losses(R"(, "kd_loss_type": "least")", ""), "kd_loss_type");
}

TEST(NumbersAndLists, OneStudentLearnsBoth) {
  const Taught numbers("numbers_of_both", regression_task()),
      lists("lists_of_both", multi_label_task());
  MultiTaskOptions o;
  for (const Taught* t : {&numbers, &lists})
    o.tasks.push_back({.name = t->task.name,
                       .teacher = t->toy.folder / "teacher",
                       .data = t->options("").data,
                       .task = &t->task});
  o.out = numbers.toy.folder / "both";
  o.student.layers_from_teacher = {1};
  o.max_length = 16;
  o.config = {.temperature = 2, .hard_label_weight = 0.5};
  o.fit.batch_size = 16;
  o.fit.learning_rate = 3e-3;
  o.steps = 400;
  const MultiTaskResult result = distill_tasks(o);
  for (const MultiTaskResult::OfTask& task : result.tasks)
    EXPECT_GT(task.student.score, 0.85) << task.name;
  o.out = numbers.toy.folder / "never";
  o.tasks[0].kd_loss_type = KdLoss::ce;
  EXPECT_ERROR(distill_tasks(o), "expected kd_loss_type regression, got ce (task regression)");
}

}  // namespace
}  // namespace ink
