// inkstone study: variants of pre-training × seeds → scores on tasks, as a table and a page.
//
// Each step is another verb of the program with its options from the file (cli/study_plan.h). What
// is finished is not done again, and what was interrupted goes on from its checkpoint, so the same
// command continues a study, also one that has got more variants, seeds or tasks.
#include <cstdio>
#include <memory>

#include "autograd/checkpoint.h"
#include "cli/length.h"
#include "cli/study_inputs.h"
#include "cli/study_plan.h"
#include "cli/study_results.h"
#include "cli/task_options.h"
#include "cli/terminal.h"
#include "cli/verbs.h"
#include "nn/session.h"
#include "tensor/file.h"

namespace ink::cli {
namespace {

namespace fs = std::filesystem;

struct Options {
  std::string file, out;
  bool check = false;
};

// What a study runs through; `status` is that of the process, 0 while nothing has been interrupted.
class Study {
 public:
  Study(const StudyPlan& plan, StudyResults& results) : plan_(plan), results_(results) {}
  int run();

 private:
  void make_data();
  bool pretrained(const StudyVariant& variant, int64_t seed);
  bool scored(const StudyVariant& variant, int64_t seed, int64_t step, const StudyTask& task);
  bool complete(const StudyVariant& variant, int64_t seed) const;
  bool finished(StudyStep step);

  const StudyPlan& plan_;
  StudyResults& results_;
  int status_ = 0;
};

// Runs a step. False where it was interrupted.
bool Study::finished(StudyStep step) {
  step();
  status_ = step.status();
  return status_ == 0;
}

// Whether a training, or the making of data, has left something in the folder that would be lost.
bool has_progress(const fs::path& folder) {
  if (fs::exists(folder / "config.json") || fs::exists(folder / "test.txt")) return true;
  return has_checkpoints(folder / "training");
}

// In what the folder was made of other inputs, by its study.json; empty: in nothing.
std::string other_in(const fs::path& folder, const Json& made_of) {
  const fs::path file = folder / "study.json";
  if (!fs::exists(file)) return {};
  return difference_of(parse_json(read_file(file, size_t{1} << 24), file.string()), made_of);
}

void say_made_of(const fs::path& folder, const Json& made_of) {
  create_folders(folder);
  write_file(folder / "study.json", made_of.to_string(1) + '\n');
}

// The folder is made of these inputs. What was begun of others, and came to nothing, is removed.
void claim(const fs::path& folder, const Json& made_of) {
  const std::string other = other_in(folder, made_of);
  check(other.empty() || !has_progress(folder), "", folder.string(), " was made with ", other,
        "; choose another out, or remove the folder");
  if (!other.empty()) fs::remove_all(folder);
  say_made_of(folder, made_of);
}

// The same for a fine-tuning, which costs little and whose score is not known yet: what was
// interrupted of another one is removed.
void claim_tuned(const fs::path& folder, const Json& made_of) {
  if (!other_in(folder, made_of).empty()) fs::remove_all(folder);
  say_made_of(folder, made_of);
}

void Study::make_data() {
  for (const StudyTask& task : plan_.tasks) {
    if (task.generator.is_null()) continue;
    claim(plan_.data(task), task.data_made_of);
    if (!fs::exists(task.test)) finished(making_data(plan_, task));
  }
}

bool Study::pretrained(const StudyVariant& variant, int64_t seed) {
  const fs::path folder = plan_.cell(variant, seed);
  claim(folder, variant.made_of);
  bool complete = fs::exists(folder / "config.json");
  for (const int64_t step : variant.steps) {
    const bool there = fs::exists(folder / ("step-" + std::to_string(step)) / "config.json");
    check(there || !complete, "", folder.string(), " was trained without keeping step ", step,
          ", which steps_scored asks for; choose another out, or remove the folder");
    complete = complete && there;
  }
  return complete || finished(pretraining(plan_, variant, seed));
}

// The best model on the task's own file.
Scores measure(const StudyTask& task, const fs::path& folder) {
  const TaskOptions options{.task = task.finetune.string("task", TaskOptions{}.task),
                            .columns = task.finetune.string("columns", ""),
                            .max_length = task.finetune.integer("max-length", 0)};
  const Task& kind = task_named(options.task);
  const Session session(folder);
  const ModelConfig& config = session.model().config;
  const Tokenizer tokenizer = load_tokenizer(folder, config);
  const TokenOptions tokens{tokenizer, length_for(options.max_length, config.longest())};
  const TaskSet data = kind.read(task.test, read_options(options), kind.labels_of(config), tokens);
  return data.judge(session.model()).scores;
}

bool Study::scored(const StudyVariant& variant, int64_t seed, int64_t step, const StudyTask& task) {
  if (results_.find(variant, task, seed, step)) return true;
  const fs::path cell = plan_.cell(variant, seed), name = "step-" + std::to_string(step),
                 tuned = cell / ("tuned-" + std::to_string(step) + "-" + task.name);
  claim_tuned(tuned, task.made_of);
  if (!finished(finetuning(plan_, task, seed, cell / name, tuned))) return false;
  const Scores scores = with_place(task.place, [&] { return measure(task, tuned); });
  results_.add(variant, task, seed, step, scores);
  fs::remove_all(tuned);  // it can be made again, and there are many
  std::printf("%s, seed %ld, step %ld, %s: %s\n", variant.name.c_str(), static_cast<long>(seed),
              static_cast<long>(step), task.name.c_str(), summary_of(scores).c_str());
  std::fflush(stdout);  // a file is read while the study goes on
  return true;
}

// Whether nothing is left to be asked of a model, which may then be gone.
bool Study::complete(const StudyVariant& variant, int64_t seed) const {
  for (const int64_t step : variant.steps)
    for (const StudyTask& task : plan_.tasks)
      if (!results_.find(variant, task, seed, step)) return false;
  return true;
}

int Study::run() {
  make_data();
  for (const int64_t seed : plan_.seeds) {
    for (const StudyVariant& variant : plan_.variants) {
      if (complete(variant, seed)) continue;
      if (!pretrained(variant, seed)) return status_;
      for (const int64_t step : variant.steps)
        for (const StudyTask& task : plan_.tasks)
          if (!scored(variant, seed, step, task)) return status_;
      write_file(plan_.out / "report.html", study_page(plan_, results_));
    }
  }
  return 0;
}

// How much there is to do, and how much of it is done.
Json say_size(const StudyPlan& plan, const StudyResults& results) {
  int64_t scores = 0, done = 0;
  for (const int64_t seed : plan.seeds) {
    for (const StudyVariant& v : plan.variants) {
      for (const int64_t step : v.steps) {
        for (const StudyTask& t : plan.tasks) {
          ++scores;
          done += results.find(v, t, seed, step) != nullptr;
        }
      }
    }
  }
  const auto models = std::ssize(plan.variants) * std::ssize(plan.seeds);
  std::printf("%s: %ld models to pre-train, %ld scores, %ld of them done\n", plan.out.c_str(),
              static_cast<long>(models), static_cast<long>(scores), static_cast<long>(done));
  return Json::make_object({{"models", models}, {"scores", scores}, {"done", done}});
}

Json run(const Options& o, Command& command) {
  const StudyPlan plan = read_study(o.file, o.out);
  StudyResults results(plan);
  if (o.check) return say_size(plan, results);
  create_folders(plan.out);
  command.status = Study(plan, results).run();
  results.write();
  write_file(plan.out / "report.html", study_page(plan, results));
  if (command.status != 0) notice("study: stopped; the same command goes on");
  std::printf("%s", study_table(plan, results).c_str());
  return Json::make_object({{"status", command.status == 0 ? "finished" : "interrupted"},
                            {"summary", results.summary()}});
}

}  // namespace

Action declare_study(Command& command) {
  command.computes_on_devices();
  auto o = std::make_shared<Options>();
  command.path("FILE", o->file, "the study: base, variants, seeds, steps_scored, tasks, out");
  command.path("--out", o->out, "folder for results.json and report.html; default: out of FILE");
  command.flag("--check", o->check, "only check FILE and say how much there is to do");
  command.require("FILE");
  return [o, &command] { return run(*o, command); };
}

}  // namespace ink::cli
