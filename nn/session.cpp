// Inference on a packed model.
#include "nn/session.h"

#include <algorithm>
#include <span>
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

Summary cls_of(const Family& family) {
  return family.classifier.summary == Summary::last_token ? Summary::last_token
                                                          : Summary::first_token;
}

bool all_below(const Tensor& x, int64_t end) {
  if (x.device() != Device::cpu) return false;
  const std::span all(x.data<int32_t>(), static_cast<size_t>(x.size()));
  return std::ranges::all_of(all, [end](int32_t i) { return i >= 0 && i < end; });
}

}  // namespace

Pooling pooling_from(const std::string& name) {
  if (name == "mean") return Pooling::mean;
  if (name == "cls") return Pooling::cls;
  if (name == "pooler") return Pooling::pooler;
  if (name == "tokens") return Pooling::tokens;
  fail("pooling: expected mean, cls, pooler or tokens, got '", name, "'");
}

Session::Session(const std::filesystem::path& folder, const LoadOptions& options,
                 const Place& place)
    : Session(load_model(folder, options), place) {}

Session::Session(Model model, const Place& place) : model_(std::move(model)) {
  check_place(place);
  model_.move(place);
  model_.pack();
  // XLNet reads segments on the host, BiGRU offsets, and a body that counts padding ids.
  const BodyKind kind = model_.config.family->body_kind;
  const bool reads_on_host =
      kind == BodyKind::xlnet || kind == BodyKind::bigru || model_.config.positions_after_padding;
  if (place.device == Device::cuda && !reads_on_host) graphs_ = std::make_unique<EncodeGraphs>();
}

// Ids that no table has are left to the ops, which name the first.
Tensor Session::hidden(const Packed& batch) const {
  const auto encode = [this](const Packed& b) { return model_.body(b).hidden; };
  if (!graphs_ || Recorder::current) return encode(batch);
  check_packed("session", batch, model_.config.longest());
  const bool known = all_below(batch.ids, model_.config.vocab_size) &&
                     all_below(batch.segments, model_.config.type_vocab_size) &&
                     all_below(batch.positions, model_.config.longest());
  return known && batch.tokens() > 0 ? (*graphs_)(batch, encode) : encode(batch);
}

Encoded Session::encode(const Packed& batch, bool all_hidden) const {
  const Unrecorded guard;
  if (all_hidden || !graphs_) return model_.body(batch, {.all_hidden = all_hidden});
  return {.hidden = hidden(batch), .all_hidden = {}, .attention = {}};
}

Tensor Session::embed(const Packed& batch, Pooling pooling) const {
  const Unrecorded guard;
  Tensor states = hidden(batch);
  switch (pooling) {
    case Pooling::mean: return mean_rows(states, batch.offsets);
    case Pooling::cls:
      return model_.body.summary(states, batch.offsets, cls_of(*model_.config.family));
    case Pooling::pooler: return model_.body.pool(states, batch.offsets);
    case Pooling::tokens: return states;
  }
  fail("session: unknown pooling ", static_cast<int>(pooling));
}

Tensor Session::logits(const Packed& batch) const {
  const Unrecorded guard;
  const Tensor states = hidden(batch);
  if (model_.classification)
    return model_.classification->logits(model_.summary(states, batch.offsets));
  if (model_.tagging) return model_.tagging->logits(states);
  if (model_.span) return model_.span->logits(states);
  if (model_.replaced) return model_.replaced->logits(states);
  check(model_.pair.has_value(),
        "session: this model has no head for classes, tokens, spans, replaced tokens or pairs");
  return model_.pair->logits(model_.body.pool(states, batch.offsets));
}

Tensor Session::choices(const Packed& batch, int64_t count) const {
  check(model_.choice.has_value(), "session: this model has no head for multiple choice");
  const Unrecorded guard;
  return model_.choice->logits(model_.summary(hidden(batch), batch.offsets), count);
}

Tensor Session::masked_lm(const Packed& batch, const Tensor& rows) const {
  check(model_.masked_lm.has_value(), "session: this model has no masked-LM head");
  const Unrecorded guard;
  return model_.masked_lm->logits(gather_rows(hidden(batch), rows));
}

}  // namespace ink
