// Batches as inputs of work that is recorded and replayed (autograd/trainer.h, ReplayableLoss).
//
// Bodies read ids, segments and positions through ops alone, those of BERT's kind (nn/bert_body.h)
// offsets too: one recording serves all batches of as many tokens in as many sequences. Others look
// at offsets on the host, and batches have to share them.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "nn/model.h"
#include "tensor/packed.h"

namespace ink {

// Why encoding this batch follows from more than that; empty where it does not.
std::string obstacle_to_replay(const Model& model, const Packed& batch);

// The parts in this order, and the way back.
std::vector<Tensor> tensors_of(const Packed& batch);
Packed packed_from(std::span<const Tensor> tensors);
inline constexpr size_t kPackedTensors = 4;

// What batches have to share beside the shapes of these tensors.
std::vector<int64_t> structure_of(const Model& model, const Packed& batch);

}  // namespace ink
