// peak·min(1, step/warmup)·f(x), x the part of the decay so far: f = 1, 1 − x or (1 + cos πx)/2.
#include "autograd/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "tensor/error.h"

namespace ink {

double Schedule::at(int64_t step) const {
  check(peak >= 0 && std::isfinite(peak), "schedule: the peak should be a number from 0 on, got ",
        peak);
  check(warmup >= 0 && (decay == Decay::constant || warmup <= steps),
        "schedule: the warm-up should take 0 to ", steps, " steps, got ", warmup);
  check(step >= 0, "schedule: steps count from 0, got ", step);
  const double top =
      step < warmup ? peak * static_cast<double>(step) / static_cast<double>(warmup) : peak;
  const bool falls = step >= warmup || decay_from == DecayFrom::zero_throughout;
  if (decay == Decay::constant || !falls) return top;
  const int64_t start = decay_from == DecayFrom::warmup_end ? warmup : 0;
  const double x = std::min(1.0, static_cast<double>(step - start) /
                                     static_cast<double>(std::max<int64_t>(1, steps - start)));
  return decay == Decay::linear ? top * (1 - x) : top * 0.5 * (1 + std::cos(std::numbers::pi * x));
}

Json Schedule::to_json() const {
  constexpr const char* kNames[] = {"constant", "linear", "cosine"};
  Json all = Json::make_object(
      {{"learning_rate", peak}, {"warmup", warmup}, {"decay", kNames[static_cast<int>(decay)]}});
  if (decay == Decay::constant) return all;
  all.set("schedule_steps", steps);
  constexpr const char* kFrom[] = {"warmup_end", "zero", "zero_throughout"};
  all.set("decay_from", kFrom[static_cast<int>(decay_from)]);
  return all;
}

}  // namespace ink
