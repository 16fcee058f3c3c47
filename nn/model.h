// Model: a body with the heads it needs, its parameters in one store, to train, save or prune.
//
//   Model model(config, {.masked_lm = true}, random_values(Random(1)));   // newly initialised
//   const Encoded e = model.body(batch, {.random = &random});
//   const Tensor loss = model.masked_lm->loss(e.hidden, rows, labels);
//
// Reading and writing folders: nn/model_folder.h.
#pragma once
#include <optional>

#include "nn/body.h"
#include "nn/heads.h"

namespace ink {

struct Model {
  ModelConfig config;
  Heads heads;
  Parameters parameters;  // the body's under the family's prefix, then the heads'
  Body body;
  std::optional<MaskedLmHead> masked_lm;
  std::optional<PairHead> pair;
  std::optional<ReplacedHead> replaced;
  std::optional<ClassificationHead> classification;
  std::optional<ChoiceHead> choice;
  std::optional<TaggingHead> tagging;
  std::optional<SpanHead> span;
  std::optional<PositionHead> position;

  Model(ModelConfig config, const Heads& heads, const ValueSource& values);
  // What classification, or else multiple choice, of this family reads of each sequence:
  // hidden (N, C) → (B, C)
  Tensor summary(const Tensor& hidden, const Tensor& offsets) const;
  // Moves all parameters to a device, as f32, f16 or bf16 (on the CPU f32 only). Before training
  // begins: optimizers hold copies of what parameters were.
  void move(Device device, Dtype dtype = Dtype::f32);
  void pack();    // for inference: weights laid out for the kernels
  void unpack();  // before training
};

}  // namespace ink
