// Inference on a packed model.
#include "nn/session.h"

#include <utility>

#include "tensor/op.h"

namespace ink {
namespace {

// While it lives, nothing is recorded in this thread.
class Unrecorded {
 public:
  Unrecorded() : recorder_(std::exchange(Recorder::current, nullptr)) {}
  ~Unrecorded() { Recorder::current = recorder_; }
  Unrecorded(const Unrecorded&) = delete;
  Unrecorded& operator=(const Unrecorded&) = delete;

 private:
  Recorder* recorder_;
};

// Mean of every sequence's rows: (N, C) → (B, C)
Tensor mean_rows(const Tensor& hidden, const Tensor& offsets) {
  std::vector<Tensor> means;
  const int32_t* at = offsets.data<int32_t>();
  for (int64_t b = 0; b + 1 < offsets.dim(0); ++b) {
    check(at[b] < at[b + 1], "session: sequence ", b, " is empty, expected at least one token");
    means.push_back(mean(slice(hidden, 0, at[b], at[b + 1]), 0, true));
  }
  return means.empty() ? zeros({0, hidden.dim(1)}, hidden.dtype(), hidden.device())
                       : concat(means, 0);
}

}  // namespace

Pooling pooling_from(const std::string& name) {
  if (name == "mean") return Pooling::mean;
  if (name == "cls") return Pooling::first;
  if (name == "pooler") return Pooling::pooler;
  if (name == "tokens") return Pooling::tokens;
  fail("pooling: expected mean, cls, pooler or tokens, got '", name, "'");
}

Session::Session(const std::filesystem::path& folder, const LoadOptions& options)
    : Session(load_model(folder, options)) {}

Session::Session(Model model) : model_(std::move(model)) {
  model_.move(working_place());
  model_.pack();
}

Encoded Session::encode(const Packed& batch, bool all_hidden) const {
  const Unrecorded guard;
  return model_.body(batch, {.all_hidden = all_hidden});
}

Tensor Session::embed(const Packed& batch, Pooling pooling) const {
  const Unrecorded guard;
  Tensor hidden = model_.body(batch).hidden;
  switch (pooling) {
    case Pooling::mean: return mean_rows(hidden, batch.offsets);
    case Pooling::first: return gather_rows(hidden, first_rows(batch.offsets));
    case Pooling::pooler: return model_.body.pool(hidden, batch.offsets);
    case Pooling::tokens: return hidden;
  }
  fail("session: unknown pooling ", static_cast<int>(pooling));
}

Tensor Session::logits(const Packed& batch) const {
  const Unrecorded guard;
  const Tensor hidden = model_.body(batch).hidden;
  if (model_.classification)
    return model_.classification->logits(model_.summary(hidden, batch.offsets));
  if (model_.tagging) return model_.tagging->logits(hidden);
  if (model_.span) return model_.span->logits(hidden);
  if (model_.replaced) return model_.replaced->logits(hidden);
  check(model_.pair.has_value(),
        "session: this model has no head for classes, tokens, spans, replaced tokens or pairs");
  return model_.pair->logits(model_.body.pool(hidden, batch.offsets));
}

Tensor Session::choices(const Packed& batch, int64_t count) const {
  check(model_.choice.has_value(), "session: this model has no head for multiple choice");
  const Unrecorded guard;
  return model_.choice->logits(model_.summary(model_.body(batch).hidden, batch.offsets), count);
}

Tensor Session::masked_lm(const Packed& batch, const Tensor& rows) const {
  check(model_.masked_lm.has_value(), "session: this model has no masked-LM head");
  const Unrecorded guard;
  return model_.masked_lm->logits(gather_rows(model_.body(batch).hidden, rows));
}

}  // namespace ink
