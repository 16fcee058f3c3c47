// peak·step/warmup, then peak·f(x), x the part of the decay so far: f = 1, 1 − x or (1 + cos πx)/2.
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
  if (step < warmup) return peak * static_cast<double>(step) / static_cast<double>(warmup);
  if (decay == Decay::constant) return peak;
  const int64_t start = decay_from_zero ? 0 : warmup;
  const double x = std::min(1.0, static_cast<double>(step - start) /
                                     static_cast<double>(std::max<int64_t>(1, steps - start)));
  return decay == Decay::linear ? peak * (1 - x)
                                : peak * 0.5 * (1 + std::cos(std::numbers::pi * x));
}

Json Schedule::to_json() const {
  constexpr const char* kNames[] = {"constant", "linear", "cosine"};
  Json all = Json::make_object(
      {{"learning_rate", peak}, {"warmup", warmup}, {"decay", kNames[static_cast<int>(decay)]}});
  if (decay == Decay::constant) return all;
  all.set("schedule_steps", steps);
  all.set("decay_from_zero", decay_from_zero);
  return all;
}

}  // namespace ink
