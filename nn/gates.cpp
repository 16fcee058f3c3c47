// Handing gates of heads, neurons, channels and layers to the op that applies them to channels.
#include "nn/gates.h"

namespace ink {

Tensor gated_heads(const Tensor& mixed, int64_t heads, const Tensor& offsets,
                   const LayerGates* gates) {
  if (!gates || !gates->heads) return mixed;
  const int64_t B = gates->heads.dim(0), HD = mixed.dim(1), D = HD / heads;
  const Tensor of_channels =
      reshape(contiguous(expand(reshape(gates->heads, {B, heads, 1}), {B, heads, D})), {B, HD});
  return gate(mixed, Tensor(), of_channels, offsets);
}

Tensor gated_channels(const Tensor& x, const Tensor& offsets, const Tensor& channels) {
  return channels ? gate(x, Tensor(), channels, offsets) : x;
}

Tensor gated_layer(const Tensor& x, const Tensor& made, const StreamGates* gates, size_t run) {
  if (!gates || gates->layers.empty()) return made;
  check(run < gates->layers.size(), "encoder: expected a gate for each run of a layer, got ",
        gates->layers.size());
  const Tensor& one = gates->layers[run];
  const Tensor of_channels = contiguous(expand(one, {one.dim(0), x.dim(1)}));
  return add(x, gate(subtract(made, x), Tensor(), of_channels, gates->offsets));
}

Tensor gated_neurons(const Linear& dense, const Tensor& x, Activation f, const Tensor& offsets,
                     const LayerGates* gates, int64_t network) {
  if (!gates || (!gates->ffn_before && !gates->ffn_after)) return dense(x, f);
  const int64_t F = dense.weight.value.dim(0), first = network * F;
  const auto own = [&](const Tensor& all) { return all ? slice(all, 1, first, first + F) : all; };
  return gate(dense(x), own(gates->ffn_before), own(gates->ffn_after), offsets, f);
}

}  // namespace ink
