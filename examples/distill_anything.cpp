// Networks of one's own as teacher and student: nothing is asked of them but what they say.
#include <iostream>

#include "inkstone.h"

struct Network {  // points (B, 2) → hidden states (B, width) → scores of two classes (B, 2)
  ink::Linear first, second;
  Network(const ink::Scope& at, int64_t width)
      : first(at / "first", 2, width, 1), second(at / "second", width, 2, 1) {}
  ink::ModelOutputs operator()(const ink::Tensor& points) const {
    const ink::Tensor hidden = first(points, ink::Activation::tanh);
    return {.logits = second(hidden), .hidden = {hidden}};
  }
};

int main() {
  ink::Parameters big, small;
  const Network teacher({big, ink::random_values(ink::Random(1))}, 64);
  const Network student({small, ink::random_values(ink::Random(2))}, 8);
  const ink::IntermediateMatch projected{.student_size = 8, .teacher_size = 64};
  ink::Distiller distiller({.intermediate_matches = {projected}}, small);
  const auto points = [draw = ink::random_values(ink::Random(3))](int64_t micro_batch) {
    return draw(std::to_string(micro_batch), {32, 2}, ink::Initial::normal(1));
  };
  const ink::Adaptors<ink::Tensor> adaptors{
      .student = [&](const auto& x, const ink::Random&) { return student(x); },
      .teachers = {teacher}};
  const auto end = distiller.train<ink::Tensor>(adaptors, points, {.steps = 400}, {.steps = 400});
  std::cout << "loss after 400 steps: " << end.loss << '\n';
}
