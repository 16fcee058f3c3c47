// How well two rows of numbers go together: by their values, and by their order.
#pragma once
#include <span>

namespace ink {

// r = Σ (x − x̄)(y − ȳ) / √(Σ (x − x̄)² · Σ (y − ȳ)²), from −1 to 1 (Pearson 1895); 0 where x or y
// does not vary. Raises Error unless there are as many of both.
double pearson(std::span<const double> x, std::span<const double> y);

// The same of their ranks, where equal numbers share the mean of theirs (Spearman 1904).
double spearman(std::span<const double> x, std::span<const double> y);

}  // namespace ink
