// A model with fewer tokens as a pure function: (model, kept tokens) → smaller model.
//
// Of every parameter with a row or column for each token the kept ones stay, in their order:
//
//   word embeddings (V, E)      the output layer too, where it is tied to them
//   an untied decoder (V, E)    its own weights
//   the decoder's bias (V)      BERT, RoBERTa, ELECTRA's generator, ALBERT, DistilBERT, XLNet
//   MobileBERT's dense (C−E, V) the part of its decoder that is not tied
//
// so hidden states of a text made of kept tokens are the same bit for bit, and so are the logits of
// kept tokens. All other parameters share memory with the original.
#pragma once
#include "nn/model.h"
#include "text/reduced_tokenizer.h"

namespace ink {

// Ids that the model gives a meaning to, and that therefore have to stay: those in keys of
// config.json such as pad_token_id and eos_token_id; where positions count from behind the padding
// token's id (RoBERTa), all ids up to it. Those beyond `tokens` are left out.
TokenSet tokens_of_model(const ModelConfig& config, int32_t tokens);

// vocab_size and all such keys of config.json become those of the kept tokens; rows of a table that
// is longer than the tokenizer's vocabulary go. Raises Error when tokens_of_model are not kept.
Model with_vocabulary(const Model& model, const KeptTokens& kept);

}  // namespace ink
