// Weight times gradient, summed over what each head or neuron owns.
#include "compress/importance.h"

#include <cmath>

#include "autograd/tape.h"
#include "compress/surgery.h"
#include "tensor/error.h"

namespace ink {
namespace {

// w ⊙ g of a matrix or vector, as f64 sums over columns (one for each row) or over rows
// (one for each column).
std::vector<double> products(const Parameter& parameter, const Gradients& gradients,
                             int kept_axis) {
  const Tensor& gradient = gradients[parameter.value];
  const Tensor& value = parameter.value;
  std::vector<double> sums(static_cast<size_t>(value.dim(kept_axis)));
  if (!gradient) return sums;
  const Tensor w = contiguous(converted(value, Dtype::f64)),
               g = contiguous(converted(gradient, Dtype::f64));
  const int64_t columns = value.rank() == 2 ? value.dim(1) : 1;
  const double *pw = w.data<double>(), *pg = g.data<double>();
  for (int64_t i = 0; i < value.size(); ++i)
    sums[static_cast<size_t>(kept_axis == 0 ? i / columns : i % columns)] += pw[i] * pg[i];
  return sums;
}

void add_absolute(std::vector<double>& into, const std::vector<double>& sums, int64_t width) {
  for (size_t i = 0; i < into.size(); ++i) {
    double sum = 0;
    for (int64_t k = 0; k < width; ++k)
      sum += sums[i * static_cast<size_t>(width) + static_cast<size_t>(k)];
    into[i] += std::abs(sum);
  }
}

void divide(Importance& scores, int64_t examples) {
  for (auto& layer : scores)
    for (double& score : layer) score /= static_cast<double>(examples);
}

}  // namespace

ImportanceScores measure_importance(const ModelConfig& config, Parameters& parameters,
                                    const ImportanceOptions& options,
                                    const std::function<Tensor(int64_t batch)>& loss) {
  check(options.batches > 0 && options.examples > 0,
        "importance: expected examples to measure with, got none");
  const auto layers = prunable_layers(parameters, config);
  ImportanceScores scores;
  for (size_t l = 0; l < layers.size(); ++l) {
    scores.heads.emplace_back(static_cast<size_t>(config.heads_per_layer[l]));
    scores.ffn.emplace_back(static_cast<size_t>(config.ffn_per_layer[l]));
  }
  for (int64_t batch = 0; batch < options.batches; ++batch) {
    Tape tape;
    for (const auto& layer : layers) {
      tape.watch(layer.attention_output->value);
      tape.watch(layer.ffn_output->value);
      if (!options.input_gate) continue;
      tape.watch(layer.ffn_input_weight->value);
      tape.watch(layer.ffn_input_bias->value);
    }
    const Tensor value = loss(batch);
    check(std::isfinite(value.item()), "importance: the loss of batch ", batch,
          " is not finite: ", value.item());
    const Gradients gradients = tape.backward(value);
    for (size_t l = 0; l < layers.size(); ++l) {
      add_absolute(scores.heads[l], products(*layers[l].attention_output, gradients, 1),
                   config.head_size);
      add_absolute(scores.ffn[l], products(*layers[l].ffn_output, gradients, 1), 1);
      if (!options.input_gate) continue;
      std::vector<double> before = products(*layers[l].ffn_input_weight, gradients, 0);
      const std::vector<double> bias = products(*layers[l].ffn_input_bias, gradients, 0);
      for (size_t j = 0; j < before.size(); ++j) before[j] += bias[j];
      add_absolute(scores.ffn[l], before, 1);
    }
  }
  divide(scores.heads, options.examples);
  divide(scores.ffn, options.examples);
  return scores;
}

}  // namespace ink
