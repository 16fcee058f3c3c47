// One fine-tuning run, from folder to folder.
#include "tasks/finetune.h"

#include <algorithm>

#include "nn/fingerprint.h"
#include "nn/session.h"
#include "tasks/save_folder.h"
#include "tasks/split.h"
#include "tensor/error.h"
#include "tensor/keys.h"
#include "text/fingerprint.h"

namespace ink {
namespace {

// The folder's body, and its pooler if it has one, under a head that knows nothing yet.
Model with_new_head(const std::filesystem::path& folder, LoadOptions load, const Heads& heads) {
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

Model load_for_training(const FinetuneOptions& options, const Labels& labels) {
  const Heads heads{.classification = true};  // the pooler too, where it is read
  LoadOptions load{
      .heads = heads, .new_heads = true, .random = Random(options.fit.seed).split(kWeightsStream)};
  load.labels = labels.names();
  load.problem_type = "single_label_classification";
  Model model = options.new_labels ? with_new_head(options.model, load, heads)
                                   : load_model(options.model, load);
  model.parameters.own();
  if (options.dropout) {
    check(*options.dropout >= 0 && *options.dropout < 1,
          "finetune: expected a dropout from 0 to below 1, got ", *options.dropout);
    model.config.classifier_dropout = options.dropout;
    model.classification->scores.dropout_probability = *options.dropout;
  }
  return model;
}

// With one class there is nothing to learn, though its accuracy would be perfect.
void check_several_labels(const Examples& train) {
  if (train.items.empty()) return;  // Features says so
  const int32_t first = train.items.front().label;
  const auto is_first = [&](const Example& e) { return e.label == first; };
  if (std::ranges::all_of(train.items, is_first))
    fail("expected at least two labels, found only ", in_quotes(train.labels.name(first)), " in ",
         train.source);
}

}  // namespace

TaskExamples read_task(const TaskData& data, const Labels* labels, uint64_t seed) {
  TaskExamples examples{read_examples(data.train, data.read, labels), {}};
  if (data.dev.empty()) {
    auto [rest, part] = split_by_group(examples.train, data.dev_fraction, Random(seed));
    return {std::move(rest), std::move(part)};
  }
  examples.dev = read_examples(data.dev, data.read, &examples.train.labels);
  return examples;
}

Evaluation evaluation_of(const Evaluated& evaluated) {
  const Confusion& c = evaluated.confusion;
  return {
      .score = c.accuracy(),
      .metrics = {
          {"accuracy", c.accuracy()}, {"macro_f1", c.macro_f1()}, {"dev_loss", evaluated.loss}}};
}

Json fingerprint_of(const char* job, const ModelConfig& config, const Tokenizer& tokenizer,
                    int64_t max_length) {
  return Json::make_object({{"job", job},
                            {"architecture", fingerprint_of(config)},
                            {"tokenizer", fingerprint_of(tokenizer)},
                            {"max_length", max_length}});
}

FinetuneResult fit_task(Model& model, const Features& train, const Features& dev,
                        const Labels& labels, const std::filesystem::path& out, FitOptions fit,
                        FitHooks fit_hooks, const TaskHooks& hooks) {
  fit.folder = out / "training";
  fit_hooks.fingerprint.set("dev", dev.digest());
  fit_hooks.evaluate = [&](int64_t) { return evaluation_of(evaluate(model, dev)); };
  fit_hooks.progress = hooks.progress;
  fit_hooks.notice = hooks.notice;
  const auto say = [&](const std::string& sentence) {
    if (hooks.notice && !sentence.empty()) hooks.notice(sentence);
  };
  say(truncation_notice(train, "training examples"));
  say(truncation_notice(dev, "dev examples"));
  FinetuneResult result{.training = ink::fit(model.parameters, train, fit, fit_hooks),
                        .labels = labels,
                        .train_examples = train.size(),
                        .dev_examples = dev.size()};
  if (result.training.best_step >= 0) result.dev = evaluate(Session(out).model(), dev);
  return result;
}

FinetuneResult finetune(const FinetuneOptions& options, const TaskHooks& hooks) {
  check_no_model("finetune", options.out, true);
  const ModelConfig config = ModelConfig::read(options.model / "config.json");
  check_length(config, options.max_length);
  std::optional<Labels> known;
  if (classifies(config) && !options.new_labels) known = labels_of(config);
  TaskData task = options.data;
  if (known)
    task.read.advice =
        "to train this model for other labels, ask for new ones (--new-labels, new_labels)";
  const TaskExamples data = read_task(task, known ? &*known : nullptr, options.fit.seed);
  check_several_labels(data.train);
  const Tokenizer tokenizer = load_tokenizer(options.model, config);
  const Features train(data.train, tokenizer, options.max_length),
      dev(data.dev, tokenizer, options.max_length);
  Model model = load_for_training(options, data.train.labels);

  FitHooks fit_hooks;
  fit_hooks.fingerprint = fingerprint_of("finetune", model.config, tokenizer, options.max_length);
  fit_hooks.loss = [&](const FeatureBatch& batch, const Random& random, int64_t,
                       int64_t) -> MicroLoss {
    const Tensor logits = classify(model, batch.inputs, training_options(options.fit, random));
    return {.loss = model.classification->loss(logits, batch.labels),
            .weight = static_cast<double>(batch.rows.size()),
            .tokens = batch.inputs.tokens()};
  };
  fit_hooks.keep_best = [&](int64_t, const Evaluation&) {
    save_folder(model, options.out, options.model);
  };
  return fit_task(model, train, dev, data.train.labels, options.out, options.fit,
                  std::move(fit_hooks), hooks);
}

}  // namespace ink
