// The curves of one training run, as cards of a report.
#pragma once
#include <string>
#include <vector>

#include "tensor/json.h"

namespace ink::cli {

// The lines of a training log → HTML. Losses and accuracies of different objectives are different
// things, even where they share a name elsewhere: each has a panel of its own, in which training
// and held-out text are asked the same.
std::string curves_of(const std::vector<Json>& log);

}  // namespace ink::cli
