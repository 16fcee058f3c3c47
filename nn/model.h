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
#include "nn/place.h"

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
  // Moves all parameters; with int8, numbers that layers keep in 8 bits leave them. To be called
  // before an optimizer is made, which may hold copies of them.
  void move(const Place& place);
  void pack();    // for inference: weights laid out for the kernels
  void unpack();  // before training
};

}  // namespace ink
