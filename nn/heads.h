// Heads: what is put on top of hidden states, each with its loss. Their names are the family's
// (nn/family.h).
//
// Hidden states are (N, C) of a packed batch, pooled ones (B, C). `random` given means training
// (dropout). Losses are means; a label of kIgnore does not count.
#pragma once
#include <optional>
#include <string>

#include "nn/config.h"
#include "nn/layers.h"

namespace ink {

// dense → activation → LN, then scores over the vocabulary with the word embeddings as weights.
// XLNet's has no dense; MobileBERT's states are wider than its embeddings, and more weights follow.
struct MaskedLmHead {
  std::optional<Linear> dense;  // C → E, or C → C with `rest`
  std::optional<LayerNorm> norm;
  Parameter& word;  // (V, E): the embedding table itself, unless untied
  Parameter* rest;  // (C − E, V) or null
  Parameter& bias;  // (V)
  Activation activation;
  PackedWeight packed;    // of `word`, or of `joined`
  Parameter joined = {};  // while packed, with `rest`: both weights side by side (V, C)

  MaskedLmHead(const Scope& root, const ModelConfig& config, Parameter& words);
  Tensor logits(const Tensor& rows) const;  // (M, C) → (M, V)
  // Of the selected rows only: hidden (N, C), rows i32 (M), labels i32 (M)
  Tensor loss(const Tensor& hidden, const Tensor& rows, const Tensor& labels) const;
  void pack();
  void unpack();

 private:
  Tensor transform(const Tensor& rows) const;
  Tensor weight() const;  // (V, channels of transform); with `rest` put together anew
  const Parameter& current_joined() const;

  uint64_t word_version_ = 0, rest_version_ = 0;  // of what `joined` was made of
};

// Two classes for a pair of texts, next-sentence or sentence-order prediction: label 0 = as in the
// text.
struct PairHead {
  Linear classifier;

  PairHead(const Scope& scope, const ModelConfig& config);
  Tensor logits(const Tensor& pooled) const { return classifier(pooled); }  // (B, 2)
  Tensor loss(const Tensor& pooled, const Tensor& labels) const;            // labels i32 (B)
};

// Whether each token is the original or a generator's: one score a token, above 0 for replaced
// (Clark et al. 2020).
struct ReplacedHead {
  Linear dense, prediction;
  Activation activation;

  ReplacedHead(const Scope& root, const ModelConfig& config);
  Tensor logits(const Tensor& hidden) const;                        // (N)
  Tensor loss(const Tensor& hidden, const Tensor& replaced) const;  // replaced floats (N): 0 or 1
};

enum class Problem : uint8_t { single_label, multi_label, regression };
// As config.json names it; empty: regression with one label, single_label otherwise.
Problem problem_from(const std::string& problem_type, int64_t labels);

// Scores of a whole text from what Body::summary gives; some families have a layer between.
struct SummaryScores {
  std::optional<Linear> dense;
  Linear classes;
  Activation activation;
  bool dropout_before_dense;
  double dropout_probability;

  SummaryScores(const Scope& root, const ClassifierNames& names, const ModelConfig& c,
                int64_t count, double dropout);
  // (B, C) → (B, count); a gate (B, C) is on what `classes` reads
  Tensor operator()(const Tensor& summary, const Random* random, const Tensor& gate = {}) const;
};

// Classes of a whole text.
struct ClassificationHead {
  SummaryScores scores;
  Problem problem;

  ClassificationHead(const Scope& root, const ModelConfig& config);
  // (B, L); `gate` as that of SummaryScores
  Tensor logits(const Tensor& summary, const Random* random = nullptr,
                const Tensor& gate = {}) const;
  // targets: i32 (B) for single_label; floats in [0, 1] (B, L) for multi_label; floats (B, L) for
  // regression; of any type and on any device
  Tensor loss(const Tensor& logits, const Tensor& targets) const;
};

// Which of several texts is right, one score a text: the choices of a question are as many
// sequences of the batch, one behind the other (SWAG, RACE, C3).
struct ChoiceHead {
  SummaryScores scores;

  ChoiceHead(const Scope& root, const ModelConfig& config);
  // summary (B·K, C) of `choices` = K sequences for each question → (B, K). Raises Error when the
  // sequences are not a multiple of K.
  Tensor logits(const Tensor& summary, int64_t choices, const Random* random = nullptr) const;
  Tensor loss(const Tensor& logits, const Tensor& labels) const;  // labels i32 (B): the right one
};

// A class for every token (classifier).
struct TaggingHead {
  Linear classifier;
  double dropout_probability;

  TaggingHead(const Scope& scope, const ModelConfig& config);
  Tensor logits(const Tensor& hidden, const Random* random = nullptr) const;  // (N, L)
  Tensor loss(const Tensor& logits, const Tensor& labels) const;              // labels i32 (N)
};

// Where an answer starts and ends, as scores of every token (qa_outputs).
struct SpanHead {
  Linear classifier;
  double dropout_probability;

  SpanHead(const Scope& scope, const ModelConfig& config);
  Tensor logits(const Tensor& hidden, const Random* random = nullptr) const;  // (N, 2): start, end
  // Mean of the losses of start and end; each is a softmax over the tokens of a sequence. starts,
  // ends i32 (B) are positions in the sequence.
  Tensor loss(const Tensor& logits, const Tensor& offsets, const Tensor& starts,
              const Tensor& ends) const;
};

// Scores of the positions of a token's own sequence (Cui et al. 2022, eq. 2-6, PerLM):
// LN(dropout(f(W h + b))) · Hᵀ + b.
struct PositionHead {
  Linear dense;
  LayerNorm norm;
  Parameter& bias;  // (P), one for each position
  Activation activation;
  double dropout_probability;
  double factor;  // of the dot products: position_scale of the config

  PositionHead(const Scope& scope, const ModelConfig& config);
  // rows i32 (M) ascending → (B, R, T): the r-th selected row of sequence b against its t-th token.
  // R and T are the largest counts; scores of positions that a sequence does not have are −10³⁰,
  // rows it does not have mean nothing.
  Tensor scores(const Tensor& hidden, const Tensor& offsets, const Tensor& rows,
                const Random* random = nullptr) const;
  // labels i32 (M): positions in the sequence
  Tensor loss(const Tensor& hidden, const Tensor& offsets, const Tensor& rows, const Tensor& labels,
              const Random* random = nullptr) const;
  // The labels as scores have them: (B·R), kIgnore for rows that a sequence does not have.
  static Tensor labels_of_scores(const Tensor& offsets, const Tensor& rows, const Tensor& labels);
};

}  // namespace ink
