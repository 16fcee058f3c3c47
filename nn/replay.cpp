// What of a batch is data, and what decides the work on it.
#include "nn/replay.h"

#include "tensor/error.h"

namespace ink {

std::string obstacle_to_replay(const Model& model, const Packed& batch) {
  if (std::holds_alternative<XlnetBody>(model.body.kind))
    return "XLNet compares the segments of tokens on the host";
  const auto* bert = std::get_if<BertBody>(&model.body.kind);
  if (bert && bert->spells_padding(batch)) return "a text spells out the token of padding";
  return "";
}

std::vector<Tensor> tensors_of(const Packed& batch) {
  return {batch.ids, batch.segments, batch.positions, batch.offsets};
}

Packed packed_from(std::span<const Tensor> tensors) {
  check(tensors.size() >= kPackedTensors, "replay: expected ", kPackedTensors, " tensors, got ",
        tensors.size());
  return {tensors[0], tensors[1], tensors[2], tensors[3]};
}

std::vector<int64_t> structure_of(const Model& model, const Packed& batch) {
  if (std::holds_alternative<BertBody>(model.body.kind)) return {};
  const std::vector<int32_t> offsets = to_vector<int32_t>(batch.offsets);
  return {offsets.begin(), offsets.end()};
}

}  // namespace ink
