// Units → tokens, and the tags of a model back to units.
#include <algorithm>
#include <cmath>

#include "autograd/tape.h"
#include "tasks/tagged.h"
#include "tensor/error.h"
#include "tensor/ops.h"
#include "tensor/parallel.h"

namespace ink {
namespace {

void append(Encoding& to, const Encoding& from, int32_t unit) {
  to.ids.insert(to.ids.end(), from.ids.begin(), from.ids.end());
  to.segments.insert(to.segments.end(), from.segments.begin(), from.segments.end());
  to.texts.insert(to.texts.end(), from.texts.begin(), from.texts.end());
  to.words.insert(to.words.end(), from.ids.size(), unit);
  to.offsets.insert(to.offsets.end(), from.offsets.begin(), from.offsets.end());
  to.bytes.insert(to.bytes.end(), from.bytes.begin(), from.bytes.end());
}

// A unit as tokens, at least one. Its offsets count from its own beginning.
Encoding tokens_of(const std::string& unit, const Tokenizer& tokenizer) {
  Encoding pieces = tokenizer.pieces(unit);
  if (pieces.size() > 0) return pieces;
  const auto bytes = static_cast<int32_t>(unit.size());
  return {.ids = {tokenizer.vocabulary().unk()},
          .segments = {0},
          .texts = {0},
          .words = {0},
          .offsets = {{0, static_cast<int32_t>(decode_utf8(unit).size())}},
          .bytes = {{0, bytes}}};
}

Feature feature_of(const TaggedSentence& sentence, const TokenOptions& tokens) {
  Encoding all;
  for (size_t u = 0; u < sentence.units.size(); ++u)
    append(all, tokens_of(sentence.units[u], tokens.tokenizer), static_cast<int32_t>(u));
  Feature feature{
      .encoding = tokens.tokenizer.join(all, nullptr, {.max_length = tokens.max_length}),
      .targets = {},
      .line = sentence.line};
  int32_t read = Encoding::no_word;  // the last unit with a token
  for (const int32_t unit : feature.encoding.words) {
    const bool first = unit != Encoding::no_word && unit != read;
    const auto u = static_cast<size_t>(unit);
    feature.targets.push_back(!first ? kIgnore : sentence.tags.empty() ? 0 : sentence.tags[u]);
    if (first) read = unit;
  }
  feature.truncated = read + 1 < std::ssize(sentence.units);
  return feature;
}

}  // namespace

Features tagged_features(const TaggedText& text, const TokenOptions& tokens) {
  check(!text.items.empty(), "", text.source, ": expected tagged sentences, found none");
  check(tokens.max_length >= 4, "features: expected max_length of at least 4, got ",
        tokens.max_length);
  std::vector<Feature> items(text.size());
  parallel_for(static_cast<int64_t>(text.size()), 16, [&](int64_t begin, int64_t end) {
    for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(end); ++i)
      items[i] = feature_of(text.items[i], tokens);
  });
  return Features(std::move(items));
}

Tensor tag_logits(const Model& model, const Packed& batch, const EncoderOptions& options) {
  check(model.tagging.has_value(), "tagging: this model has no tagging head; fine-tune it first");
  return model.tagging->logits(model.body(batch, options).hidden, options.random);
}

MicroLoss tagging_loss(const Model& model, const FeatureBatch& batch,
                       const EncoderOptions& options) {
  const std::span<const int32_t> labels(batch.labels.data<int32_t>(),
                                        static_cast<size_t>(batch.labels.size()));
  const auto counted = std::ssize(labels) - std::ranges::count(labels, kIgnore);
  return {.loss = model.tagging->loss(tag_logits(model, batch.inputs, options), batch.labels),
          .weight = static_cast<double>(counted),
          .tokens = batch.inputs.tokens()};
}

TagPredictions predict_tags(const Model& model, const Features& data) {
  return predict_tags([&](const FeatureBatch& batch) { return tag_logits(model, batch.inputs); },
                      data);
}

TagPredictions predict_tags(const LogitsOf& logits, const Features& data) {
  const Pause pause;
  TagPredictions result;
  result.tags.resize(static_cast<size_t>(data.size()));
  double count = 0;
  for (const std::vector<int64_t>& rows : data.plan(kInferencePlan)) {
    const Tensor p = on_host(softmax(logits(data.batch(rows))));  // (N, L)
    const int64_t L = p.dim(1);
    const float* row = p.data<float>();
    for (const int64_t sentence : rows) {
      for (const int32_t truth : data[sentence].targets) {
        if (truth != kIgnore) {
          check(std::all_of(row, row + L, [](float x) { return std::isfinite(x); }),
                "the model gives nan for line ", data.line(sentence),
                "; its weights may be damaged");
          const auto best = static_cast<int32_t>(std::max_element(row, row + L) - row);
          result.tags[static_cast<size_t>(sentence)].push_back(best);
          result.loss -= std::log(std::max<double>(row[truth], 1e-30));
          ++count;
        }
        row += L;
      }
    }
  }
  result.loss /= std::max(count, 1.0);
  return result;
}

std::vector<std::vector<int32_t>> predict_line_tags(
    const Model& model, const std::vector<std::vector<std::string>>& units, int64_t first_line,
    const TokenOptions& tokens) {
  TaggedText text{{}, {}, "standard input"};
  std::vector<size_t> places;  // of the lines with units, which alone are sentences
  for (size_t i = 0; i < units.size(); ++i) {
    if (units[i].empty()) continue;
    text.items.push_back({.units = units[i], .line = first_line + static_cast<int64_t>(i)});
    places.push_back(i);
  }
  std::vector<std::vector<int32_t>> all(units.size());
  if (places.empty()) return all;
  TagPredictions said = predict_tags(model, tagged_features(text, tokens));
  for (size_t s = 0; s < places.size(); ++s) all[places[s]] = std::move(said.tags[s]);
  return all;
}

bool tags_tokens(const ModelConfig& config) {
  return heads_from(*config.family, config.architectures).tagging;
}

Labels tags_of(const ModelConfig& config) {
  check(tags_tokens(config) && !config.labels.empty(),
        "labels: this model does not tag tokens; run inkstone finetune --task tagging first (then "
        "its config.json has architectures [\"BertForTokenClassification\"] and id2label)");
  return Labels(config.labels);
}

void set_tagging_dropout(Model& model, double probability) {
  model.config.classifier_dropout = model.config.tagging_dropout = probability;
  model.tagging->dropout_probability = probability;
}

}  // namespace ink
