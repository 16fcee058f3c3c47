// Which outputs of a teacher are kept on disk (compress/teacher_cache.h), and as what tensors.
//
//   logits                  (R, classes), of spans (R, 2); or with top_k, where that is less,
//                           logits.values (R, k), logits.indices i32 (R, k), logits.rest f32 (R, 1)
//   hidden.L                (N, C) for each hidden layer L that a match reads; 0: the embeddings
//   attention.L.query (or key, value)   (N, H·D) for each of those that a match reads
//
// R is the number of texts, or N, that of tokens, where every token has logits.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "compress/distillation_config.h"
#include "compress/distillation_loss.h"
#include "nn/config.h"

namespace ink {

struct CachedField {
  enum class Kind : uint8_t { logits, hidden, query, key, value };
  Kind kind = Kind::logits;
  int64_t layer = 0;
  int64_t width = 0;
  bool of_tokens = true;  // a row for each token, else for each text
  std::string name() const;
  bool operator==(const CachedField&) const = default;
};

// The logits, and of hidden states and attention what the matches read; those by optimal transport
// read all layers.
std::vector<CachedField> cached_fields(const ModelConfig& teacher, const DistillationConfig& config,
                                       const Heads& heads = {.classification = true});

// How many logits a row has: start and end, or one for each label.
int64_t logits_width(const ModelConfig& model, const Heads& heads);

// The place of a field in a model's outputs, which grow to have it.
Tensor& place_of(const CachedField& field, ModelOutputs& outputs);

// A tensor of the file, as wide and of the type as stored.
struct StoredTensor {
  std::string name;
  int64_t width;
  Dtype dtype;
};
// Those that hold a field in `dtype` (f32 or bf16), in order.
std::vector<StoredTensor> stored_tensors(const CachedField& field, Dtype dtype, int64_t top_k);
// Their values, of x f32 (rows, width) on the host, and the way back to f32.
std::vector<Tensor> stored_values(const CachedField& field, const Tensor& x, Dtype dtype,
                                  int64_t top_k);
Tensor restored_values(const CachedField& field, std::span<const Tensor> stored);

}  // namespace ink
