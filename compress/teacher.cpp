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

ModelOutputs outputs_of(const Model& model, const Packed& batch, EncoderOptions options,
                        const DistillationConfig& config) {
  options.all_hidden = config.matches_hidden();
  options.attention_inputs = config.matches_attention();
  Encoded encoded = model.body(batch, options);
  const Tensor summary = model.summary(encoded.hidden, batch.offsets);
  return {.logits = model.classification->logits(summary, options.random),
          .hidden = std::move(encoded.all_hidden),
          .attention = std::move(encoded.attention),
          .heads = model.config.heads_per_layer};
}

Teacher::Teacher(const Session& session, const Reading& reading, const DistillationConfig& config)
    : session_(session), reading_(reading), config_(config) {
  if (!config.is_caching_logits) return;
  const Features& train = *reading.teacher.features;
  cache_ = Tensor({train.size(), session.model().config.label_count()});
  for (const std::vector<int64_t>& rows : train.plan(kInferencePlan)) {
    const Pause pause;
    const Tensor logits =
        on_host(outputs_of(session.model(), train.batch(rows).inputs, {}, {}).logits);
    const int64_t C = logits.dim(1);
    for (size_t b = 0; b < rows.size(); ++b)
      std::copy_n(logits.data<float>() + static_cast<int64_t>(b) * C, C,
                  cache_.data<float>() + rows[b] * C);
  }
  cached_ = true;
}

ModelOutputs Teacher::outputs(const FeatureBatch& batch) const {
  if (cached_) {
    const std::vector<int32_t> rows(batch.rows.begin(), batch.rows.end());
    return {.logits = gather_rows(cache_, from(rows)), .hidden = {}};
  }
  const Pause pause;
  return outputs_of(session_.model(), reading_.for_teacher(batch), {}, config_);
}

}  // namespace ink
