// inkstone distill: a teacher and a configuration with TextBrewer's keys → a smaller student.
//
// The file of --config holds the verb's options, as for every verb, and keys of its own: student,
// teacher_weights, teacher_cache, unlabelled, augmentation, compare_alone, TrainingConfig and
// DistillationConfig (compress/distill.h).
#include "compress/distill.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>

#include "autograd/training_log.h"
#include "cli/distillation_page.h"
#include "cli/format.h"
#include "cli/length.h"
#include "cli/model_option.h"
#include "cli/task_options.h"
#include "cli/verbs.h"
#include "compress/comparison.h"
#include "compress/students.h"
#include "tensor/file.h"

namespace ink::cli {
namespace {

struct Options {
  TaskOptions task;
  std::vector<std::string> teacher;
  std::string train, dev, out, match_evenly = "none", layer_map = "uniform";
  bool recompute = false, resume = false, explain = false;
};

const std::vector<std::string> kJobKeys = {"student",        "teacher_weights",   "teacher_cache",
                                           "unlabelled",     "augmentation",      "compare_alone",
                                           "TrainingConfig", "DistillationConfig"};

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
      "\"compare_alone\": true also trains the student on the labels alone, in OUT/alone, for the\n"
      "table in distillation.json and distillation.html.\n\n"
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
  job.set("teacher", teachers).set("train", o.train).set("dev", o.dev);
  job.set("task", o.task.task);
  job.set("columns", o.task.columns);
  if (o.match_evenly != "none") job.set("match_evenly", o.match_evenly);
  if (o.layer_map != "uniform") job.set("layer_map", o.layer_map);
  if (!o.out.empty()) {
    Json training = file.has("TrainingConfig") ? file.object("TrainingConfig") : Json();
    job.set("TrainingConfig", training.set("output_dir", o.out));
  }
  return job;
}

// Of teachers and student, what the one that reads least reads.
int64_t longest_of(const DistillOptions& job) {
  const auto of_folder = [](const std::filesystem::path& folder) {
    return ModelConfig::read(folder / "config.json").longest();
  };
  int64_t teacher = of_folder(job.teacher);
  for (const std::filesystem::path& other : job.other_teachers)
    teacher = std::min(teacher, of_folder(other));
  if (job.student.architecture) return std::min(teacher, job.student.architecture->longest());
  if (!job.student.folder.empty()) return std::min(teacher, of_folder(job.student.folder));
  if (job.student.preset.empty()) return teacher;
  const ModelConfig config = ModelConfig::read(job.teacher / "config.json");
  return std::min(teacher, student_config(student_preset(job.student.preset), config).longest());
}

bool finished(const DistillResult& result) {
  return result.student.training.status == TrainingResult::Status::finished;
}

// "teacher 91.20 %", or "teachers 91.20 %, 90.80 %, on average 91.00 %, together 92.00 %".
std::string about(const TeacherScores& teachers) {
  std::string text = teachers.ensemble ? "teachers" : "teacher";
  for (const Scores& scores : teachers.each) {
    if (&scores != &teachers.each.front()) text += ',';
    text += formatted(" %.2f %%", 100 * scores.score);
  }
  if (teachers.ensemble)
    text += formatted(", on average %.2f %%, together %.2f %%", 100 * teachers.mean,
                      100 * teachers.ensemble->score);
  return text;
}

void set_teachers(Json& json, const TeacherScores& teachers) {
  Json each = Json::make_array();
  for (const Scores& scores : teachers.each) each.append(json_of(scores));
  json.set("teachers", each).set("teacher_score", teachers.mean);
  if (teachers.ensemble) json.set("ensemble", json_of(*teachers.ensemble));
}

// Several teachers also together: as large and as slow as all of them.
void add_ensemble(std::vector<ComparedModel>& models, const TeacherScores& teachers) {
  if (!teachers.ensemble) return;
  ComparedModel all{.name = "ensemble", .scores = *teachers.ensemble};
  double seconds = 0;
  for (size_t k = 0; k < teachers.each.size(); ++k) {
    all.parameters += models[k].parameters;
    seconds += 1 / models[k].sentences_per_second;
  }
  all.sentences_per_second = 1 / seconds;
  models.insert(models.begin() + std::ssize(teachers.each), all);
}

// Writes distillation.json and distillation.html beside the student; returns the models.
Json written_comparison(const DistillOptions& job, const TeacherScores& teachers) {
  std::vector<NamedModel> folders = {{"teacher", job.teacher}};
  for (const std::filesystem::path& other : job.other_teachers)
    folders.push_back({"teacher " + std::to_string(folders.size() + 1), other});
  folders.push_back({"distilled", job.out});
  if (job.compare_alone) folders.push_back({"student alone", without_teacher(job).out});
  std::vector<ComparedModel> models = compare_models(job, folders);
  add_ensemble(models, teachers);
  const auto log = read_training_log(job.out / "training" / "log.jsonl");
  Json json = json_of(models);
  write_file(job.out / "distillation.json", json.to_string(2) + '\n');
  write_file(job.out / "distillation.html",
             distillation_page("Distillation: " + job.out.filename().string(), models, log));
  std::printf("%s", table_of(models).c_str());
  return json["models"];
}

Json run(const Options& o, Command& command) {
  DistillOptions job =
      as_usage([&] { return distill_options_from_json(job_json(o, command.file())); });
  job.max_length = length_for(o.task.max_length, longest_of(job));
  if (command.given("--seed")) job.fit.seed = static_cast<uint64_t>(command.seed);
  job.fit.recompute = o.recompute;
  if (o.explain) {
    const DistillPlan plan = plan_distillation(job);
    std::printf("%s", explanation(plan).c_str());
    return to_json(plan);
  }
  job.fit.resume = o.resume;
  job.fit.stop = &interrupted;
  catch_interrupts();
  ProgressDisplay display("distill");
  const auto stopped = [&](const DistillResult& result) {
    command.status = say_stopped(display);
    return Json::make_object({{"status", "interrupted"}, {"step", result.student.training.step}});
  };
  const DistillResult result = distill(job, hooks_of(display));
  if (!finished(result)) return stopped(result);
  if (job.compare_alone) {
    const DistillResult alone = distill(without_teacher(job), hooks_of(display));
    if (!finished(alone)) return stopped(alone);
  }
  std::printf("%s: %s (%s)\n", job.out.c_str(), summary_of(result.student.dev).c_str(),
              about(result.teachers).c_str());
  Json json = json_of(result.student.dev);
  json.set("status", "finished");
  set_teachers(json, result.teachers);
  json.set("step", result.student.training.step);
  json.set("seconds", result.student.training.seconds);
  return json.set("models", written_comparison(job, result.teachers));
}

}  // namespace

Action declare_distill(Command& command) {
  command.computes_on_devices();
  auto o = std::make_shared<Options>();
  command.own_keys(kJobKeys);
  command.describe(student_help());
  command.list("--teacher", o->teacher,
               "fine-tuned models, folders or names such as hfl/rbt3: what they say is averaged");
  command.path("--train", o->train, kExamplesHelp);
  command.path("--dev", o->dev, "examples that choose the best epoch; default: a part of --train");
  command.path("--out", o->out, "model folder to write; default: output_dir of TrainingConfig");
  declare_task(command, o->task, true);
  command.choice("--match-evenly", o->match_evenly, {"none", "hidden_mse", "cos"},
                 "also compare every layer with one of the teacher's, see --layer-map");
  command.choice("--layer-map", o->layer_map, {"uniform", "last", "emd"},
                 "which: the one at the same share of the depth, the last ones in order, or the "
                 "one that optimal transport between the layers carries most to");
  command.flag("--explain", o->explain,
               "print sizes, layer map, losses and steps, and do nothing else");
  command.flag("--recompute", o->recompute, kRecomputeHelp);
  command.flag("--resume", o->resume, "go on from the newest checkpoint in --out");
  for (const char* name : {"--config", "--teacher", "--train"}) command.require(name);
  return with_models(command, o->teacher, [o, &command] { return run(*o, command); });
}

}  // namespace ink::cli
