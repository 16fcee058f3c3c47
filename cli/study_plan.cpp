// Reading a study, and trying every option before anything runs.
#include "cli/study_plan.h"

#include <algorithm>
#include <set>

#include "objectives/pretrain.h"
#include "tensor/file.h"
#include "tensor/keys.h"

namespace ink::cli {
namespace {

namespace fs = std::filesystem;

const Verb& verb_named(const std::string& name) {
  return *std::ranges::find(verbs(), name, [](const Verb& v) { return std::string(v.name); });
}

// Keys with dashes, as options are called.
Json with_dashes(const Json& options) {
  Json all = Json::make_object();
  for (const Json::Member& m : options.members()) {
    std::string key = m.key;
    std::ranges::replace(key, '_', '-');
    check(!all.has(key), "", options.where(m.key), ": expected once, got twice");
    all.set(key, m.value);
  }
  return all;
}

void refuse_own(const Json& options, std::initializer_list<const char*> own,
                const std::string& place) {
  for (const char* key : own)
    if (options.has(key))
      throw UsageError(place + ": " + in_quotes(key) + " is what the study itself decides");
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

// Files and folders that options name, where they are no output.
void check_files(const Json& options, const std::string& place) {
  for (const char* key :
       {"text", "vocab", "architecture", "dictionary", "similar", "train", "dev", "test"}) {
    const Json* value = options.find(key);
    if (!value || value->is_null()) continue;
    for (const std::string& path : words_of(*value, place))
      check(fs::exists(path), "", place, ": ", key, ": there is no file ", path);
  }
}

StudyVariant variant_of(const Json& object, const Json& base, std::set<std::string>& names) {
  check_keys(object, {"name", "options"});
  StudyVariant variant{name_of(object, names), base};
  if (!object.has("options")) return variant;
  const Json options = with_dashes(object.object("options"));
  for (const Json::Member& m : options.members()) variant.options.set(m.key, m.value);
  return variant;
}

StudyTask task_of(const Json& object, std::set<std::string>& names) {
  Json options = with_dashes(object);
  StudyTask task{.name = name_of(object, names), .finetune = Json::make_object(), .test = {}};
  const std::string place = object.where() + ": " + task.name;
  options.erase("name");
  check_files(options, place);
  if (options.has("text")) {
    if (options.string("task", "") != "word-order")
      throw UsageError(place +
                       ": text goes with task \"word-order\", which makes files of it; "
                       "another task needs train and dev or test");
    refuse_own(options, {"train", "dev", "test"}, place);
    Command makes("word-order", "");
    verb_named("word-order").declare(makes);
    task.generator = Json::make_object();
    for (const Json::Member& m : options.members())
      (makes.knows(m.key) ? task.generator : task.finetune).set(m.key, m.value);
    return task;
  }
  const std::string test = options.string("test", options.string("dev", ""));
  if (test.empty()) throw UsageError(place + ": expected a test or dev file to score");
  task.test = test;
  options.erase("test");
  task.finetune = options;
  return task;
}

// Every step of the study once, unrun.
void try_options(const StudyPlan& plan) {
  const std::string& source = plan.source;
  for (const StudyVariant& v : plan.variants) {
    refuse_own(v.options, {"out", "save-at", "resume", "seed"}, source + ": " + v.name);
    check_files(v.options, source + ": " + v.name);
    const int64_t steps = v.options.integer("steps", PretrainOptions{}.steps);
    if (plan.steps.back() > steps)
      throw UsageError(source + ": steps_scored: expected at most the " + std::to_string(steps) +
                       " steps of " + in_quotes(v.name) + ", got " +
                       std::to_string(plan.steps.back()));
    pretraining(plan, v, plan.seeds.front());
  }
  for (const StudyTask& t : plan.tasks) {
    refuse_own(t.finetune, {"model", "out", "resume", "seed"}, source + ": " + t.name);
    finetuning(plan, t, plan.seeds.front(), "model", "out");
    if (t.generator.is_null()) continue;
    refuse_own(t.generator, {"out", "seed"}, source + ": " + t.name);
    making_data(plan, t);
  }
}

}  // namespace

fs::path StudyPlan::cell(const StudyVariant& variant, int64_t seed) const {
  return out / "models" / (variant.name + "-seed-" + std::to_string(seed));
}
fs::path StudyPlan::data(const StudyTask& task) const { return out / "data" / task.name; }

StudyStep::StudyStep(const char* verb, const Json& options, const Json& own, int64_t seed,
                     const std::string& place)
    : command_(verb, ""), action_(verb_named(verb).declare(command_)) {
  command_.seed = seed;
  command_.read(own, place);
  command_.read(options, place);
  try {
    command_.check_complete();
  } catch (const UsageError& error) {
    throw UsageError(place + ": " + error.what());
  }
}

StudyStep pretraining(const StudyPlan& plan, const StudyVariant& variant, int64_t seed) {
  const fs::path folder = plan.cell(variant, seed);
  Json own =
      Json::make_object({{"out", folder.string()}, {"resume", fs::exists(folder / "training")}});
  std::string save_at;
  for (const int64_t step : plan.steps)
    save_at += (save_at.empty() ? "" : ",") + std::to_string(step);
  return {"pretrain", variant.options, own.set("save-at", save_at), seed,
          plan.source + ": " + variant.name};
}

StudyStep finetuning(const StudyPlan& plan, const StudyTask& task, int64_t seed,
                     const fs::path& model, const fs::path& out) {
  Json own = Json::make_object(
      {{"model", model.string()}, {"out", out.string()}, {"resume", fs::exists(out / "training")}});
  if (!task.generator.is_null())
    own.set("train", (plan.data(task) / "train.txt").string())
        .set("dev", (plan.data(task) / "dev.txt").string());
  return {"finetune", task.finetune, own, seed, plan.source + ": " + task.name};
}

StudyStep making_data(const StudyPlan& plan, const StudyTask& task) {
  const Json own = Json::make_object({{"out", plan.data(task).string()}});
  return {"word-order", task.generator, own, 1, plan.source + ": " + task.name};
}

StudyPlan read_study(const fs::path& file, const std::string& out) {
  return as_usage([&] {
    const Json json = parse_json(read_file(file, size_t{16} << 20), file.string());
    check_keys(json, {"title", "base", "variants", "seeds", "steps_scored", "tasks", "out"});
    StudyPlan plan{.source = file.string(),
                   .title = json.string("title", "A study of pre-training"),
                   .out = out.empty() ? json.string("out") : out,
                   .variants = {},
                   .tasks = {},
                   .seeds = numbers_of(json, "seeds", 0),
                   .steps = {}};
    const Json base = with_dashes(json.object("base"));
    std::set<std::string> variants, tasks;
    for (const Json& v : json.array("variants").items())
      plan.variants.push_back(variant_of(v, base, variants));
    for (const Json& t : json.array("tasks").items()) {
      plan.tasks.push_back(task_of(t, tasks));
      if (!plan.tasks.back().generator.is_null())
        plan.tasks.back().test = plan.data(plan.tasks.back()) / "test.txt";
    }
    if (plan.variants.empty() || plan.tasks.empty())
      throw UsageError(file.string() + ": expected one or more variants and tasks");
    if (json.has("steps_scored"))
      plan.steps = numbers_of(json, "steps_scored", 0);
    else
      plan.steps = {base.integer("steps", PretrainOptions{}.steps)};
    std::ranges::sort(plan.steps);
    try_options(plan);
    return plan;
  });
}

}  // namespace ink::cli
