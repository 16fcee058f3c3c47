// Session: a model folder, loaded once for inference by any number of threads.
//
//   const Session session("model");
//   const Tensor vectors = session.embed(batch, Pooling::mean);   // (B, C)
//
// The model moves to a place, by default the working place (nn/place.h), and results lie there, in
// its type: on_host() reads them. With int8 its linear layers multiply 8-bit integers, and of their
// weights only those are kept. Weights are packed when the session is made and never change;
// nothing is recorded on a tape. All members may be called from several threads at once. On the CPU
// a sequence's result is the same bits in whatever batch it stands; on CUDA it may differ by
// rounding (docs/cuda.md).
#pragma once
#include "nn/encode_graphs.h"
#include "nn/model_folder.h"

namespace ink {

// What becomes of the hidden states of a sequence's tokens, special ones included.
enum class Pooling : uint8_t {
  mean,    // one vector: their mean
  cls,     // that of the token that stands for the whole text: the first, of XLNet the last
  pooler,  // the first token's behind the pooler
  tokens,  // a vector for each token
};
// "mean", "cls", "pooler" or "tokens"; raises Error otherwise.
Pooling pooling_from(const std::string& name);

class Session {
 public:
  // With the heads of the folder; those of `options` where given.
  explicit Session(const std::filesystem::path& folder, const LoadOptions& options = {},
                   const Place& place = working_place());
  explicit Session(Model model, const Place& place = working_place());

  Encoded encode(const Packed& batch, bool all_hidden = false) const;
  // (B, C), or (N, C) of tokens. Raises Error where pooling needs a pooler and there is none.
  Tensor embed(const Packed& batch, Pooling pooling) const;
  // Of the head the model has: classes (B, L), token classes (N, L), start and end (N, 2),
  // replaced tokens (N) or pair (B, 2).
  Tensor logits(const Packed& batch) const;
  // Of a multiple-choice head: sequences in groups of `count` → (B / count, count)
  Tensor choices(const Packed& batch, int64_t count) const;
  // Scores over the vocabulary at rows i32 (M) of the batch: (M, V)
  Tensor masked_lm(const Packed& batch, const Tensor& rows) const;
  const Model& model() const { return model_; }

 private:
  Tensor hidden(const Packed& batch) const;

  Model model_;
  std::unique_ptr<EncodeGraphs> graphs_;  // on the CUDA device
};

}  // namespace ink
