// The plan of a study: which variants of pre-training are compared, on which tasks, how often.
//
//   {"base":         {"architecture": "small.json", "vocab": "vocab.txt", "text": ["laws.txt"],
//                     "dictionary": "words.txt", "steps": 2000},
//    "variants":     [{"name": "characters", "options": {"objective": "mlm"}},
//                     {"name": "words", "options": {"objective": "wwm"}}],
//    "seeds":        [1, 2, 3],
//    "steps_scored": [0, 500, 2000],
//    "tasks":        [{"name": "modules", "train": "train.tsv", "test": "test.tsv"},
//                     {"name": "word order", "task": "word-order", "text": ["laws.txt"],
//                      "dictionary": "words.txt", "train-sentences": 20000, "epochs": 2}],
//    "out":          "study"}
//
// base and options are those of `inkstone pretrain`, tasks those of `inkstone finetune` with a name
// and the file that is scored: `test`, or `dev` where there is none. A task with `text` makes its
// files itself and takes the options of `inkstone word-order` as well. Every variant is pre-trained
// with every seed; the model after each of steps_scored (default: the last; 0: untrained) is
// fine-tuned and scored on every task. Paths are relative to the working directory.
#pragma once
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "cli/command.h"
#include "cli/verbs.h"
#include "tensor/json.h"

namespace ink::cli {

struct StudyVariant {
  std::string name;
  Json options;  // of pretrain, those of base included
};

struct StudyTask {
  std::string name;
  Json finetune;               // options of finetune
  Json generator = {};         // options of word-order; null: the files are given
  std::filesystem::path test;  // the file that is scored
};

struct StudyPlan {
  std::string source;  // the file, for messages
  std::string title;
  std::filesystem::path out;
  std::vector<StudyVariant> variants;
  std::vector<StudyTask> tasks;
  std::vector<int64_t> seeds, steps;  // steps ascending

  std::filesystem::path cell(const StudyVariant& variant, int64_t seed) const;
  std::filesystem::path data(const StudyTask& task) const;  // of a task that makes its files
};

// A verb with the options of an object and further ones of the study itself; called, it does what
// the verb does. Raises UsageError, beginning with `place`, for options that the verb refuses.
class StudyStep {
 public:
  StudyStep(const char* verb, const Json& options, const Json& own, int64_t seed,
            const std::string& place);
  Json operator()() { return action_(); }
  int status() const { return command_.status; }

 private:
  Command command_;
  Action action_;
};
StudyStep pretraining(const StudyPlan& plan, const StudyVariant& variant, int64_t seed);
StudyStep finetuning(const StudyPlan& plan, const StudyTask& task, int64_t seed,
                     const std::filesystem::path& model, const std::filesystem::path& out);
StudyStep making_data(const StudyPlan& plan, const StudyTask& task);

// Reads and checks the whole plan: keys, names, every option of every step, and that the files it
// names are there. `out` wins over the file's where it is not empty. Raises UsageError or Error.
StudyPlan read_study(const std::filesystem::path& file, const std::string& out);

}  // namespace ink::cli
