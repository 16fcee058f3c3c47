// The plan of a study: which variants of pre-training are compared, on which tasks, how often.
//
//   {"base":         {"architecture": "small.json", "vocab": "vocab.txt", "text": ["laws.txt"],
//                     "dictionary": "words.txt", "steps": 2000},
//    "variants":     [{"name": "untrained", "options": {"steps": 1}, "steps_scored": [0]},
//                     {"name": "characters", "options": {"objective": "mlm"}},
//                     {"name": "words", "options": {"objective": "wwm"}}],
//    "seeds":        [1, 2, 3],
//    "steps_scored": [500, 2000],
//    "tasks":        [{"name": "modules", "train": "train.tsv", "test": "test.tsv"},
//                     {"name": "word order", "task": "word-order", "text": ["laws.txt"],
//                      "dictionary": "words.txt", "train-sentences": 20000, "epochs": 2}],
//    "out":          "study"}
//
// base and options are those of `inkstone pretrain`, tasks those of `inkstone finetune` with a name
// and the file that is scored: `test`, or `dev` where there is none. A task with `text` makes its
// files itself and takes the options of `inkstone word-order` as well. Every variant is pre-trained
// with every seed; the model after each of steps_scored (default: the last; 0: untrained) is
// fine-tuned and scored on every task. A variant may have steps_scored of its own. Paths are
// relative to the working directory.
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
  std::string name, place;          // "study.json: variants[0] (words)", for messages
  std::vector<int64_t> steps = {};  // whose models are scored, ascending
  Json options = {};                // of pretrain, beside those of base, and before them
  Json made_of = {};                // as cli/study_inputs.h says
};

struct StudyTask {
  std::string name, place;
  Json finetune = {};                    // options of finetune
  Json generator = {};                   // options of word-order; null: the files are given
  std::filesystem::path test = {};       // the file that is scored
  Json made_of = {}, data_made_of = {};  // the second of a generator's files
};

struct StudyPlan {
  std::string title = {};
  std::filesystem::path out = {};
  Json base = {};
  std::vector<StudyVariant> variants = {};
  std::vector<StudyTask> tasks = {};
  std::vector<int64_t> seeds = {}, steps = {};  // steps of any variant, ascending

  std::filesystem::path cell(const StudyVariant& variant, int64_t seed) const;
  std::filesystem::path data(const StudyTask& task) const;  // of a task that makes its files
};

// A verb with options of the study itself, and of objects that say where in the file they stand,
// the first of which counts most. Raises UsageError for options that the verb refuses, and all
// Errors begin with the place.
class StudyStep {
 public:
  StudyStep(const char* verb, const Json& own, const std::vector<Json>& options, int64_t seed,
            std::string place);
  Json operator()();  // does what the verb does
  void try_out() const;
  Json values() const { return command_.values(); }
  int status() const { return command_.status; }

 private:
  Command command_;
  Action action_;
  std::string place_;
};
StudyStep pretraining(const StudyPlan& plan, const StudyVariant& variant, int64_t seed);
StudyStep finetuning(const StudyPlan& plan, const StudyTask& task, int64_t seed,
                     const std::filesystem::path& model, const std::filesystem::path& out);
StudyStep making_data(const StudyPlan& plan, const StudyTask& task);

// Reads the plan and tries all of it (cli/study_trial.h). `out` wins over the file's where it is
// not empty. Raises UsageError or Error.
StudyPlan read_study(const std::filesystem::path& file, const std::string& out);

}  // namespace ink::cli
