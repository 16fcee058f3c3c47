// ModelConfig: family and sizes of a model, read from and written to Hugging Face's config.json.
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

#include "nn/family.h"
#include "tensor/activation.h"
#include "tensor/json.h"

namespace ink {

// What only ALBERT has: layers share weights.
struct SharedLayers {
  int64_t groups = 0;  // of layers with the same weights; 0: every layer has its own
  int64_t inner = 1;   // layers that a group runs one after the other
};

// What only MobileBERT has (Sun et al. 2020).
struct Bottlenecks {
  bool trigram_input = true;   // embeddings of three neighbours make one
  bool use_bottleneck = true;  // layers work in intra_bottleneck_size channels
  int64_t intra_bottleneck_size = 128;
  bool key_query_shared = true;       // keys and queries read one bottleneck of their own
  bool attention_bottleneck = false;  // queries, keys and values all read the layer's input
  int64_t feedforward_networks = 4;
  bool layer_norm = false;            // instead of the elementwise x·w + b
  bool classifier_activation = true;  // the pooler is tanh(W h + b), else h itself
};

// What only XLNet has (Yang et al. 2019).
struct RelativePositions {
  int64_t clamp_len = -1;  // distances are cut at it; below 1: they are not
};

struct ModelConfig {
  const Family* family = &bert_family();
  int64_t vocab_size = 0;
  int64_t hidden_size = 0;
  int64_t embedding_size = 0;            // channels of the embeddings; 0: hidden_size
  int64_t head_size = 0;                 // channels of one attention head
  std::vector<int64_t> heads_per_layer;  // one a layer
  std::vector<int64_t> ffn_per_layer;    // one a layer: width of the feed-forward part
  int64_t max_position_embeddings = 512;
  int64_t type_vocab_size = 2;
  Activation hidden_act = Activation::gelu;
  double hidden_dropout_prob = 0.1;
  double attention_probs_dropout_prob = 0.1;
  std::optional<double> classifier_dropout;  // hidden_dropout_prob where absent
  std::optional<double> tagging_dropout;     // classifier_dropout where absent
  std::optional<double> choice_dropout;      // classifier_dropout where absent
  double span_dropout = 0;
  double layer_norm_eps = 1e-12;
  double initializer_range = 0.02;
  int64_t pad_token_id = 0;
  bool positions_after_padding = false;  // the first token's position is pad_token_id + 1
  double position_scale = 1;  // of PerLM's products of states, 1 as published; no other program's
  bool tie_word_embeddings = true;  // the masked-LM head's decoder is the table of word embeddings
  SharedLayers shared = {};
  Bottlenecks bottlenecks = {};
  RelativePositions relative = {};
  std::vector<std::string> labels;  // id2label of classification and tagging; empty: two of them
  std::string problem_type;  // "", single_label_…, multi_label_classification or regression
  std::vector<std::string> architectures;  // "BertForMaskedLM", …
  Json other = Json::make_object();        // the file as read, with all its keys

  // Raises Error naming source and key when a key is missing, of the wrong type or out of range, or
  // asks for something that is not this architecture.
  static ModelConfig from(const Json& json);
  static ModelConfig read(const std::filesystem::path& file);
  Json to_json() const;

  int64_t embedding_channels() const { return embedding_size ? embedding_size : hidden_size; }
  int64_t longest() const;  // tokens in a sequence
  // Raises Error, beginning with `where`, when a tokenizer has more tokens than the table of word
  // embeddings rows. Fewer are usual: tables are padded, and those rows are never used.
  void check_vocabulary(int64_t tokens, const std::string& where) const;
  int64_t attention_channels() const;  // what the heads of an even layer share among them
  int64_t layers() const { return static_cast<int64_t>(heads_per_layer.size()); }
  int64_t label_count() const { return labels.empty() ? 2 : static_cast<int64_t>(labels.size()); }
  // All layers alike; head_size becomes attention_channels() / heads.
  void set_layers(int64_t layers, int64_t heads, int64_t ffn);
};

}  // namespace ink
