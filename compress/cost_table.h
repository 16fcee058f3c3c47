// CostTable: how long attention with h heads and a feed-forward part with n neurons take on this
// machine, at one batch and length.
//
// Each point is the quickest of several runs of a real sublayer (nn/encoder.h) with packed weights:
// query, key, value, attention, output and layer norm; or both weights, activation and layer norm.
// All points take turns, and the quickest run is the one that other programs disturbed least.
// Between points time is linear, and it never falls as sizes grow: a point that measured less than
// a smaller one has the smaller one's time. What a model does besides, its embeddings, is `rest`.
//
//   {"batch": 32, "length": 128, "hidden_size": 768, "head_size": 64, "activation": "gelu",
//    "threads": 2, "kernels": "avx512", "rest_milliseconds": 3.1,
//    "attention": [{"heads": 1, "milliseconds": 4.2}, …], "ffn": [{"neurons": 384, …}, …]}
#pragma once
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "nn/config.h"

namespace ink {

struct CostTable {
  struct Point {
    int64_t size = 0;
    double milliseconds = 0;
  };

  int64_t batch = 1, length = 128, hidden_size = 0, head_size = 0;
  std::string activation, kernels;
  int threads = 1;
  double rest = 0;
  std::vector<Point> attention, ffn;  // in ascending order

  // Up to the widest layer of such a model, with random weights. Takes seconds: at least 5 rounds
  // over about 17 points. Raises Error as check_timed does, and for a length that the model cannot
  // read.
  static CostTable measure(const ModelConfig& config, int64_t batch, int64_t length);
  // Raises Error unless the model is of BERT's kind and jobs work on the CPU.
  static void check_timed(const ModelConfig& config);

  double of_heads(int64_t heads) const;
  double of_neurons(int64_t neurons) const;
  bool reaches(const ModelConfig& config) const;     // as far as its widest layer
  double of_model(const ModelConfig& config) const;  // milliseconds to encode

  // Raises Error, which begins with `where`, unless the table is of such a model, batch, length,
  // kernels and number of threads, and reaches as far as its widest layer.
  void check_fits(const ModelConfig& config, int64_t batch, int64_t length,
                  const std::string& where) const;
  static CostTable read(const std::filesystem::path& file);
  Json to_json() const;
};

}  // namespace ink
