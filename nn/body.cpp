// Choosing the body of a family, and handing on to it.
#include "nn/body.h"

namespace ink {
namespace {

using Kind = std::variant<BertBody, MobileBertBody, XlnetBody, BiGruBody>;

Kind make(const Scope& scope, const ModelConfig& config, bool with_pooler) {
  check(!with_pooler || config.family->pooler, "model: ", config.family->model_type,
        " has no pooler");
  if (config.family->body_kind == BodyKind::mobilebert)
    return Kind(std::in_place_type<MobileBertBody>, scope, config, with_pooler);
  if (config.family->body_kind == BodyKind::xlnet)
    return Kind(std::in_place_type<XlnetBody>, scope, config);
  if (config.family->body_kind == BodyKind::bigru)
    return Kind(std::in_place_type<BiGruBody>, scope, config);
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
    case Summary::mean: return mean_rows(hidden, offsets);
  }
  fail("model: unknown summary ", static_cast<int>(which));
}

Tensor mean_rows(const Tensor& hidden, const Tensor& offsets) {
  std::vector<Tensor> means;
  const int32_t* at = offsets.data<int32_t>();
  for (int64_t b = 0; b + 1 < offsets.dim(0); ++b) {
    check(at[b] < at[b + 1], "model: sequence ", b, " is empty, expected at least one token");
    means.push_back(mean(slice(hidden, 0, at[b], at[b + 1]), 0, true));
  }
  return means.empty() ? zeros({0, hidden.dim(1)}, hidden.dtype(), hidden.device())
                       : concat(means, 0);
}

Parameter& Body::words() const {
  return std::visit([](const auto& body) -> Parameter& { return body.word.table; }, kind);
}

void Body::quantize(const Place& place) {
  std::visit([&](auto& body) { body.quantize(place); }, kind);
}

void Body::pack() {
  std::visit([](auto& body) { body.pack(); }, kind);
}

void Body::unpack() {
  std::visit([](auto& body) { body.unpack(); }, kind);
}

}  // namespace ink
