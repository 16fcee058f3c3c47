// Tiny models and batches for the tests of compression.
#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "nn/model.h"
#include "tasks/classification.h"
#include "tensor/op.h"
#include "tests/tasks/helpers.h"
#include "tests/tasks/toy_task.h"

namespace ink {

// What another toolkit's own runs gave: runs.json, runs.safetensors (tools/golden/toolkits.py).
inline std::filesystem::path runs_of(const std::string& toolkit) {
  return std::filesystem::path(INK_SOURCE_DIR) / "tests" / "golden" / toolkit;
}

inline ModelConfig tiny_config(int64_t layers, int64_t heads, int64_t ffn, int64_t hidden = 16) {
  ModelConfig c;
  c.vocab_size = 50;
  c.hidden_size = hidden;
  c.max_position_embeddings = 20;
  c.initializer_range = 0.3;
  c.labels = {"a", "b", "c"};
  c.set_layers(layers, heads, ffn);
  return c;
}

inline Model tiny_model(const ModelConfig& config, uint64_t seed,
                        const Heads& heads = {.classification = true}) {
  return Model(
      config, heads, [seed](const std::string& name, const Shape& shape, const Initial& initial) {
        // biases too, so that nothing is zero by accident
        const double deviation = initial.kind == Initial::Kind::normal ? initial.deviation : 0.1;
        Tensor x = random_values(Random(seed))(name, shape, Initial::normal(deviation));
        if (initial.kind == Initial::Kind::ones)
          for (int64_t i = 0; i < x.size(); ++i) x.data<float>()[i] += 1;
        return x;
      });
}

// Two layers of 4 heads and 8 neurons of every family that has them; of ALBERT two that share
// their weights, of MobileBERT three networks a layer.
inline ModelConfig tiny_family(const std::string& model_type) {
  ModelConfig c = tiny_config(2, 4, 8);
  c.family = &family_of(model_type);
  if (model_type == "roberta" || model_type == "xlm-roberta") {
    c.positions_after_padding = true;
    c.pad_token_id = 1;
  }
  if (model_type == "albert") c.shared.groups = 1;
  if (model_type == "albert" || model_type == "electra") c.embedding_size = 6;
  if (model_type == "mobilebert") {
    c.hidden_size = 20;
    c.embedding_size = 6;
    c.bottlenecks.intra_bottleneck_size = 16;
    c.bottlenecks.feedforward_networks = 3;
  }
  return c;
}
inline const std::vector<std::string> kPrunableFamilies = {
    "bert", "roberta", "xlm-roberta", "electra", "albert", "distilbert", "mobilebert", "xlnet"};

inline Model in_f64(Model model) {
  for (Parameter& p : model.parameters) p.value = converted(p.value, Dtype::f64);
  return model;
}

inline FeatureBatch random_batch(const std::vector<int64_t>& lengths, uint64_t seed,
                                 int64_t vocabulary = 50, int64_t classes = 3) {
  std::vector<std::vector<int32_t>> ids, segments;
  for (size_t b = 0; b < lengths.size(); ++b) {
    ids.push_back(to_vector<int32_t>(randint({lengths[b]}, seed * 100 + b, 0, vocabulary)));
    segments.push_back(to_vector<int32_t>(randint({lengths[b]}, seed * 100 + b + 50, 0, 2)));
  }
  std::vector<int64_t> rows(lengths.size());
  for (size_t b = 0; b < rows.size(); ++b) rows[b] = static_cast<int64_t>(b);
  return {pack(ids, segments), randint({static_cast<int64_t>(lengths.size())}, seed, 0, classes),
          rows};
}

// Largest |a − b|; shapes must be equal.
inline double distance(const Tensor& a, const Tensor& b) {
  check(a.shape() == b.shape(), "distance: ", a.shape(), " and ", b.shape());
  const auto x = to_vector<double>(converted(a, Dtype::f64)),
             y = to_vector<double>(converted(b, Dtype::f64));
  double most = 0;
  for (size_t i = 0; i < x.size(); ++i) most = std::max(most, std::abs(x[i] - y[i]));
  return most;
}

// Of a model on the development examples of its toy task.
inline double accuracy_of(const ToyTask& task, const Model& model) {
  const Features dev(read_examples(task.folder / "dev.tsv"), Tokenizer::load(task.folder / "model"),
                     16);
  return evaluate(model, dev).confusion.accuracy();
}

}  // namespace ink
