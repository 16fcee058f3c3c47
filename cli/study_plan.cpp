// Reading a study, and its steps as verbs with options.
#include "cli/study_plan.h"

#include <algorithm>
#include <set>

#include "cli/study_inputs.h"
#include "cli/study_trial.h"
#include "objectives/pretrain.h"
#include "tensor/file.h"
#include "tensor/keys.h"

namespace ink::cli {
namespace {

namespace fs = std::filesystem;

const Verb& verb_named(const std::string& name) {
  return *std::ranges::find(verbs(), name, [](const Verb& v) { return std::string(v.name); });
}

// Names become folders and the heads of columns.
std::string name_of(const Json& object, std::set<std::string>& taken) {
  const std::string& name = object.string("name");
  if (name.empty() || name == "." || name == ".." || name.find('/') != std::string::npos)
    throw UsageError(object.where("name") + ": expected a name without '/', got " +
                     in_quotes(name));
  if (!taken.insert(name).second)
    throw UsageError(object.where("name") + ": expected different names, got " + in_quotes(name) +
                     " twice");
  return name;
}

std::string place_of(const Json& object, const std::string& name) {
  return object.where() + " (" + name + ')';
}

std::vector<int64_t> numbers_of(const Json& file, const char* key, int64_t low) {
  std::vector<int64_t> numbers;
  const Json& list = file.array(key);
  for (size_t i = 0; i < list.size(); ++i) numbers.push_back(list.integer_between(i, low, 1 << 30));
  std::vector<int64_t> sorted = numbers;
  std::ranges::sort(sorted);
  if (sorted.empty() || std::ranges::adjacent_find(sorted) != sorted.end())
    throw UsageError(file.where(key) + ": expected one or more different numbers");
  return numbers;
}

std::vector<int64_t> steps_of(const Json& file) {
  std::vector<int64_t> steps = numbers_of(file, "steps_scored", 0);
  std::ranges::sort(steps);
  return steps;
}

StudyVariant variant_of(const Json& object, std::set<std::string>& names,
                        const std::vector<int64_t>& steps) {
  check_keys(object, {"name", "options", "steps_scored"});
  const std::string name = name_of(object, names);
  return {.name = name,
          .place = place_of(object, name),
          .steps = object.has("steps_scored") ? steps_of(object) : steps,
          .options = object.has("options") ? object.object("options") : Json::make_object()};
}

// Those of any variant.
std::vector<int64_t> steps_of(const std::vector<StudyVariant>& variants) {
  std::set<int64_t> steps;
  for (const StudyVariant& v : variants) steps.insert(v.steps.begin(), v.steps.end());
  return {steps.begin(), steps.end()};
}

// The members of an object that are, or are not, options of word-order; the rest keeps its place.
Json part_of(const Json& options, bool generator) {
  Command makes("word-order", "");
  verb_named("word-order").declare(makes);
  Json part = options;
  for (const Json::Member& m : options.members())
    if (makes.knows(m.key) != generator) part.erase(m.key);
  return part;
}

StudyTask task_of(const Json& object, std::set<std::string>& names, const StudyPlan& plan) {
  const std::string name = name_of(object, names);
  StudyTask task{.name = name, .place = place_of(object, name), .finetune = object};
  task.finetune.erase("name");
  if (object.has("text")) {
    if (object.string("task", "") != "word-order")
      throw UsageError(task.place +
                       ": text goes with task \"word-order\", which makes files of it; "
                       "another task needs train and dev or test");
    for (const char* key : {"train", "dev", "test"})
      if (object.has(key))
        throw UsageError(object.where(key) + ": this is what the study itself decides");
    task.generator = part_of(task.finetune, true);
    task.finetune = part_of(task.finetune, false);
    task.test = plan.data(task) / "test.txt";
    return task;
  }
  task.test = object.string("test", object.string("dev", ""));
  if (task.test.empty()) throw UsageError(task.place + ": expected a test or dev file to score");
  task.finetune.erase("test");
  return task;
}

}  // namespace

fs::path StudyPlan::cell(const StudyVariant& variant, int64_t seed) const {
  return out / "models" / (variant.name + "-seed-" + std::to_string(seed));
}
fs::path StudyPlan::data(const StudyTask& task) const { return out / "data" / task.name; }

StudyStep::StudyStep(const char* verb, const Json& own, const std::vector<Json>& options,
                     int64_t seed, std::string place)
    : command_(verb, ""), action_(verb_named(verb).declare(command_)), place_(std::move(place)) {
  command_.seed = seed;
  command_.read(own, place_);
  for (const Json& each : options) command_.read(each, each.where());
  with_place(place_, [&] { command_.check_complete(); });
}

Json StudyStep::operator()() { return with_place(place_, action_); }

void StudyStep::try_out() const {
  with_place(place_, [&] { command_.try_out(); });
}

StudyStep pretraining(const StudyPlan& plan, const StudyVariant& variant, int64_t seed) {
  const fs::path folder = plan.cell(variant, seed);
  Json own =
      Json::make_object({{"out", folder.string()}, {"resume", fs::exists(folder / "training")}});
  std::string save_at;
  for (const int64_t step : variant.steps)
    save_at += (save_at.empty() ? "" : ",") + std::to_string(step);
  return {
      "pretrain", own.set("save-at", save_at), {variant.options, plan.base}, seed, variant.place};
}

StudyStep finetuning(const StudyPlan& plan, const StudyTask& task, int64_t seed,
                     const fs::path& model, const fs::path& out) {
  Json own = Json::make_object(
      {{"model", model.string()}, {"out", out.string()}, {"resume", fs::exists(out / "training")}});
  if (!task.generator.is_null())
    own.set("train", (plan.data(task) / "train.txt").string())
        .set("dev", (plan.data(task) / "dev.txt").string());
  return {"finetune", own, {task.finetune}, seed, task.place};
}

StudyStep making_data(const StudyPlan& plan, const StudyTask& task) {
  const Json own = Json::make_object({{"out", plan.data(task).string()}});
  return {"word-order", own, {task.generator}, 1, task.place};
}

StudyPlan read_study(const fs::path& file, const std::string& out) {
  return as_usage([&] {
    const Json json = parse_json(read_file(file, size_t{16} << 20), file.string());
    check_keys(json, {"title", "base", "variants", "seeds", "steps_scored", "tasks", "out"});
    StudyPlan plan{.title = json.string("title", "A study of pre-training"),
                   .out = out.empty() ? json.string("out") : out,
                   .base = json.object("base"),
                   .seeds = numbers_of(json, "seeds", 0)};
    const std::vector<int64_t> steps =
        json.has("steps_scored") ? steps_of(json)
                                 : std::vector{plan.base.integer("steps", PretrainOptions{}.steps)};
    std::set<std::string> variants, tasks;
    for (size_t i = 0; i < json.array("variants").size(); ++i)
      plan.variants.push_back(variant_of(json.array("variants").object(i), variants, steps));
    for (size_t i = 0; i < json.array("tasks").size(); ++i)
      plan.tasks.push_back(task_of(json.array("tasks").object(i), tasks, plan));
    if (plan.variants.empty() || plan.tasks.empty())
      throw UsageError(file.string() + ": expected one or more variants and tasks");
    plan.steps = steps_of(plan.variants);
    try_study(plan);
    find_inputs(plan);
    return plan;
  });
}

}  // namespace ink::cli
