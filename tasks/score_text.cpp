// By the metric's name.
#include "tasks/score_text.h"

#include <cstdio>

namespace ink {

bool is_correlation(std::string_view metric) {
  return metric == "pearson" || metric == "spearman" || metric.ends_with(" correlation");
}

std::string score_text(std::string_view metric, double score) {
  char text[32];
  if (is_correlation(metric))
    std::snprintf(text, sizeof text, "%.4f", score);
  else
    std::snprintf(text, sizeof text, "%.2f %%", 100 * score);
  return text;
}

}  // namespace ink
