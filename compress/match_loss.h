// The loss of one match between features of two models, and what a model says of a batch.
#pragma once
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "compress/losses/sequences.h"
#include "compress/matches.h"
#include "nn/encoder.h"
#include "tensor/tensor.h"

namespace ink {

// What a model says about a batch of B sequences, N tokens. What no match reads may be missing.
struct ModelOutputs {
  Tensor logits;               // (B, classes)
  std::vector<Tensor> hidden;  // (N, C) each: after the embeddings, after layer 1, …
  std::vector<AttentionInputs> attention = {};  // of each layer, (N, H·D) each
  std::vector<int64_t> heads = {};              // H of each layer
};

// What is known of a batch. `groups`: the same sequences, where losses that compare tokens with
// tokens are to be computed group by group (Sequences::of_like_lengths); none: all together.
// `compatible` and `inputs_mask` as in DistillationConfig.
struct MatchContext {
  const Sequences& sequences;
  const Tensor& offsets;
  std::span<const Sequences> groups = {};
  bool compatible = false, inputs_mask = true;
};
// The loss of one match, without its weight; the student's hidden states are projected already by
// `project`, where that is given. Raises Error where a layer is not there.
Tensor match_loss(const IntermediateMatch& match, const ModelOutputs& student,
                  const ModelOutputs& teacher, const MatchContext& context,
                  const std::function<Tensor(const Tensor&)>& project = {});

}  // namespace ink
