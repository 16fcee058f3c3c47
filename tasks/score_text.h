// Scores for people: shares as per cent, correlations as they are.
#pragma once
#include <string>
#include <string_view>

namespace ink {

// Of a metric's name ("pearson"), or in words ("Pearson correlation").
bool is_correlation(std::string_view metric);

// The score of a task that is judged by `metric`: "91.20 %", or "0.1371".
std::string score_text(std::string_view metric, double score);

}  // namespace ink
