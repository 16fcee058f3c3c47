// From batches to classes.
#include "tasks/classification.h"

#include <algorithm>
#include <cmath>

#include "autograd/tape.h"
#include "tensor/error.h"
#include "tensor/ops.h"

namespace ink {

bool classifies(const ModelConfig& config) {
  return heads_from(*config.family, config.architectures).classification;
}

Labels labels_of(const ModelConfig& config) {
  const std::string wanted = architectures_of(*config.family, {.classification = true}).front();
  check(classifies(config), "labels: this model does not classify (its config.json names ",
        config.architectures.empty() ? "no class" : config.architectures.front(), ", not ", wanted,
        "); run inkstone finetune first");
  const std::string& type = config.problem_type;
  const bool single =
      type == "single_label_classification" || (type.empty() && config.label_count() > 1);
  check(single,
        "labels: expected a model that gives each text one of its labels, got problem_type ",
        type.empty() ? "regression (one label)" : type);
  // Two labels with names that say nothing are left out of config.json by transformers.
  if (config.labels.empty()) return Labels({"LABEL_0", "LABEL_1"});
  return Labels(config.labels);
}

void check_length(const ModelConfig& config, int64_t max_length) {
  check(max_length <= config.longest(), "expected a max_length of at most ", config.longest(),
        ", the positions of this model, got ", max_length);
}

void check_other_folder(const char* job, const std::filesystem::path& model,
                        const std::filesystem::path& out) {
  std::error_code ignored;
  check(!std::filesystem::equivalent(model, out, ignored), "", job,
        ": expected another folder for the ", "result than that of the model, ", model.string());
}

Tokenizer load_tokenizer(const std::filesystem::path& folder, const ModelConfig& config) {
  Tokenizer tokenizer = Tokenizer::load(folder);
  config.check_vocabulary(tokenizer.vocabulary().size(), folder.string());
  return tokenizer;
}

Tensor classify(const Model& model, const Packed& batch, const EncoderOptions& options) {
  check(model.classification.has_value(),
        "classify: this model has no classification head; fine-tune it first");
  const Encoded encoded = model.body(batch, options);
  return model.classification->logits(model.summary(encoded.hidden, batch.offsets), options.random,
                                      options.stream ? options.stream->channels : Tensor());
}

namespace {

LogitsOf classifier(const Model& model) {
  return [&model](const FeatureBatch& batch) { return classify(model, batch.inputs); };
}

void check_numbers(const Predictions& p, const Features& data) {
  for (int64_t i = 0; i < data.size(); ++i)
    check(std::ranges::all_of(p.of(i), [](float x) { return std::isfinite(x); }),
          "the model gives nan for line ", data.line(i), "; its weights may be damaged");
}

}  // namespace

Predictions predict(const Model& model, const Features& data, const BatchPlan& plan) {
  return predict(classifier(model), data, plan);
}

Predictions predict(const LogitsOf& logits, const Features& data, const BatchPlan& plan) {
  const Pause pause;
  Predictions result;
  result.labels.resize(static_cast<size_t>(data.size()));
  for (const std::vector<int64_t>& rows : data.plan(plan)) {
    const Tensor p = on_host(softmax(logits(data.batch(rows))));  // (B, classes)
    const auto C = static_cast<size_t>(p.dim(1));
    result.classes = static_cast<int32_t>(C);
    result.probabilities.resize(static_cast<size_t>(data.size()) * C);
    for (size_t b = 0; b < rows.size(); ++b) {
      const float* row = p.data<float>() + b * C;
      const auto example = static_cast<size_t>(rows[b]);
      std::copy_n(row, C, result.probabilities.begin() + static_cast<ptrdiff_t>(example * C));
      result.labels[example] = static_cast<int32_t>(std::max_element(row, row + C) - row);
    }
  }
  check_numbers(result, data);
  return result;
}

Evaluated evaluate(const Model& model, const Features& data, const BatchPlan& plan) {
  return evaluate(classifier(model), data, plan);
}

Evaluated evaluate(const LogitsOf& logits, const Features& data, const BatchPlan& plan) {
  Evaluated result;
  result.predictions = predict(logits, data, plan);
  result.confusion = Confusion(result.predictions.classes);
  for (int64_t i = 0; i < data.size(); ++i) {
    check(data.label(i) != kIgnore, "evaluate: example ", i + 1, " has no label");
    result.confusion.add(data.label(i), result.predictions.labels[static_cast<size_t>(i)]);
    const double p = result.predictions.of(i)[static_cast<size_t>(data.label(i))];
    result.loss -= std::log(std::max(p, 1e-30)) / static_cast<double>(data.size());
  }
  return result;
}

}  // namespace ink
