// Which depth a parameter has, by its name.
#include "tasks/layer_rates.h"

#include <charconv>
#include <cmath>
#include <string_view>

#include "tensor/error.h"

namespace ink {
namespace {

// Whether `name` begins with "path."; takes that off it.
bool take_path(std::string_view& name, std::string_view path) {
  if (!name.starts_with(path) || name.size() <= path.size() || name[path.size()] != '.')
    return false;
  name.remove_prefix(path.size() + 1);
  return true;
}

// 0: embeddings, i + 1: layer i, L + 2: what stands above the layers.
int64_t depth_of(std::string_view name, const ModelConfig& config) {
  const Family& family = *config.family;
  const int64_t top = config.layers() + 2;
  if (!take_path(name, family.prefix)) return top;
  if (take_path(name, family.layers)) {
    int64_t layer = 0;
    std::from_chars(name.data(), name.data() + name.size(), layer);
    return layer + 1;
  }
  return family.pooler && take_path(name, family.pooler) ? top : 0;
}

}  // namespace

void decay_rates_by_layer(Parameters& parameters, const ModelConfig& config, double decay) {
  check(decay > 0 && decay <= 1, "finetune: expected a layer_decay above 0 and at most 1, got ",
        decay);
  if (decay == 1) return;
  check(config.shared.groups == 0 && config.layers() > 0, "finetune: layers of ",
        config.family->model_type, " share their weights; expected a layer_decay of 1");
  for (Parameter& p : parameters)
    p.rate *= std::pow(decay, static_cast<double>(config.layers() + 2 - depth_of(p.name, config)));
}

}  // namespace ink
