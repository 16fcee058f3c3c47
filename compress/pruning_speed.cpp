// Two sessions in turns.
#include "compress/pruning_speed.h"

#include <algorithm>
#include <functional>

#include "compress/values.h"
#include "nn/session.h"
#include "tensor/error.h"
#include "tensor/parallel.h"
#include "tensor/simd.h"

namespace ink {
namespace {

constexpr double kSeconds = 8;
constexpr int64_t kFewestRounds = 7, kMostRounds = 101;

Session body_of(const Model& model) {
  return Session(Model(model.config, {}, values_of(model.parameters)));
}

}  // namespace

PruningSpeed measure_speed(const Model& before, const Model& after, int64_t batch, int64_t length,
                           std::optional<CostTable>& table) {
  check(length <= after.config.longest(), "speed: expected a length of at most ",
        after.config.longest(), ", got ", length);
  const bool timed =
      after.config.family->body_kind == BodyKind::bert && working_place().device == Device::cpu;
  if (timed && (!table || table->batch != batch || table->length != length))
    table = CostTable::measure(
        before.config.hidden_size == after.config.hidden_size ? before.config : after.config, batch,
        length);
  PruningSpeed speed{.batch = batch,
                     .length = length,
                     .threads = threads(),
                     .kernels = simd::name_of(simd::level())};
  if (timed) speed.predicted_after = table->of_model(after.config);
  if (timed && table->hidden_size == before.config.hidden_size && table->reaches(before.config))
    speed.predicted_before = table->of_model(before.config);

  const Session whole = body_of(before), smaller = body_of(after);
  const Packed tokens = uniform_batch(batch, length);
  const std::vector<std::function<void(int64_t)>> calls = {
      [&](int64_t) { on_host(whole.encode(tokens).hidden); },
      [&](int64_t) { on_host(smaller.encode(tokens).hidden); }};
  const std::vector<double> once = median_milliseconds(calls, 1, 1);
  const auto fit = static_cast<int64_t>(1e3 * kSeconds / std::max(once[0] + once[1], 1e-3));
  const std::vector<Latency> times =
      latencies(calls, std::clamp(fit, kFewestRounds, kMostRounds), 1);
  speed.before = times[0];
  speed.after = times[1];
  return speed;
}

Json to_json(const PruningSpeed& speed) {
  Json json = Json::make_object({{"batch", speed.batch},
                                 {"length", speed.length},
                                 {"threads", speed.threads},
                                 {"kernels", speed.kernels},
                                 {"measured_before_ms", speed.before.median},
                                 {"measured_after_ms", speed.after.median},
                                 {"quickest_before_ms", speed.before.quickest},
                                 {"quickest_after_ms", speed.after.quickest}});
  if (speed.predicted_before) json.set("predicted_before_ms", *speed.predicted_before);
  if (speed.predicted_after) json.set("predicted_after_ms", *speed.predicted_after);
  return json;
}

}  // namespace ink
