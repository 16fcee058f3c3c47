// Teachers over the one encoder.
#include "compress/teacher.h"

#include <algorithm>

#include "autograd/tape.h"
#include "tensor/ops.h"

namespace ink {

ModelSize match_size(const ModelConfig& config) {
  ModelSize size{.layers = config.layers(), .hidden = config.hidden_size};
  if (config.family->body_kind == BodyKind::xlnet || config.family->body_kind == BodyKind::bigru)
    return size;
  size.heads = config.heads_per_layer;
  size.head_size = config.head_size;
  return size;
}

namespace {

// Of tokens (N, tags), or else of sequences (B, classes).
Tensor logits_of(const Model& model, const Tensor& hidden, const Tensor& offsets,
                 const Random* random) {
  return model.tagging ? model.tagging->logits(hidden, random)
                       : model.classification->logits(model.summary(hidden, offsets), random);
}

}  // namespace

ModelOutputs outputs_of(const Model& model, const Packed& batch, EncoderOptions options,
                        const DistillationConfig& config) {
  options.all_hidden = config.matches_hidden();
  options.attention_inputs = config.matches_attention();
  Encoded encoded = model.body(batch, options);
  return {.logits = logits_of(model, encoded.hidden, batch.offsets, options.random),
          .hidden = std::move(encoded.all_hidden),
          .attention = std::move(encoded.attention),
          .heads = model.config.heads_per_layer};
}

Teacher::Teacher(std::shared_ptr<const Session> session, const Reading& reading,
                 const DistillationConfig& config)
    : session_(std::move(session)), reading_(reading), config_(config) {
  if (config.is_caching_logits) cache();
}

void Teacher::cache() {
  const Features& train = *reading_.teacher.features;
  starts_ = {0};
  for (int64_t i = 0; i < train.size(); ++i)
    starts_.push_back(starts_.back() + std::ssize(train[i].targets));
  const int64_t C = session_->model().config.label_count();
  cache_ = Tensor({starts_.back(), C});
  for (const std::vector<int64_t>& rows : train.plan(kInferencePlan)) {
    const Pause pause;
    const Tensor logits =
        on_host(outputs_of(session_->model(), train.batch(rows).inputs, {}, {}).logits);
    const float* from = logits.data<float>();
    for (const int64_t row : rows) {
      const auto at = static_cast<size_t>(row);
      const int64_t count = (starts_[at + 1] - starts_[at]) * C;
      std::copy_n(from, count, cache_.data<float>() + starts_[at] * C);
      from += count;
    }
  }
}

ModelOutputs Teacher::outputs(const FeatureBatch& batch) const {
  if (!starts_.empty()) {
    std::vector<int32_t> rows;
    for (const int64_t example : batch.rows) {
      const auto at = static_cast<size_t>(example);
      for (int64_t row = starts_[at]; row < starts_[at + 1]; ++row)
        rows.push_back(static_cast<int32_t>(row));
    }
    return {.logits = gather_rows(cache_, from(rows)), .hidden = {}};
  }
  const Pause pause;
  return outputs_of(session_->model(), reading_.for_teacher(batch), {}, config_);
}

}  // namespace ink
