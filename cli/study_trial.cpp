// Every variant and every task of a study once, unrun.
#include "cli/study_trial.h"

#include "cli/length.h"
#include "cli/lines.h"
#include "tasks/architecture.h"
#include "tasks/task.h"
#include "text/segmenter.h"

namespace ink::cli {
namespace {

namespace fs = std::filesystem;

void refuse_own(const Json& options, std::initializer_list<const char*> own) {
  for (const char* key : own)
    if (options.has(key))
      throw UsageError(options.where(key) + ": this is what the study itself decides");
}

// Files and folders that options name.
void check_files(const Json& options, std::initializer_list<const char*> keys,
                 const std::string& place) {
  for (const char* key : keys) {
    for (const std::string& path : words_of(options[key], place))
      check(path.empty() || fs::exists(path), "", place, ": ", key, ": there is no file ", path);
  }
}

// What a variant's models read with.
struct Reader {
  Tokenizer tokenizer;
  int64_t longest;
};

Reader try_variant(const StudyPlan& plan, const StudyVariant& v) {
  for (const Json& options : {plan.base, v.options})
    refuse_own(options, {"out", "save-at", "save_at", "resume", "seed"});
  const StudyStep step = pretraining(plan, v, plan.seeds.front());
  check_files(step.values(), {"text", "vocab", "architecture", "dictionary", "similar"}, v.place);
  const int64_t steps = step.values().integer("steps");
  if (v.steps.back() > steps)
    throw UsageError(v.place + ": steps_scored: expected at most the " + std::to_string(steps) +
                     " steps of " + v.name + ", got " + std::to_string(v.steps.back()));
  step.try_out();
  const Json options = step.values();
  const std::string &model = options.string("model"), &vocab = options.string("vocab");
  Tokenizer tokenizer = find_tokenizer(model, vocab, options.boolean("cased"));
  const ModelConfig config = model.empty() ? read_architecture(options.string("architecture"),
                                                               tokenizer.vocabulary().size())
                                           : ModelConfig::read(fs::path(model) / "config.json");
  return {std::move(tokenizer), config.longest()};
}

void try_task(const StudyPlan& plan, const StudyTask& t, const Reader& reader) {
  const Json options = finetuning(plan, t, plan.seeds.front(), "model", "out").values();
  const TokenOptions tokens{reader.tokenizer,
                            length_for(options.integer("max-length"), reader.longest)};
  if (!t.generator.is_null()) {
    Segmenter::load({.dictionary = making_data(plan, t).values().string("dictionary")});
    return;
  }
  const Task& kind = task_named(options.string("task"));
  const TaskData data{.train = options.string("train"),
                      .dev = options.string("dev"),
                      .read = {.columns = options.string("columns")},
                      .dev_fraction = options.real("dev-fraction")};
  const auto [train, dev] = kind.read_both(data, nullptr, 1, tokens);
  kind.read(t.test, data.read, train.labels, tokens);
}

void check_task(const StudyPlan& plan, const StudyTask& t) {
  refuse_own(t.finetune, {"model", "out", "resume", "seed"});
  const StudyStep step = finetuning(plan, t, plan.seeds.front(), "model", "out");
  if (t.generator.is_null()) {
    check_files(step.values(), {"train", "dev"}, t.place);
    check(fs::exists(t.test), "", t.place, ": test: there is no file ", t.test.string());
    return;
  }
  refuse_own(t.generator, {"out", "seed"});
  check_files(making_data(plan, t).values(), {"text", "dictionary"}, t.place);
}

}  // namespace

void try_study(const StudyPlan& plan) {
  for (const StudyTask& t : plan.tasks) check_task(plan, t);
  for (const StudyVariant& v : plan.variants) {
    const Reader reader = try_variant(plan, v);
    for (const StudyTask& t : plan.tasks) with_place(t.place, [&] { try_task(plan, t, reader); });
  }
}

}  // namespace ink::cli
