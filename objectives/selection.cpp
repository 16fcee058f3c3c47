// Shuffled words, taken while the budget lasts.
#include "objectives/selection.h"

#include <algorithm>
#include <cmath>

#include "tensor/error.h"

namespace ink {

std::vector<TokenGroup> candidate_groups(const Instance& instance, bool whole_words) {
  std::vector<TokenGroup> groups;
  for (size_t i = 0; i < instance.ids.size(); ++i) {
    if (instance.special[i]) continue;
    const auto position = static_cast<int32_t>(i);
    if (whole_words && i > 0 && instance.continues[i] && !instance.special[i - 1]) {
      groups.back().push_back(position);
    } else {
      groups.push_back({position});
    }
  }
  return groups;
}

int64_t selection_budget(int64_t n, const SelectionOptions& options) {
  check(options.fraction > 0 && options.fraction <= 1,
        "masking: expected a fraction in (0, 1], got ", options.fraction);
  const double share = std::nearbyint(options.fraction * static_cast<double>(n));
  const int64_t budget = std::max<int64_t>(1, static_cast<int64_t>(share));
  return options.max_predictions > 0 ? std::min(budget, options.max_predictions) : budget;
}

std::vector<int32_t> select_positions(const Instance& instance, const SelectionOptions& options,
                                      Draws& draws) {
  std::vector<TokenGroup> groups = candidate_groups(instance, options.whole_words);
  draws.shuffle(groups);
  const auto budget =
      static_cast<size_t>(selection_budget(static_cast<int64_t>(instance.ids.size()), options));
  std::vector<int32_t> selected;
  for (const TokenGroup& group : groups) {
    if (selected.size() >= budget) break;
    if (selected.size() + group.size() > budget) continue;
    selected.insert(selected.end(), group.begin(), group.end());
  }
  return selected;
}

}  // namespace ink
