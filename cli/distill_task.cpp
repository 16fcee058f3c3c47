// The student of a task: what is printed of it, and the comparison beside it.
#include "cli/distill_task.h"

#include <cstdio>
#include <filesystem>
#include <set>
#include <string>

#include "cli/distillation_page.h"
#include "cli/length.h"
#include "cli/task_options.h"
#include "cli/verbs.h"
#include "compress/comparison.h"
#include "compress/distill.h"
#include "tasks/score_text.h"

namespace ink::cli {
namespace {

bool finished(const DistillResult& result) {
  return result.student.training.status == TrainingResult::Status::finished;
}

// " (teacher 91.20 %)", or " (teachers 91.20 %, 90.80 %, on average 91.00 %, together 92.00 %)".
std::string about(const Task& task, const TeacherScores& teachers) {
  const auto shown = [&](double score) { return score_text(task.judged_by, score); };
  if (teachers.each.empty()) return "";
  std::string text = teachers.ensemble ? " (teachers" : " (teacher";
  for (const Scores& scores : teachers.each) {
    if (&scores != &teachers.each.front()) text += ',';
    text += ' ' + shown(scores.score);
  }
  if (teachers.ensemble)
    text +=
        ", on average " + shown(teachers.mean) + ", together " + shown(teachers.ensemble->score);
  return text + ')';
}

void set_teachers(Json& json, const TeacherScores& teachers) {
  if (teachers.each.empty()) return;
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

// Writes distillation.json and distillation.html beside the student; returns the models, or null
// where it was stopped. `alone`: the folder of the student that had no teacher, where there is one.
Json written_comparison(const DistillOptions& job, const std::filesystem::path& alone,
                        const TeacherScores& teachers) {
  std::vector<NamedModel> folders = {{"teacher", job.teacher}};
  for (const std::filesystem::path& other : job.other_teachers)
    folders.push_back({"teacher " + std::to_string(folders.size() + 1), other});
  folders.push_back({"distilled", job.out});
  if (!alone.empty()) folders.push_back({"student alone", alone});
  std::vector<ComparedModel> models = compare_models(job, folders);
  if (models.empty()) return {};
  add_ensemble(models, teachers);
  const Json json = json_of(models);
  write_distillation(job.out, json);
  std::printf("%s", table_of(json).c_str());
  return json["models"];
}

// What was said of the examples in one training is not said again in the next.
TaskHooks hooks_once(ProgressDisplay& display, std::set<std::string>& said) {
  TaskHooks hooks = hooks_of(display);
  hooks.notice = [&](const std::string& sentence) {
    const bool of_training = sentence.starts_with("resumed");
    if (said.insert(sentence).second || of_training) display.say(sentence);
  };
  return hooks;
}

// The student; and where that is asked for the same one without its teacher, in the folder `alone`.
// The result is that of the first, or of the one that was stopped.
DistillResult trained(const DistillOptions& job, ProgressDisplay& display,
                      std::filesystem::path& alone) {
  std::set<std::string> said;
  DistillResult result = distill(job, hooks_once(display, said));
  if (!finished(result) || !job.compare_alone) return result;
  const DistillOptions same = without_teacher(job, result.evaluations);
  alone = same.out;
  display.say("now the same student without its teacher, in " + alone.string());
  ProgressDisplay display_alone("alone");
  DistillResult without = distill(same, hooks_once(display_alone, said));
  return finished(without) ? result : without;
}

}  // namespace

Json distill_on_task(const Json& keys, const TaskRun& o, Command& command) {
  DistillOptions job = as_usage([&] { return distill_options_from_json(keys); });
  std::vector<std::filesystem::path> teachers = {job.teacher};
  teachers.insert(teachers.end(), job.other_teachers.begin(), job.other_teachers.end());
  job.max_length = length_for(o.max_length, longest_sequence(job.student, teachers));
  if (command.given("--seed")) job.fit.seed = static_cast<uint64_t>(command.seed);
  job.fit.recompute = o.recompute;
  job.fit.resume = o.resume;
  if (o.explain) {
    const DistillPlan plan = plan_distillation(job);
    std::printf("%s", explanation(plan).c_str());
    return to_json(plan);
  }
  job.fit.stop = &interrupted;
  catch_interrupts();
  ProgressDisplay display("distill");
  const auto stopped = [&](const DistillResult& result, int status) {
    command.status = status;
    return Json::make_object({{"status", "interrupted"}, {"step", result.student.training.step}});
  };
  std::filesystem::path alone;
  const DistillResult result = trained(job, display, alone);
  if (!finished(result)) return stopped(result, say_stopped(display));
  std::printf("%s: %s%s\n", job.out.c_str(), summary_of(result.student.dev).c_str(),
              about(*job.task, result.teachers).c_str());
  const Json models = written_comparison(job, alone, result.teachers);
  if (models.is_null()) return stopped(result, say_uncompared(display));
  Json json = json_of(result.student.dev);
  json.set("status", "finished");
  set_teachers(json, result.teachers);
  json.set("best_step", result.student.training.best_step);
  json.set("step", result.student.training.step);
  json.set("seconds", result.student.training.seconds);
  return json.set("models", models);
}

}  // namespace ink::cli
