// Family: what sets one architecture of BERT's kind apart from another, as data.
//
// BERT, RoBERTa, XLM-R, ELECTRA, ALBERT and DistilBERT compute the same thing: embeddings, then
// layers of attention and feed-forward, each behind a layer norm of the sum. They differ in what
// their tensors and config keys are called, in how positions count, in which layers share weights,
// and in what a classifier reads. That is written down in one file each, nn/families/NAME.cpp.
// MobileBERT, XLNet and BiGRU have bodies of their own (nn/mobilebert.h, nn/xlnet.h, nn/bigru.h)
// and fill in the rest of the table here.
//
// All names are those of Hugging Face. Dots in a name are steps of the path (nn/scope.h).
#pragma once
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/activation.h"
#include "tensor/json.h"

namespace ink {

struct ModelConfig;

// What is put on top of a body (nn/heads.h).
struct Heads {
  bool pooler = false;  // made anyway for heads that need it
  bool masked_lm = false;
  bool pair = false;
  bool replaced = false;        // replaced-token detection: ELECTRA's discriminator
  bool classification = false;  // shares the name `classifier` with the next two: at most one
  bool choice = false;          // multiple choice
  bool tagging = false;
  bool span = false;
  bool position = false;
  bool operator==(const Heads&) const = default;
};

// A class of transformers and the heads it has: {"BertForMaskedLM", {.masked_lm = true}}.
struct Architecture {
  const char* name;
  Heads heads;
};

// Keys of config.json for what every family has.
struct ConfigKeys {
  const char* hidden_size = "hidden_size";
  const char* layers = "num_hidden_layers";
  const char* heads = "num_attention_heads";  // null: the family has no attention
  const char* ffn = "intermediate_size";      // the inner width of a layer
  const char* activation = "hidden_act";
  const char* dropout = "hidden_dropout_prob";
  const char* attention_dropout = "attention_probs_dropout_prob";
  const char* classifier_dropout = "classifier_dropout";
  const char* layer_norm_eps = "layer_norm_eps";  // null: always 10⁻¹²
};

struct EmbeddingNames {
  const char* word = "embeddings.word_embeddings";
  const char* position = "embeddings.position_embeddings";
  const char* segment = "embeddings.token_type_embeddings";  // null: the family has none
  const char* norm = "embeddings.LayerNorm";
  const char* projection = nullptr;  // embedding_size → hidden_size
};

// Below the path of a layer.
struct LayerNames {
  const char* query = "attention.self.query";
  const char* key = "attention.self.key";
  const char* value = "attention.self.value";
  const char* attention_output = "attention.output.dense";
  const char* attention_norm = "attention.output.LayerNorm";
  const char* intermediate = "intermediate.dense";
  const char* output = "output.dense";
  const char* norm = "output.LayerNorm";
};

struct MaskedLmNames {
  const char* dense = "cls.predictions.transform.dense";  // null: states go to the decoder at once
  const char* norm = "cls.predictions.transform.LayerNorm";
  const char* bias = "cls.predictions";             // holds `bias`
  const char* decoder = "cls.predictions.decoder";  // `weight` is the word embeddings
  const char* rest = nullptr;  // holds `weight` (C − E, V), where states are wider than embeddings
  Activation activation = Activation::none;  // none: config.json's
};

// What a classifier of whole texts reads.
enum class Summary : uint8_t { pooled, first_token, last_token, mean };

struct ClassifierNames {
  Summary summary = Summary::pooled;
  const char* dense = nullptr;  // a layer between summary and classes
  Activation activation = Activation::none;
  bool dropout_before_dense = false;
  const char* classes = "classifier";
};

// Which of four architectures stands behind a family (nn/body.h).
enum class BodyKind : uint8_t { bert, mobilebert, xlnet, bigru };

struct Family {
  const char* model_type;  // of config.json: "roberta"
  const char* prefix;      // of the tensors of the body: "roberta"
  const char* body;        // its class without heads: "RobertaModel"
  BodyKind body_kind = BodyKind::bert;
  std::vector<Architecture> architectures;  // combinations before their parts
  ConfigKeys keys = {};
  EmbeddingNames embeddings = {};
  const char* layers = "encoder.layer";
  LayerNames layer = {};
  const char* pooler = nullptr;  // linear layer behind a tanh; null: the family has none
  MaskedLmNames masked_lm = {};
  const char* pair = "cls.seq_relationship";
  bool two_streams = false;  // pre-trained by permutation, with a query stream (nn/xlnet.h)
  ClassifierNames classifier = {};
  ClassifierNames choice = {};               // of multiple choice, which may read something else
  std::vector<const char*> other_tied = {};  // further names of tensors that repeat others

  // Reads the family's defaults and what only its config.json holds, before the common keys are
  // read; writes the latter after them. Null: nothing.
  void (*read_config)(const Json& json, ModelConfig& config) = nullptr;
  void (*write_config)(const ModelConfig& config, Json& json) = nullptr;
};

// Raises Error unless the key of config.json is absent or says `value`; null is another value.
void expect_value(const Json& json, const char* key, const Json& value);
// Gives a key that means nothing to a family what the file said, and removes it where it said
// nothing.
void restore(Json& json, const char* key, const Json& file);

// One a file of nn/families/.
const Family& bert_family();
const Family& roberta_family();
const Family& xlm_roberta_family();
const Family& electra_family();
const Family& albert_family();
const Family& distilbert_family();
const Family& mobilebert_family();
const Family& xlnet_family();
const Family& bigru_family();

// All of them.
std::span<const Family* const> families();
// By config.json's model_type; raises Error for another, with the known ones.
const Family& family_of(const std::string& model_type);

// Those names of config.json ("BertForMaskedLM") that are classes of the family's. Others, a
// company's own or a decoder's, say nothing about an encoder; transformers does not read them.
std::vector<std::string> classes_of(const Family& family,
                                    const std::vector<std::string>& architectures);
// The heads behind these, and back. Without any: the pooler, where the family has one.
Heads heads_from(const Family& family, const std::vector<std::string>& architectures);
std::vector<std::string> architectures_of(const Family& family, const Heads& heads);

}  // namespace ink
