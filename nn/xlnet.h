// XlnetBody: a transformer that knows distances instead of positions (Yang et al. 2019; Dai et al.
// 2019).
//
// The score of token i for token j of its sequence is
//
//   [(q_i + r_w)·k_j + (q_i + r_r)·(W_r R_{i−j}) + (q_i + r_s)·s] / √D
//
// with R a table of sines and cosines of the distance and s one of two vectors: i and j are of the
// same segment, or not. Nothing is added to the embeddings.
//
// For pre-training there is a second stream: the content stream h sees the token at its own
// position, the query stream g starts from one learned vector and sees the others only, as far as
// the order of the permutation allows. Both use the same weights; fine-tuning uses h alone.
#pragma once
#include <vector>

#include "nn/encoder.h"
#include "tensor/packed.h"

namespace ink {

// What both streams of a layer look at.
struct RelativeContext {
  const Packed& batch;
  // For each sequence (T, T): 1 where two tokens are of different segments, else 0.
  std::vector<Tensor> differences;
  Tensor distances;  // (2T − 1, C): R from distance T − 1 down to −(T − 1), T the longest sequence
  // For each sequence (T, T): what is added to its scores; undefined: nothing.
  std::vector<Tensor> masks;
};

struct RelativeSelfAttention {
  int64_t heads, head_size;
  double dropout;                                       // of probabilities and of the output
  Parameter &query, &key, &value, &output, &place;      // q, k, v, o, r: (C, H, D)
  Parameter &content_bias, &place_bias, &segment_bias;  // r_w, r_r, r_s: (H, D)
  Parameter& segments;                                  // (2, H, D): same, different
  LayerNorm norm;
  struct {
    Int8Weight query, key, value, output;
  } quantized;  // instead of the parameters, where they were quantised

  RelativeSelfAttention(const Scope& scope, const ModelConfig& config, int64_t heads);
  // LN(x + o(attention)): queries are of x, keys and values of `seen`.
  Tensor operator()(const Tensor& x, const Tensor& seen, const RelativeContext& context,
                    const Random* random, AttentionInputs* inputs = nullptr,
                    const LayerGates* gates = nullptr) const;
  void quantize(Device device);  // q, k, v and o

 private:
  Tensor one_sequence(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& r,
                      const Tensor& different, const Tensor& mask, const Random* random) const;
};

struct XlnetLayer {
  RelativeSelfAttention attention;
  Linear inner, outer;  // C → F → C
  LayerNorm norm;
  Activation activation;
  double dropout;

  XlnetLayer(const Scope& scope, const ModelConfig& config, int64_t heads, int64_t ffn);
  Tensor operator()(const Tensor& x, const Tensor& seen, const RelativeContext& context,
                    const Random* random, AttentionInputs* inputs = nullptr,
                    const LayerGates* gates = nullptr) const;
};

struct XlnetStreams {
  Tensor content, query;  // (N, C)
};

struct XlnetBody {
  Embedding word;         // (V, C)
  Parameter& query_seed;  // mask_emb (1, 1, C): where the query stream starts
  std::vector<XlnetLayer> layers;
  int64_t longest;
  double dropout;
  RelativePositions relative;

  XlnetBody(const Scope& scope, const ModelConfig& config);

  // The content stream, every token seeing every token of its sequence.
  Encoded operator()(const Packed& batch, const EncoderOptions& options = {}) const;
  // Both streams. visible[b] is f32 (T, T) for sequence b of T tokens: 1 where token i may see
  // token j, else 0. The content stream sees its own position besides; the query stream never
  // does.
  XlnetStreams two_streams(const Packed& batch, const std::vector<Tensor>& visible,
                           const Random* random = nullptr) const;
  Tensor pool(const Tensor& hidden, const Tensor& offsets) const;  // raises Error: none here

  void quantize(const Place& place);  // linear layers of the encoder (nn/place.h)
  void pack();
  void unpack();

 private:
  Tensor distances(const Packed& batch, const Random* random) const;
};

}  // namespace ink
