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

// Of tokens (N, tags) or (N, 2), start and end; or else of sequences (B, classes).
Tensor logits_of(const Model& model, const Tensor& hidden, const Tensor& offsets,
                 const Random* random) {
  if (model.tagging) return model.tagging->logits(hidden, random);
  if (model.span) return model.span->logits(hidden, random);
  return model.classification->logits(model.summary(hidden, offsets), random);
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

namespace {

TeacherCache cache_of(const Model& model, const Features& features,
                      const DistillationConfig& config, const CacheOnDisk& disk) {
  return TeacherCache(
      disk.options,
      {.features = features,
       .fields = cached_fields(model.config, config, model.heads),
       .teacher = disk.made_by,
       .outputs = [&](const Packed& batch) { return outputs_of(model, batch, {}, config); },
       .heads = model.config.heads_per_layer,
       .notice = disk.notice,
       .stop = disk.stop});
}

}  // namespace

Teacher::Teacher(std::shared_ptr<const Session> session, const Reading& reading,
                 const DistillationConfig& config, const CacheOnDisk& disk)
    : session_(std::move(session)), reading_(reading), config_(config) {
  if (!disk.options.folder.empty())
    cache_.emplace(cache_of(session_->model(), *reading.teacher.features, config, disk));
  else if (config.is_caching_logits)
    cache_in_memory();
  if (cache_ || logits_) session_.reset();
}

void Teacher::cache_in_memory() {
  const Features& train = *reading_.teacher.features;
  starts_ = {0};
  for (int64_t i = 0; i < train.size(); ++i) starts_.push_back(starts_.back() + train.decisions(i));
  const int64_t C = logits_width(session_->model().config, session_->model().heads);
  logits_ = Tensor({starts_.back(), C});
  for (const std::vector<int64_t>& rows : train.plan(kInferencePlan)) {
    const Pause pause;
    const Tensor logits =
        on_host(outputs_of(session_->model(), train.batch(rows).inputs, {}, {}).logits);
    const float* from = logits.data<float>();
    for (const int64_t row : rows) {
      const auto at = static_cast<size_t>(row);
      const int64_t count = (starts_[at + 1] - starts_[at]) * C;
      std::copy_n(from, count, logits_.data<float>() + starts_[at] * C);
      from += count;
    }
  }
}

ModelOutputs Teacher::outputs(const FeatureBatch& batch) const {
  if (cache_) return cache_->outputs(batch.rows);
  if (!starts_.empty()) {
    std::vector<int32_t> rows;
    for (const int64_t example : batch.rows) {
      const auto at = static_cast<size_t>(example);
      for (int64_t row = starts_[at]; row < starts_[at + 1]; ++row)
        rows.push_back(static_cast<int32_t>(row));
    }
    return {.logits = gather_rows(logits_, from(rows)), .hidden = {}};
  }
  const Pause pause;
  return outputs_of(session_->model(), reading_.for_teacher(batch), {}, config_);
}

}  // namespace ink
