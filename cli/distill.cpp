// inkstone distill: a teacher and a configuration with TextBrewer's keys → a smaller student.
//
// The file of --config holds the verb's options, as for every verb, and keys of its own: student,
// teacher_weights, teacher_cache, unlabelled, augmentation, compare_alone, TrainingConfig and
// DistillationConfig (compress/distill.h). The student learns a task from --train
// (cli/distill_task.h), or from --text what the teacher was pre-trained to do (cli/distill_text.h).
#include <algorithm>
#include <memory>

#include "cli/distill_task.h"
#include "cli/distill_tasks.h"
#include "cli/distill_text.h"
#include "cli/model_option.h"
#include "cli/task_options.h"
#include "cli/text_options.h"
#include "cli/verbs.h"
#include "compress/loss_presets.h"
#include "compress/students.h"

namespace ink::cli {
namespace {

struct Options {
  TaskOptions task;
  TextOptions text;
  std::vector<std::string> teacher;
  std::string train, dev, out, loss_preset = "none", match_evenly = "none", layer_map = "uniform";
  bool recompute = false, resume = false, explain = false;
  std::vector<std::string> of_tasks, of_texts;  // options about one of the two alone
};

const std::vector<std::string> kJobKeys = {
    "student",       "teacher_weights", "teacher_cache",      "unlabelled", "augmentation",
    "compare_alone", "TrainingConfig",  "DistillationConfig", "tasks",      "tau",
    "num_steps"};

// Whether the student learns several tasks, which the file lists.
bool has_tasks(const Command& command) {
  return command.file().is_object() && command.file().has("tasks");
}

// The table of presets and the forms of "student", for --help.
std::string student_help() {
  std::string text =
      "\nThe file of --config says where the student comes from, under \"student\":\n"
      "  \"folder\"                            a model, with its own tokenizer or the teacher's\n"
      "  {\"preset\": \"T3\"}                    new, sizes by name, see below\n"
      "  {\"architecture\": \"config.json\"}     new, sizes from a file\n"
      "  {\"layers_from_teacher\": [0, 2]}     the teacher with these of its layers\n"
      "A new one may have \"init_from_teacher\": [0, 4, 8] (layers of the teacher),\n"
      "\"uniform\", \"first\", \"last\" (layers by rule), \"embeddings\" or \"none\".\n"
      "\nWith \"teacher_cache\": \"folder\" the teacher's outputs are computed once, and read\n"
      "there by every further run. {\"folder\": ..., \"dtype\": \"bf16\"} takes half the space,\n"
      "\"top_k\": 10 keeps the largest logits alone, \"rebuild\": true replaces what does not "
      "fit.\n"
      "\"unlabelled\": \"texts.txt\" are further texts, one a line, that the teacher alone "
      "labels;\n"
      "\"augmentation\": {\"copies\": 2, \"masking\": 0.1, \"deleting\": 0.1} makes changed copies "
      "of\n"
      "every text, for it to label (also ngram_sampling, short_disorder, long_disorder).\n"
      "\"compare_alone\": true also trains the student on the labels alone, in OUT/alone, for as\n"
      "many steps, for the table in distillation.json and distillation.html.\n\n"
      "\"tasks\": {\"NAME\": {\"teacher\": ..., \"train\": ..., \"dev\": ..., \"task\": ...}, "
      "...}\n"
      "in place of --teacher and --train: one student learns several tasks for \"num_steps\"\n"
      "steps, each of one drawn by its size to the power \"tau\" (1), and is measured after\n"
      "\"evaluate_every\" of them. OUT/NAME is the model of a task.\n\n"
      "Presets, layers x hidden size, and width:\n";
  for (const StudentPreset& p : student_presets())
    text += "  " + std::string(p.name) + std::string(18 - std::string_view(p.name).size(), ' ') +
            std::to_string(p.layers) + " x " + std::to_string(p.hidden) + ", " +
            std::to_string(p.ffn) + '\n';
  return text;
}

// What the library reads: the job's own keys of the file, and the options from file or flags.
Json job_json(const Options& o, const Json& file) {
  Json job = file;
  for (const Json::Member& m : file.members())
    if (std::ranges::find(kJobKeys, m.key) == kJobKeys.end()) job.erase(m.key);
  Json teachers = Json::make_array();
  for (const std::string& teacher : o.teacher) teachers.append(teacher);
  if (!o.teacher.empty()) job.set("teacher", teachers);
  if (!o.train.empty())
    job.set("train", o.train)
        .set("dev", o.dev)
        .set("task", o.task.task)
        .set("columns", o.task.columns);
  if (file.has("tasks") && o.text.job.evaluate_every > 0)
    job.set("evaluate_every", o.text.job.evaluate_every);
  if (o.loss_preset != "none") job.set("loss_preset", o.loss_preset);
  if (o.match_evenly != "none") job.set("match_evenly", o.match_evenly);
  if (o.layer_map != "uniform") job.set("layer_map", o.layer_map);
  if (!o.out.empty()) {
    Json training = file.has("TrainingConfig") ? file.object("TrainingConfig") : Json();
    job.set("TrainingConfig", training.set("output_dir", o.out));
  }
  return job;
}

Json run_on_text(const Options& o, const Json& job, Command& command) {
  TextOptions text = o.text;
  text.job.max_tokens = o.task.max_length;
  text.job.recompute = o.recompute;
  text.job.resume = o.resume;
  return distill_on_text(job, text, o.explain, command);
}

void check_options(const Options& o, const Command& command) {
  const bool text = !o.text.text.empty(), tasks = has_tasks(command);
  const int given = int{text} + int{!o.train.empty()} + int{tasks};
  if (given != 1)
    throw UsageError(
        std::string(
            "expected one of --train, examples of a task, --text, plain text, and \"tasks\" "
            "in the file of --config; got ") +
        (given == 0 ? "none of them" : "more than one"));
  if (tasks != o.teacher.empty())
    throw UsageError(tasks ? "--teacher: each of the \"tasks\" names its own"
                           : "expected --teacher, the model to learn from");
  const auto refuse = [&](const std::vector<std::string>& names, const char* with) {
    for (const std::string& name : names)
      if (command.given(name)) throw UsageError(name + ": says nothing about " + with);
  };
  if (text) refuse(o.of_tasks, "--text");
  std::vector<std::string> of_texts = o.of_texts;
  if (tasks) std::erase(of_texts, "--evaluate-every");
  if (!text) refuse(of_texts, tasks ? "\"tasks\"" : "--train");
  if (tasks) refuse(o.of_tasks, "\"tasks\", which say it each");
  if (text) check_text_options(o.text, command);
}

Json run(const Options& o, Command& command) {
  const Json job = as_usage([&] { return job_json(o, command.file()); });
  if (!o.text.text.empty()) return run_on_text(o, job, command);
  if (has_tasks(command))
    return distill_on_tasks(job,
                            {.max_length = o.task.max_length,
                             .recompute = o.recompute,
                             .resume = o.resume,
                             .explain = o.explain},
                            command);
  return distill_on_task(job,
                         {.max_length = o.task.max_length,
                          .recompute = o.recompute,
                          .resume = o.resume,
                          .explain = o.explain},
                         command);
}

std::vector<std::string> names_of_losses() {
  std::vector<std::string> names{"none"};
  for (const std::string_view name : loss_presets()) names.emplace_back(name);
  return names;
}

// The names of the options that `declare` declares.
template <class F>
std::vector<std::string> declared(const Command& command, F&& declare) {
  const size_t before = command.names().size();
  declare();
  std::vector<std::string> names = command.names();
  names.erase(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(before));
  return names;
}

void declare_task_part(Command& command, Options& o) {
  command.path("--dev", o.dev, "examples that choose the best epoch; default: a part of --train");
  declare_task(command, o.task, true);
}

void declare_text_part(Command& command, Options& o) {
  declare_objective_of_text(command, o.text);
  command.section("Batches and steps on text");
  declare_batches(command, o.text);
  command.option("--steps", o.text.job.steps, "optimizer steps", kOneOrMore);
  declare_running(command, o.text);
}

}  // namespace

Action declare_distill(Command& command) {
  command.computes_on_devices();
  auto o = std::make_shared<Options>();
  command.own_keys(kJobKeys);
  command.describe(student_help());
  command.list(
      "--teacher", o->teacher,
      "models to learn from, folders or names such as hfl/rbt3: what several say is averaged");
  command.path("--out", o->out, "model folder to write; default: output_dir of TrainingConfig");
  command.choice("--loss-preset", o->loss_preset, names_of_losses(),
                 "losses of a published method; what DistillationConfig says wins");
  command.choice("--match-evenly", o->match_evenly, {"none", "hidden_mse", "cos"},
                 "also compare every layer with one of the teacher's, see --layer-map");
  command.choice("--layer-map", o->layer_map, {"uniform", "last", "emd"},
                 "which: the one at the same share of the depth, the last ones in order, or the "
                 "one that optimal transport between the layers carries most to");
  command.flag("--explain", o->explain,
               "print sizes, layer map, losses, steps, evaluations, examples without a label and "
               "the cache, and do nothing else");
  command.flag("--recompute", o->recompute, kRecomputeHelp);
  command.flag("--resume", o->resume, "go on from the newest checkpoint in --out");
  command.section("On a task");
  command.path("--train", o->train, kExamplesHelp);
  o->of_tasks = declared(command, [&] { declare_task_part(command, *o); });
  std::erase(o->of_tasks, "--max-length");
  command.section("On text");
  command.list("--text", o->text.text,
               "text files, or folders of .txt files; a blank line between documents");
  o->of_texts = declared(command, [&] { declare_text_part(command, *o); });
  command.require("--config");
  command.refuses([o, &command] { check_options(*o, command); });
  return with_models(command, o->teacher, [o, &command] { return run(*o, command); });
}

}  // namespace ink::cli
