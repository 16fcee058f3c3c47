// Logits and losses of the heads.
#include "nn/heads.h"

#include "nn/ragged.h"
#include "tensor/op.h"

namespace ink {
namespace {

double head_dropout(const ModelConfig& c) {
  return c.classifier_dropout.value_or(c.hidden_dropout_prob);
}

// The parameter `name`.weight or `name`.bias
Parameter& parameter(const Scope& root, const char* name, const char* kind, const Shape& shape,
                     const Initial& initial) {
  return (root / name).param(kind, shape, initial);
}

}  // namespace

// ── masked LM ───────────────────────────────────────────────────────────────────────────────────

MaskedLmHead::MaskedLmHead(const Scope& root, const ModelConfig& c, Parameter& words)
    : word(c.tie_word_embeddings
               ? words
               : parameter(root, c.family->masked_lm.decoder, "weight", words.value.shape(),
                           Initial::normal(c.initializer_range))),
      rest(nullptr),
      bias(parameter(root, c.family->masked_lm.bias, "bias", {c.vocab_size}, Initial::zeros())),
      activation(c.family->masked_lm.activation == Activation::none
                     ? c.hidden_act
                     : c.family->masked_lm.activation) {
  const MaskedLmNames& names = c.family->masked_lm;
  const int64_t E = c.embedding_channels(), C = c.hidden_size, out = names.rest ? C : E;
  if (names.dense) {
    dense.emplace(root / names.dense, C, out, c.initializer_range);
    norm.emplace(root / names.norm, out, c.layer_norm_eps);
  }
  if (names.rest && C > E)
    rest = &parameter(root, names.rest, "weight", {C - E, c.vocab_size},
                      Initial::normal(c.initializer_range));
}

Tensor MaskedLmHead::transform(const Tensor& rows) const {
  return dense ? (*norm)((*dense)(rows, activation)) : rows;
}

Tensor MaskedLmHead::weight() const {
  return rest ? concat({word.value, transpose(rest->value, 0, 1)}, 1) : word.value;
}

const Parameter& MaskedLmHead::current_joined() const {
  check(word.value.storage()->version() == word_version_ &&
            rest->value.storage()->version() == rest_version_,
        "masked LM: ", word.name, " or ", rest->name,
        " has changed since it was packed; call pack() again");
  return joined;
}

Tensor MaskedLmHead::logits(const Tensor& rows) const {
  const Tensor x = transform(rows);
  if (!rest) return linear(x, word.value, bias.value, Activation::none, packed.get(word));
  if (!joined.value || Recorder::current) return linear(x, weight(), bias.value);
  const Parameter& w = current_joined();
  return linear(x, w.value, bias.value, Activation::none, packed.get(w));
}

Tensor MaskedLmHead::loss(const Tensor& hidden, const Tensor& rows, const Tensor& labels) const {
  return linear_cross_entropy(transform(gather_rows(hidden, rows)), weight(), bias.value, labels);
}

void MaskedLmHead::pack() {
  if (dense) dense->pack();
  if (!rest) return packed.pack(word);
  joined = {.name = word.name, .value = weight()};
  word_version_ = word.value.storage()->version();
  rest_version_ = rest->value.storage()->version();
  packed.pack(joined);
}

void MaskedLmHead::unpack() {
  if (dense) dense->unpack();
  packed.clear();
  joined = {};
}

// ── whole texts ─────────────────────────────────────────────────────────────────────────────────

PairHead::PairHead(const Scope& scope, const ModelConfig& c)
    : classifier(scope, c.hidden_size, 2, c.initializer_range) {}

Tensor PairHead::loss(const Tensor& pooled, const Tensor& labels) const {
  return cross_entropy(logits(pooled), labels);
}

Problem problem_from(const std::string& type, int64_t labels) {
  if (type == "single_label_classification") return Problem::single_label;
  if (type == "multi_label_classification") return Problem::multi_label;
  if (type == "regression") return Problem::regression;
  check(
      type.empty(),
      "config: problem_type: expected single_label_classification, multi_label_classification or ",
      "regression, got '", type, "'");
  return labels == 1 ? Problem::regression : Problem::single_label;
}

SummaryScores::SummaryScores(const Scope& root, const ClassifierNames& names, const ModelConfig& c,
                             int64_t count, double dropout)
    : classes(root / names.classes, c.hidden_size, count, c.initializer_range),
      activation(names.activation),
      dropout_before_dense(names.dropout_before_dense),
      dropout_probability(dropout) {
  if (names.dense)
    dense.emplace(root / names.dense, c.hidden_size, c.hidden_size, c.initializer_range);
}

Tensor SummaryScores::operator()(const Tensor& summary, const Random* random,
                                 const Tensor& gate) const {
  Tensor x = summary;
  if (dense) {
    if (dropout_before_dense) x = dropout_if(random, x, dropout_probability, "before dense");
    x = (*dense)(x, activation);
  }
  if (gate) x = multiply(x, gate);
  return classes(dropout_if(random, x, dropout_probability, "classification"));
}

ClassificationHead::ClassificationHead(const Scope& root, const ModelConfig& c)
    : scores(root, c.family->classifier, c, c.label_count(), head_dropout(c)),
      problem(problem_from(c.problem_type, c.label_count())) {}

Tensor ClassificationHead::logits(const Tensor& summary, const Random* random,
                                  const Tensor& gate) const {
  return scores(summary, random, gate);
}

Tensor ClassificationHead::loss(const Tensor& logits, const Tensor& targets) const {
  switch (problem) {
    case Problem::single_label: return cross_entropy(logits, targets);
    case Problem::multi_label: return binary_cross_entropy(logits, like(logits, targets));
    case Problem::regression: return mse_loss(logits, like(logits, targets));
  }
  fail("classification: unknown problem ", static_cast<int>(problem));
}

ChoiceHead::ChoiceHead(const Scope& root, const ModelConfig& c)
    : scores(root, c.family->choice, c, 1, c.choice_dropout.value_or(head_dropout(c))) {}

Tensor ChoiceHead::logits(const Tensor& summary, int64_t choices, const Random* random) const {
  const int64_t sequences = summary.dim(0);
  check(choices > 0 && sequences % choices == 0, "choices: expected a multiple of ", choices,
        " sequences, as many for each question, got ", sequences);
  return reshape(scores(summary, random), {sequences / choices, choices});
}

Tensor ChoiceHead::loss(const Tensor& logits, const Tensor& labels) const {
  return cross_entropy(logits, labels);
}

// ── tokens ──────────────────────────────────────────────────────────────────────────────────────

TaggingHead::TaggingHead(const Scope& scope, const ModelConfig& c)
    : classifier(scope, c.hidden_size, c.label_count(), c.initializer_range),
      dropout_probability(c.tagging_dropout.value_or(head_dropout(c))) {}

Tensor TaggingHead::logits(const Tensor& hidden, const Random* random) const {
  return classifier(dropout_if(random, hidden, dropout_probability, "tagging"));
}

Tensor TaggingHead::loss(const Tensor& logits, const Tensor& labels) const {
  return cross_entropy(logits, labels);
}

ReplacedHead::ReplacedHead(const Scope& root, const ModelConfig& c)
    : dense(root / "discriminator_predictions.dense", c.hidden_size, c.hidden_size,
            c.initializer_range),
      prediction(root / "discriminator_predictions.dense_prediction", c.hidden_size, 1,
                 c.initializer_range),
      activation(c.hidden_act) {}

Tensor ReplacedHead::logits(const Tensor& hidden) const {
  return reshape(prediction(dense(hidden, activation)), {hidden.dim(0)});
}

Tensor ReplacedHead::loss(const Tensor& hidden, const Tensor& replaced) const {
  const Tensor scores = logits(hidden);
  return binary_cross_entropy(scores, like(scores, replaced));
}

SpanHead::SpanHead(const Scope& scope, const ModelConfig& c)
    : classifier(scope, c.hidden_size, 2, c.initializer_range),
      dropout_probability(c.span_dropout) {}

Tensor SpanHead::logits(const Tensor& hidden, const Random* random) const {
  return classifier(dropout_if(random, hidden, dropout_probability, "span"));
}

Tensor SpanHead::loss(const Tensor& logits, const Tensor& offsets, const Tensor& starts,
                      const Tensor& ends) const {
  const StartsAndEnds scores = starts_and_ends(logits, offsets);
  return scale(add(cross_entropy(scores.starts, starts), cross_entropy(scores.ends, ends)), 0.5);
}

// ── positions ───────────────────────────────────────────────────────────────────────────────────

PositionHead::PositionHead(const Scope& scope, const ModelConfig& c)
    : dense(scope / "transform" / "dense", c.hidden_size, c.hidden_size, c.initializer_range),
      norm(scope / "transform" / "LayerNorm", c.hidden_size, c.layer_norm_eps),
      bias(scope.param("bias", {c.max_position_embeddings}, Initial::zeros())),
      activation(c.hidden_act),
      dropout_probability(c.hidden_dropout_prob),
      factor(c.position_scale) {}

Tensor PositionHead::scores(const Tensor& hidden, const Tensor& offsets, const Tensor& rows,
                            const Random* random) const {
  const Tensor transformed = dense(gather_rows(hidden, rows), activation);  // (M, C)
  const Tensor queries =
      norm(dropout_if(random, transformed, dropout_probability, "position"));      // (M, C)
  const Tensor tokens = rectangle(offsets);                                        // (B, T)
  const Tensor q = to_rectangle(queries, rectangle(starts_of(rows, offsets)), 0);  // (B, R, C)
  const Tensor k = to_rectangle(hidden, tokens, 0);                                // (B, T, C)
  const int64_t B = tokens.dim(0), T = tokens.dim(1), N = hidden.dim(0);
  Tensor absent(Shape{B, 1, T});
  for (int64_t i = 0; i < B * T; ++i) {
    absent.data<float>()[i] = tokens.data<int32_t>()[i] == N ? static_cast<float>(kNever) : 0.0f;
  }
  const Tensor products = scale(matmul(q, k, false, true), factor);  // (B, R, T)
  return add(add(products, slice(bias.value, 0, 0, T)), like(hidden, absent));
}

Tensor PositionHead::loss(const Tensor& hidden, const Tensor& offsets, const Tensor& rows,
                          const Tensor& labels, const Random* random) const {
  const Tensor s = scores(hidden, offsets, rows, random);  // (B, R, T)
  const int64_t B = s.dim(0), R = s.dim(1), T = s.dim(2);
  return cross_entropy(reshape(s, {B * R, T}), labels_of_scores(offsets, rows, labels));
}

Tensor PositionHead::labels_of_scores(const Tensor& offsets, const Tensor& rows,
                                      const Tensor& labels) {
  const Tensor places = rectangle(starts_of(rows, offsets));  // (B, R), M where there is none
  const int64_t M = rows.dim(0);
  Tensor wanted = full(Shape{places.size()}, kIgnore, Dtype::i32);
  for (int64_t i = 0; i < places.size(); ++i) {
    const int32_t place = places.data<int32_t>()[i];
    if (place < M) wanted.data<int32_t>()[i] = labels.data<int32_t>()[place];
  }
  return wanted;
}

}  // namespace ink
