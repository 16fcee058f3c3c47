// Nearly equal parts, and what they come to for each kind.
#include "compress/pruning_schedule.h"

#include <numeric>

#include "compress/stream_surgery.h"
#include "tensor/error.h"

namespace ink {
namespace {

std::vector<int64_t> totals(const std::vector<int64_t>& sizes, int64_t networks, int64_t target,
                            int64_t steps) {
  if (!target) return std::vector<int64_t>(static_cast<size_t>(steps));
  const int64_t all = std::accumulate(sizes.begin(), sizes.end(), int64_t{0}) / networks;
  return schedule_totals(all, target * std::ssize(sizes), steps);
}

}  // namespace

std::vector<int64_t> schedule_totals(int64_t from, int64_t to, int64_t steps) {
  check(steps > 0, "prune: expected at least one iteration, got ", steps);
  check(0 < to && to <= from, "prune: expected a target from 1 to ", from,
        " in all layers together, got ", to);
  std::vector<int64_t> totals;
  const int64_t part = (from - to) / steps, larger = (from - to) % steps;
  for (int64_t i = 0; i < steps; ++i) totals.push_back(from -= part + (i < larger ? 1 : 0));
  return totals;
}

std::vector<ElementAim> element_aims(const PrunableSizes& sizes, const PruningConfig& config) {
  const std::vector<int64_t> heads =
      totals(sizes.heads, 1, config.target_num_of_heads, config.n_iters);
  const std::vector<int64_t> ffn =
      totals(sizes.ffn, sizes.networks, config.target_ffn_size, config.n_iters);
  std::vector<ElementAim> all;
  for (size_t i = 0; i < heads.size(); ++i) {
    const ElementAim head_step{.heads = heads[i]}, ffn_step{.ffn = ffn[i]};
    switch (config.pruning_order) {
      case PruningOrder::together: all.push_back({heads[i], ffn[i]}); break;
      case PruningOrder::head_first: all.insert(all.end(), {head_step, ffn_step}); break;
      case PruningOrder::ffn_first: all.insert(all.end(), {ffn_step, head_step}); break;
    }
  }
  return all;
}

std::vector<int64_t> hidden_sizes(const ModelConfig& model, const PruningConfig& config) {
  const int64_t m = config.hidden_multiple_of;
  std::vector<int64_t> sizes =
      schedule_totals(model.hidden_size, config.target_hidden_size, config.n_iters);
  for (int64_t& size : sizes) {
    size = size / m * m;
    if (size > config.target_hidden_size && !projects_embeddings(model, size)) size -= m;
  }
  return sizes;
}

int64_t number_of_steps(const PruningConfig& config) {
  const bool turns = config.pruning_order != PruningOrder::together;
  return (config.drop_layers.empty() ? 0 : 1) +
         config.n_iters *
             ((config.target_num_of_layers ? 1 : 0) + (config.target_hidden_size ? 1 : 0) +
              (config.elements_go() ? turns ? 2 : 1 : 0));
}

}  // namespace ink
