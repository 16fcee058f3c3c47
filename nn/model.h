// Model: a BERT with the heads it needs, its parameters in one store, ready to train, save or
// prune.
//
//   Model model(config, {.masked_lm = true}, random_values(Random(1)));   // newly initialised
//   const Encoded e = model.bert(batch, {.random = &random});
//   const Tensor loss = model.masked_lm->loss(e.hidden, rows, labels);
//
// Reading and writing folders: nn/model_folder.h.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "nn/bert.h"
#include "nn/heads.h"

namespace ink {

struct Heads {
  bool pooler = false;  // made anyway for heads that need it
  bool masked_lm = false;
  bool pair = false;
  bool classification = false;  // shares the name `classifier` with tagging: at most one of the two
  bool tagging = false;
  bool span = false;
  bool position = false;
  bool operator==(const Heads&) const = default;
};

// The heads behind the names in config.json ("BertForMaskedLM"), and back. Raises Error for an
// unknown name.
Heads heads_from(const std::vector<std::string>& architectures);
std::vector<std::string> architectures_of(const Heads& heads);

struct Model {
  BertConfig config;
  Heads heads;
  Parameters parameters;  // "bert.…" for the body, then the heads
  BertModel bert;
  std::optional<MaskedLmHead> masked_lm;
  std::optional<PairHead> pair;
  std::optional<ClassificationHead> classification;
  std::optional<TaggingHead> tagging;
  std::optional<SpanHead> span;
  std::optional<PositionHead> position;

  Model(BertConfig config, const Heads& heads, const ValueSource& values);
  void pack();    // for inference: weights laid out for the kernels
  void unpack();  // before training
};

}  // namespace ink
