// Choosing the body of a family, and handing on to it.
#include "nn/body.h"

namespace ink {
namespace {

using Kind = std::variant<BertBody, MobileBertBody, XlnetBody>;

Kind make(const Scope& scope, const ModelConfig& config, bool with_pooler) {
  check(!with_pooler || config.family->pooler, "model: ", config.family->model_type,
        " has no pooler");
  if (config.family->body_kind == BodyKind::mobilebert)
    return Kind(std::in_place_type<MobileBertBody>, scope, config, with_pooler);
  if (config.family->body_kind == BodyKind::xlnet)
    return Kind(std::in_place_type<XlnetBody>, scope, config);
  return Kind(std::in_place_type<BertBody>, scope, config, with_pooler);
}

}  // namespace

Body::Body(const Scope& scope, const ModelConfig& config, bool with_pooler)
    : kind(make(scope, config, with_pooler)) {}

Encoded Body::operator()(const Packed& batch, const EncoderOptions& options) const {
  return std::visit([&](const auto& body) { return body(batch, options); }, kind);
}

Tensor Body::pool(const Tensor& hidden, const Tensor& offsets) const {
  return std::visit([&](const auto& body) { return body.pool(hidden, offsets); }, kind);
}

Tensor Body::summary(const Tensor& hidden, const Tensor& offsets, Summary which) const {
  switch (which) {
    case Summary::pooled: return pool(hidden, offsets);
    case Summary::first_token: return gather_rows(hidden, first_rows(offsets));
    case Summary::last_token: return gather_rows(hidden, last_rows(offsets));
  }
  fail("model: unknown summary ", static_cast<int>(which));
}

Parameter& Body::words() const {
  return std::visit([](const auto& body) -> Parameter& { return body.word.table; }, kind);
}

void Body::pack() {
  std::visit([](auto& body) { body.pack(); }, kind);
}

void Body::unpack() {
  std::visit([](auto& body) { body.unpack(); }, kind);
}

}  // namespace ink
