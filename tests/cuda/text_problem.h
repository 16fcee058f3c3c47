// A small BERT that tests train on the CUDA device, with and without recorded steps: masked tokens
// and pairs, with dropout, on batches of a few shapes.
#pragma once
#include <algorithm>
#include <functional>
#include <vector>

#include "autograd/tape.h"
#include "autograd/trainer.h"
#include "nn/model.h"
#include "nn/replay.h"
#include "tensor/op.h"
#include "tensor/ops.h"

namespace ink {

struct TextProblem {
  static constexpr int64_t kWords = 40;

  struct Batch {
    Packed inputs;
    Tensor rows, labels, pair_labels, factor;  // factor: f32 (1), of the loss
  };

  Dtype dtype;
  Model model;
  Optimizer optimizer;
  std::vector<std::vector<int64_t>> lengths = {{7, 12, 5}, {16, 8}};  // of batches, in turn
  std::function<void(int64_t number, Batch& batch)> changed = [](int64_t, Batch&) {};
  bool recomputes = false;

  explicit TextProblem(Dtype t = Dtype::f32)
      : dtype(t),
        model(config(), {.pooler = true, .masked_lm = true, .pair = true},
              random_values(Random(1))),
        optimizer(model.parameters) {
    optimizer.place(model.parameters, Device::cuda, dtype);
  }

  static ModelConfig config() {
    ModelConfig c;
    c.vocab_size = kWords;
    c.hidden_size = 32;
    c.head_size = 16;
    c.max_position_embeddings = 20;
    c.initializer_range = 0.1;
    c.set_layers(2, 2, 48);
    return c;
  }

  // Other numbers in every batch.
  Batch batch(int64_t number) const {
    const auto seed = 10 * static_cast<uint64_t>(number);
    std::vector<std::vector<int32_t>> ids, segments;
    std::vector<int32_t> rows;
    int32_t first = 0;
    for (const int64_t n : lengths[static_cast<size_t>(number) % lengths.size()]) {
      const uint64_t own = seed + ids.size();
      ids.push_back(to_vector<int32_t>(randint({n}, own, 0, kWords)));
      segments.push_back(to_vector<int32_t>(randint({n}, own + 5, 0, 2)));
      for (int32_t i = 1 + static_cast<int32_t>(own % 2); i < n; i += 4) rows.push_back(first + i);
      first += static_cast<int32_t>(n);
    }
    const auto M = std::ssize(rows), B = std::ssize(ids);
    Batch made{pack(ids, segments), from(rows), randint({M}, seed + 8, 0, kWords),
               randint({B}, seed + 9, 0, 2), full({1}, 1)};
    changed(number, made);
    return made;
  }

  // What the host knows of it: rows that are filled up count for nothing.
  static MicroLoss known_of(const Batch& b) {
    const auto labels = to_vector<int32_t>(b.labels);
    const auto filled = std::ranges::count(labels, kIgnore);
    const auto rows = static_cast<double>(std::ssize(labels) - filled);
    return {.weight = rows,
            .tokens = b.inputs.tokens() - filled,
            .metrics = {{"rows", rows}},
            .measures = {{.name = "pair", .value = {}, .factor = 1 / rows}}};
  }

  MicroLoss loss_of(const Batch& b, const Random& random) const {
    EncoderOptions encoder{.random = &random};
    if (recomputes) encoder.run_layer = recompute;
    const Tensor hidden = model.body(b.inputs, encoder).hidden;
    const Tensor words = model.masked_lm->loss(hidden, b.rows, b.labels);
    const Tensor pair = model.pair->loss(model.body.pool(hidden, b.inputs.offsets), b.pair_labels);
    MicroLoss made = known_of(b);
    made.loss = multiply(add(words, pair), view(to(b.factor, Device::cuda), {}, {}, 0));
    made.measures[0].value = pair;
    return made;
  }

  TrainingHooks hooks() const {
    TrainingHooks h;
    h.loss = [this](int64_t i, const Random& random) { return loss_of(batch(i), random); };
    h.replayable.inputs = [this](int64_t i) {
      const Batch b = batch(i);
      MicroInputs in{.tensors = tensors_of(b.inputs),
                     .structure = structure_of(model, b.inputs),
                     .known = known_of(b)};
      in.tensors.insert(in.tensors.end(), {b.rows, b.labels, b.pair_labels, b.factor});
      return in;
    };
    h.replayable.loss = [this](const MicroInputs& in, const Random& random) {
      const Tensor* own = in.tensors.data() + kPackedTensors;
      return loss_of({packed_from(in.tensors), own[0], own[1], own[2], own[3]}, random);
    };
    return h;
  }

  TrainingResult train(const TrainerOptions& options, const TrainingHooks& h) {
    return ink::train(model.parameters, optimizer, {.peak = 0.01, .warmup = 3, .steps = 60},
                      options, h);
  }
  std::vector<Tensor> values() const {
    std::vector<Tensor> all;
    for (const Parameter& p : model.parameters) all.push_back(to(p.value, Device::cpu));
    for (const NamedTensor& t : optimizer.state()) all.push_back(to(t.value, Device::cpu));
    return all;
  }
};

}  // namespace ink
