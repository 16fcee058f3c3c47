// One fine-tuning run, from folder to folder.
#include "tasks/finetune.h"

#include "nn/fingerprint.h"
#include "nn/session.h"
#include "tasks/layer_rates.h"
#include "tasks/replay.h"
#include "tasks/save_folder.h"
#include "tensor/error.h"
#include "text/fingerprint.h"

namespace ink {
namespace {

// Whether the folder's head is another task's, or has other labels, though its tensors may have the
// names of the wanted one.
bool has_other_head(const ModelConfig& config, const Task& task) {
  const Heads heads = heads_from(*config.family, config.architectures);
  return (heads.classification || heads.choice || heads.tagging) && !task.done_by(config);
}

Model load_for_training(const FinetuneOptions& options, const ModelConfig& config,
                        const Labels& labels) {
  const Task& task = *options.task;
  LoadOptions load{
      .heads = task.heads, .new_heads = true, .random = Random(options.fit.seed).split("weights")};
  load.labels = labels.names();
  load.problem_type = task.problem_type;
  Model model = options.new_labels || has_other_head(config, task)
                    ? with_new_heads(options.model, load, task.heads)
                    : load_model(options.model, load);
  model.parameters.own();
  if (options.dropout) {
    check(*options.dropout >= 0 && *options.dropout < 1,
          "finetune: expected a dropout from 0 to below 1, got ", *options.dropout);
    task.set_dropout(model, *options.dropout);
  }
  return model;
}

}  // namespace

Model with_new_heads(const std::filesystem::path& folder, LoadOptions load, const Heads& heads) {
  const Family& family = *ModelConfig::read(folder / "config.json").family;
  load.heads = Heads{.pooler = family.pooler != nullptr};
  const Model body = load_model(folder, load);
  return Model(body.config, heads,
               [&, fresh = random_values(load.random)](const std::string& name, const Shape& shape,
                                                       const Initial& initial) {
                 const Parameter* known = body.parameters.find(name);
                 return known ? known->value : fresh(name, shape, initial);
               });
}

Json fingerprint_of(const char* job, const ModelConfig& config, const Tokenizer& tokenizer,
                    int64_t max_length) {
  return Json::make_object({{"job", job},
                            {"architecture", fingerprint_of(config)},
                            {"tokenizer", fingerprint_of(tokenizer)},
                            {"max_length", max_length}});
}

FinetuneResult fit_task(Model& model, const TaskSet& train, const TaskSet& dev,
                        const std::filesystem::path& out, FitOptions fit, FitHooks fit_hooks,
                        const std::function<void(const std::filesystem::path& folder)>& save,
                        const TaskHooks& hooks) {
  const auto folder_of = [&](int64_t step) { return out / ("gs" + std::to_string(step)); };
  fit.folder = out / "training";
  fit_hooks.fingerprint.set("dev", dev.features->digest());
  fit_hooks.evaluate = [&](int64_t step) {
    Evaluation evaluation = evaluation_of(dev.judge(model).scores);
    if (hooks.evaluated) hooks.evaluated(model, step, evaluation);
    if (fit_hooks.latest_is_best) evaluation.score = static_cast<double>(step);
    return evaluation;
  };
  fit_hooks.keep_best = [&](int64_t, const Evaluation&) { save(out); };
  fit_hooks.keep = [&](int64_t step, const Evaluation&) { save(folder_of(step)); };
  fit_hooks.drop = [&](int64_t step) { std::filesystem::remove_all(folder_of(step)); };
  fit_hooks.progress = hooks.progress;
  fit_hooks.notice = hooks.notice;
  const auto say = [&](const std::string& sentence) {
    if (hooks.notice && !sentence.empty()) hooks.notice(sentence);
  };
  say(truncation_notice(*train.features, "training examples"));
  say(truncation_notice(*dev.features, "dev examples"));
  FinetuneResult result{.training = ink::fit(model.parameters, *train.features, fit, fit_hooks),
                        .labels = train.labels,
                        .train_examples = train.features->size(),
                        .dev_examples = dev.features->size()};
  if (result.training.best_step >= 0) result.dev = dev.judge(Session(out).model()).scores;
  return result;
}

FinetuneResult finetune(const FinetuneOptions& options, const TaskHooks& hooks) {
  const Task& task = *options.task;
  check_no_model("finetune", options.out, true);
  const ModelConfig config = ModelConfig::read(options.model / "config.json");
  check_length(config, options.max_length);
  std::optional<Labels> known;
  if (task.done_by(config) && !options.new_labels) known = task.labels_of(config);
  TaskData data = options.data;
  if (known)
    data.read.advice =
        "to train this model for other labels, ask for new ones (--new-labels, new_labels)";
  const Tokenizer tokenizer = load_tokenizer(options.model, config);
  const auto [train, dev] = task.read_both(data, known ? &*known : nullptr, options.fit.seed,
                                           {tokenizer, options.max_length});
  Model model = load_for_training(options, config, train.labels);
  decay_rates_by_layer(model.parameters, model.config, options.layer_decay);

  FitHooks fit_hooks;
  fit_hooks.fingerprint = fingerprint_of("finetune", model.config, tokenizer, options.max_length);
  fit_hooks.fingerprint.set("task", task.name);
  if (options.layer_decay != 1) fit_hooks.fingerprint.set("layer_decay", options.layer_decay);
  fit_hooks.loss = [&](const FeatureBatch& batch, const Random& random, int64_t, int64_t) {
    return task.loss(model, batch, training_options(options.fit, random));
  };
  if (task.replayable)
    fit_hooks.inputs = [&](const FeatureBatch& batch) { return inputs_of(model, batch); };
  if (&task == &classification_task())
    fit_hooks.filled = [&](const FeatureBatch& batch) { return filled(model, batch); };
  const auto save = [&](const std::filesystem::path& folder) {
    save_folder(model, folder, options.model);
  };
  return fit_task(model, train, dev, options.out, options.fit, std::move(fit_hooks), save, hooks);
}

}  // namespace ink
