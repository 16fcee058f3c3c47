// Temperatures by row.
#include "compress/losses/temperature.h"

#include "autograd/tape.h"
#include "tensor/error.h"
#include "tensor/ops.h"

namespace ink {
namespace {

using Kind = TemperatureSchedule::Kind;
constexpr double kLengthFloor = 1e-4, kLargestFloor = 1e-3, kLeastShare = 0.1;

Tensor length(const Tensor& rows) { return shift(sqrt(sum(square(rows), -1)), kLengthFloor); }

Tensor flsw_weights(const Tensor& s, const Tensor& t, double gamma) {
  const Tensor cosine = divide(sum(multiply(s, t), -1), multiply(length(s), length(t)));
  const Tensor distance = shift(scale(cosine, -1), 1);  // above 0: lengths are measured too long
  return gamma == 1 ? distance : exp(scale(log(distance), gamma));
}

Tensor cwsm_weights(const Tensor& s) {
  const Tensor largest = shift(maximum(softmax(s), -1), kLargestFloor);
  return divide(full({}, 1, s.dtype(), s.device()), largest);
}

}  // namespace

Tensor row_temperatures(const TemperatureSchedule& schedule, const Tensor& student,
                        const Tensor& teacher, double base, bool bounded) {
  const Pause pause;
  check(student.shape() == teacher.shape() && student.rank() >= 2,
        "temperature: student and teacher should have logits of one shape, got ", student.shape(),
        " and ", teacher.shape());
  const Tensor s = reshape(student, {-1, student.dim(-1)}),
               t = reshape(teacher, {-1, student.dim(-1)});
  if (schedule.kind == Kind::none || s.size() == 0)
    return full({s.dim(0)}, base, s.dtype(), s.device());
  const Tensor w =
      schedule.kind == Kind::flsw ? flsw_weights(s, t, schedule.gamma) : cwsm_weights(s);
  const Tensor temperatures = shift(scale(subtract(mean(w), w), schedule.beta), base);
  const double least = kLeastShare * base;
  return bounded ? shift(relu(shift(temperatures, -least)), least) : temperatures;
}

}  // namespace ink
