// From outputs of two models to the losses of one.
#include "compress/text_teaching.h"

#include "autograd/tape.h"
#include "compress/values.h"
#include "nn/fingerprint.h"
#include "objectives/pretrain_evaluation.h"
#include "tensor/error.h"
#include "tensor/ops.h"

namespace ink {
namespace {

// Logits only of the rows that are predicted.
ModelOutputs outputs_of(const Model& model, const PretrainBatch& batch, EncoderOptions options,
                        const DistillationConfig& config, bool with_logits) {
  options.all_hidden = config.matches_hidden();
  options.attention_inputs = config.matches_attention();
  Encoded encoded = model.body(batch.inputs, options);
  Tensor logits;
  if (with_logits) logits = model.masked_lm->logits(gather_rows(encoded.hidden, batch.rows));
  return {.logits = logits,
          .hidden = std::move(encoded.all_hidden),
          .attention = std::move(encoded.attention),
          .heads = model.config.heads_per_layer};
}

// Without the projections, which belong to the losses and not to the student.
void save(const PretrainModel& student, const Tokenizer& tokenizer,
          const std::filesystem::path& folder) {
  const Model& model = student.model;
  save_pretrain_model(PretrainModel(Model(model.config, model.heads, values_of(model.parameters))),
                      tokenizer, folder);
}

}  // namespace

TextTeaching::TextTeaching(const DistillTextOptions& options, const TextSetting& setting,
                           Model teacher)
    : options_(options),
      config_(setting.config),
      fingerprint_(Json::make_object(
          {{"teacher", digest_of(teacher.parameters)}, {"distillation", config_.to_json()}})),
      teacher_(std::move(teacher)) {}

Lesson TextTeaching::lesson() {
  return {.model = [this](const Random& random) { return student(random); },
          .losses = [this](const PretrainModel& student, const PretrainBatch& batch,
                           const EncoderOptions& options, const Random&,
                           int64_t step) { return losses(student.model, batch, options, step); },
          .evaluate = [this](const PretrainModel& student,
                             std::span<const PretrainBatch> all) { return evaluate(student, all); },
          .save = save,
          .fingerprint = fingerprint_};
}

PretrainModel TextTeaching::student(const Random& random) {
  Model model =
      make_student(options_.student, teacher_.model(), random, heads_of_text_student(config_));
  model.parameters.own();
  const Random projections = Random(options_.text.seed).split("projections");
  loss_.emplace(config_, Scope(model.parameters, random_values(projections)),
                options_.text.learning_rate);
  return PretrainModel(std::move(model));
}

ModelOutputs TextTeaching::of_teacher(const PretrainBatch& batch) const {
  const Pause pause;
  return outputs_of(teacher_.model(), batch, {}, config_, config_.compares_logits());
}

std::vector<LossTerm> TextTeaching::losses(const Model& student, const PretrainBatch& batch,
                                           const EncoderOptions& options, int64_t step) const {
  const ModelOutputs wanted = of_teacher(batch), got = outputs_of(student, batch, options, config_,
                                                                  student.masked_lm.has_value());
  std::vector<LossTerm> terms;
  double weights = 0;
  for (DistillationLoss::Term& term :
       loss_->terms(got, wanted, {.labels = batch.labels, .offsets = batch.inputs.offsets}, step,
                    options_.text.steps)) {
    using Kind = DistillationLoss::Term::Kind;
    weights += term.weight;
    terms.push_back({.name = term.kind == Kind::hard ? "mlm_loss" : std::move(term.name),
                     .mean = std::move(term.value),
                     .weight = term.weight,
                     .count = term.kind == Kind::match ? &PretrainCounts::tokens
                                                       : &PretrainCounts::predictions});
  }
  check(weights > 0, "distill: all losses have weight 0 at step ", step,
        "; nothing is left to learn");
  return terms;
}

Evaluation TextTeaching::evaluate(const PretrainModel& student,
                                  std::span<const PretrainBatch> batches) const {
  struct Sum {
    std::string name;
    double weight, total = 0, count = 0;
    double mean() const { return total / count; }
  };
  std::vector<Sum> sums;
  for (const PretrainBatch& batch : batches) {
    const std::vector<LossTerm> terms = losses(student.model, batch, {}, 0);
    for (size_t i = 0; i < terms.size(); ++i) {
      if (i == sums.size()) sums.push_back({terms[i].name, terms[i].weight});
      const auto count = static_cast<double>(batch.counts.*terms[i].count);
      sums[i].total += count * terms[i].mean.item();
      sums[i].count += count;
    }
  }
  Evaluation out = evaluate_pretraining(student, batches);
  double all = 0;
  for (const Sum& sum : sums) {
    all += sum.weight * sum.mean();
    if (sum.name != "mlm_loss") out.metrics.emplace_back(sum.name, sum.mean());
  }
  out.metrics.emplace_back("distillation_loss", all);
  if (!student.model.masked_lm) out.score = -all;
  return out;
}

}  // namespace ink
