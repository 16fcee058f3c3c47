// BertConfig: the sizes of a BERT, read from and written to Hugging Face's config.json.
//
// Every layer has a head count and a feed-forward width of its own, so a pruned model is an
// ordinary model. Files of even models hold the usual keys only; uneven ones add `heads_per_layer`,
// `ffn_per_layer` and `head_size`. Keys that mean nothing to us are kept and written back. Numbers
// are checked against the ranges that any real model stays within, before anything is allocated.
#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "tensor/activation.h"
#include "tensor/json.h"

namespace ink {

struct BertConfig {
  int64_t vocab_size = 0;
  int64_t hidden_size = 0;
  int64_t head_size = 0;                 // channels of one attention head
  std::vector<int64_t> heads_per_layer;  // one a layer
  std::vector<int64_t> ffn_per_layer;    // one a layer: width of the feed-forward part
  int64_t max_position_embeddings = 512;
  int64_t type_vocab_size = 2;
  Activation hidden_act = Activation::gelu;
  double hidden_dropout_prob = 0.1;
  double attention_probs_dropout_prob = 0.1;
  std::optional<double> classifier_dropout;  // hidden_dropout_prob where absent
  double layer_norm_eps = 1e-12;
  double initializer_range = 0.02;
  int64_t pad_token_id = 0;
  std::vector<std::string>
      labels;                // id2label of classification and tagging; empty = the default of two
  std::string problem_type;  // "", single_label_…, multi_label_classification or regression
  std::vector<std::string> architectures;  // "BertForMaskedLM", …
  Json other = Json::make_object();        // the file as read, with all its keys

  // Raises Error naming source and key when a key is missing, of the wrong type or out of range, or
  // asks for something that is not this architecture.
  static BertConfig from(const Json& json);
  static BertConfig read(const std::filesystem::path& file);
  Json to_json() const;

  int64_t layers() const { return static_cast<int64_t>(heads_per_layer.size()); }
  int64_t label_count() const { return labels.empty() ? 2 : static_cast<int64_t>(labels.size()); }
  // All layers alike; head_size becomes hidden_size / heads.
  void set_layers(int64_t layers, int64_t heads, int64_t ffn);
};

}  // namespace ink
