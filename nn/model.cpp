// Putting body and heads together, and what the combinations are called.
#include "nn/model.h"

#include <algorithm>
#include <array>
#include <utility>

namespace ink {
namespace {

struct Named {
  const char* architecture;
  Heads heads;
};

// Combinations before their parts: the first that fits is taken off.
constexpr std::array<Named, 7> kArchitectures{{
    {"BertForPreTraining", {.pooler = true, .masked_lm = true, .pair = true}},
    {"BertForMaskedLM", {.masked_lm = true}},
    {"BertForNextSentencePrediction", {.pooler = true, .pair = true}},
    {"BertForSequenceClassification", {.pooler = true, .classification = true}},
    {"BertForTokenClassification", {.tagging = true}},
    {"BertForQuestionAnswering", {.span = true}},
    {"BertForPerLM", {.position = true}},
}};

constexpr std::array kFlags{&Heads::masked_lm, &Heads::pair, &Heads::classification,
                            &Heads::tagging,   &Heads::span, &Heads::position};

}  // namespace

Heads heads_from(const std::vector<std::string>& architectures) {
  Heads all;
  for (const std::string& name : architectures) {
    if (name == "BertModel") {
      all.pooler = true;
      continue;
    }
    const auto* known = std::ranges::find_if(
        kArchitectures, [&](const Named& n) { return name == n.architecture; });
    check(known != kArchitectures.end(), "config: architectures: '", name,
          "' is unknown; expected BertModel, ",
          "BertForPreTraining, BertForMaskedLM, BertForNextSentencePrediction, "
          "BertForSequenceClassification, ",
          "BertForTokenClassification, BertForQuestionAnswering or BertForPerLM");
    for (const auto flag : kFlags) all.*flag |= known->heads.*flag;
    all.pooler |= known->heads.pooler;
  }
  if (architectures.empty()) all.pooler = true;
  return all;
}

std::vector<std::string> architectures_of(const Heads& heads) {
  std::vector<std::string> names;
  Heads rest = heads;
  for (const Named& n : kArchitectures) {
    bool fits = true;
    for (const auto flag : kFlags) fits &= rest.*flag || !(n.heads.*flag);
    if (!fits) continue;
    names.emplace_back(n.architecture);
    for (const auto flag : kFlags) rest.*flag &= !(n.heads.*flag);
  }
  if (names.empty()) names.emplace_back("BertModel");
  return names;
}

namespace {

Heads with_pooler_where_needed(Heads heads) {
  check(!(heads.classification && heads.tagging),
        "model: classification and tagging share the name 'classifier'; ",
        "expected at most one of them");
  heads.pooler |= heads.pair || heads.classification;
  return heads;
}

}  // namespace

Model::Model(BertConfig config_, const Heads& heads_, const ValueSource& values)
    : config(std::move(config_)),
      heads(with_pooler_where_needed(heads_)),
      bert(Scope(parameters, values) / "bert", config, heads.pooler) {
  const Scope root(parameters, values);
  if (heads.masked_lm) masked_lm.emplace(root / "cls" / "predictions", config, bert.word.table);
  if (heads.pair) pair.emplace(root / "cls" / "seq_relationship", config);
  if (heads.classification) classification.emplace(root / "classifier", config);
  if (heads.tagging) tagging.emplace(root / "classifier", config);
  if (heads.span) span.emplace(root / "qa_outputs", config);
  if (heads.position) position.emplace(root / "cls" / "positions", config);
}

void Model::pack() {
  bert.pack();
  if (masked_lm) masked_lm->pack();
}

void Model::unpack() {
  bert.unpack();
  if (masked_lm) masked_lm->unpack();
}

}  // namespace ink
