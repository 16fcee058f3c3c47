// From batches to classes.
#include "tasks/classification.h"

#include <algorithm>
#include <cmath>

#include "autograd/tape.h"
#include "tasks/text_task.h"
#include "tensor/error.h"
#include "tensor/ops.h"

namespace ink {

bool classifies(const ModelConfig& config) {
  return heads_from(*config.family, config.architectures).classification;
}

Labels labels_of(const ModelConfig& config) {
  check_solves(config, Problem::single_label);
  return labels_in(config);
}

void check_length(const ModelConfig& config, int64_t max_length) {
  check(max_length <= config.longest(), "expected a max_length of at most ", config.longest(),
        ", the positions of this model, got ", max_length);
}

void check_other_folder(const char* job, const std::filesystem::path& model,
                        const std::filesystem::path& out) {
  const std::filesystem::path from = std::filesystem::weakly_canonical(model),
                              to = std::filesystem::weakly_canonical(out);
  check(std::ranges::mismatch(from, to).in1 != from.end(), "", job,
        ": expected another folder for the result than that of the model, ", model.string(),
        ", and none inside it");
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

void check_numbers(const Predictions& p, const Features& data) {
  for (int64_t i = 0; i < data.size(); ++i)
    check(std::ranges::all_of(p.of(i), [](float x) { return std::isfinite(x); }),
          "the model gives nan for line ", data.line(i), "; its weights may be damaged");
}

}  // namespace

Predictions predict(const Model& model, const Features& data, const BatchPlan& plan) {
  return predict(logits_by(model), data, plan);
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
  return evaluate(logits_by(model), data, plan);
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
