// Distillation: a small student learns a task from a fine-tuned teacher, from folder to folder.
//
//   distill({.teacher = "teacher", .out = "student",
//            .student = {.preset = "T3",
//                        .init_from_teacher = TeacherInit{.from = TeacherInit::From::uniform}},
//            .data = {.train = "train.tsv", .dev = "dev.tsv"},
//            .config = {.temperature = 8, .hard_label_weight = 0.5}});
#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "compress/distillation_config.h"
#include "compress/distillation_loss.h"
#include "compress/make_student.h"
#include "compress/more_examples.h"
#include "compress/teacher_cache.h"
#include "tasks/finetune.h"

namespace ink {

struct DistillOptions {
  // Folders; `out` receives the best student, out/training its log and checkpoints.
  std::filesystem::path teacher, out;
  // Several teachers: their logits are averaged, by these weights (none: equal ones), and matches
  // are made with each of them (compress/distiller.h). They have one label map; the student begins
  // from `teacher`, where it begins from one. A teacher of weight 0 is judged, and teaches nothing.
  std::vector<std::filesystem::path> other_teachers = {};
  std::vector<double> teacher_weights = {};  // of `teacher` and the others
  StudentOptions student = {};
  // What is learned. Of tasks that tag tokens, tokens with a tag alone are compared, and teacher
  // and student have to cut texts into the same ones.
  const Task* task = &classification_task();
  TaskData data = {};
  int64_t max_length = 128;
  DistillationConfig config = {};
  TeacherCacheOptions teacher_cache = {};  // on disk, where it has a folder
  MoreExamples more = {};                  // that the teacher alone labels; of whole texts
  // Whether the program also trains the student without its teacher (compress/comparison.h).
  bool compare_alone = false;
  // Instead of config.intermediate_matches: every student layer with one of the teacher's, by a
  // rule of compress/layer_map.h. "uniform" is that at the same share of the depth,
  // "emd" is measured on training data, with the student as it begins.
  std::optional<MatchLoss> match_evenly = {};
  std::string layer_map = "uniform";
  FitOptions fit = {};  // fit.folder is set here
};

// On the development examples; empty where no loss asks the teachers.
struct TeacherScores {
  std::vector<Scores> each = {};        // `teacher` first
  double mean = 0;                      // of their scores
  std::optional<Scores> ensemble = {};  // of the mean of their logits, where there are several
};

struct DistillResult {
  FinetuneResult student = {};
  TeacherScores teachers = {};
  std::vector<int64_t> evaluations = {};  // as in DistillPlan
};

DistillResult distill(const DistillOptions& options, const TaskHooks& hooks = {});

// What distill() will do, read and checked as it does, before anything is trained or written.
struct DistillPlan {
  const Task* task = nullptr;
  ModelConfig teacher, student;
  int64_t teacher_parameters = 0, student_parameters = 0;  // heads included
  std::vector<ModelConfig> other_teachers = {};
  std::vector<double> teacher_weights = {};  // of all, of sum 1
  StudentOptions from = {};
  std::vector<int64_t> layers = {};  // of the teacher, that the student's begin as
  bool same_tokens = true;           // teacher and student read the same tokens
  DistillationConfig config = {};    // with the matches of match_evenly
  FitOptions fit = {};
  int64_t train_examples = 0, dev_examples = 0, steps = 0;
  int64_t max_length = 0, truncated = 0;  // tokens; training examples that have more
  // Of the training examples, those that the teacher alone labels: further texts, changed copies.
  int64_t unlabelled = 0, copies = 0;
  std::vector<int64_t> evaluations = {};  // the steps after which the student is evaluated
  struct Cache {
    std::filesystem::path folder = {};     // empty: none on disk
    std::vector<std::string> fields = {};  // what is stored of each example
    std::string dtype = {};
    int64_t bytes = 0;  // of all teachers
  };
  Cache cache = {};
};
DistillPlan plan_distillation(const DistillOptions& options);
std::string explanation(const DistillPlan& plan);  // for people, several lines
Json to_json(const DistillPlan& plan);

// Options from a file as `inkstone distill --config` reads it:
//   {"teacher": "folder" or ["folder", "folder"], "teacher_weights": [2, 1],
//    "student": "folder" or {"preset": "T3", "init_from_teacher": [0, 4, 8]}
//               or {"architecture": "config.json"} or {"layers_from_teacher": [0, 2]},
//    "task": "classification" or another one of tasks/task.h,
//    "train": "train.tsv", "dev": "dev.tsv", "columns": "label,text", "max_length": 128,
//    "teacher_cache": "folder"
//                     or {"folder": …, "dtype": "bf16", "top_k": 0, "rebuild": false},
//    "unlabelled": "texts.txt", "augmentation": {"copies": 2, "masking": 0.1, …},
//    "compare_alone": false,
//    "loss_preset": "TinyBERT" or "match_evenly": "hidden_mse", "layer_map": "uniform", "last" or
//                   "emd",
//    "TrainingConfig": {"output_dir": "student", "num_epochs": 10, "learning_rate": 1e-4,
//                       "batch_size": 32, "gradient_accumulation_steps": 1,
//                       "warmup_proportion": 0.1, "max_grad_norm": 1, "weight_decay": 0.01,
//                       "ckpt_frequency": 2, "ckpt_epoch_frequency": 1, "keep_best": 3,
//                       "early_stop": 5, "log_dir": "events", "seed": 1, "device": "cpu"},
//                       or instead of epochs "num_steps": 1000, "ckpt_steps": 100,
//    "DistillationConfig": {"temperature": 8, …}}
// Presets are those of compress/students.h, loss presets those of compress/loss_presets.h, whose
// keys DistillationConfig replaces one by one. init_from_teacher, of a preset or an architecture,
// is a list of the teacher's layers, "uniform", "first" or "last" for a rule that chooses them,
// "embeddings" for these alone, or "none" (TeacherInit).
// Paths are relative to the working directory. Raises Error for unknown keys.
DistillOptions distill_options_from_json(const Json& json);

}  // namespace ink
