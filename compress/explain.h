// What is said of every distillation, whatever it is trained on.
#pragma once
#include <iosfwd>
#include <string>

#include "compress/distill.h"
#include "tensor/json.h"

namespace ink {

// Sizes of both models, what the student begins as, matches and other losses: several lines.
void print_models(std::ostream& text, const DistillPlan& plan);
Json models_to_json(const DistillPlan& plan);  // the same, and the steps
std::string in_three_digits(double value);     // "0.333", "17.3"

}  // namespace ink
