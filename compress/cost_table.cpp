// Timing sublayers, interpolating, and the table as a file.
#include "compress/cost_table.h"

#include <algorithm>
#include <functional>
#include <memory>
#include <set>

#include "autograd/tape.h"
#include "nn/session.h"
#include "tasks/latency.h"
#include "tensor/error.h"
#include "tensor/file.h"
#include "tensor/keys.h"
#include "tensor/parallel.h"
#include "tensor/simd.h"

namespace ink {
namespace {

constexpr int64_t kPoints = 8;       // of heads, and of neurons, beside the smallest
constexpr int64_t kNeuronStep = 16;  // a width that every kernel works well with
constexpr double kSeconds = 6;       // of timing, where more than the fewest rounds fit in
constexpr int64_t kFewestRounds = 5, kMostRounds = 41;
constexpr size_t kLongestFile = size_t{1} << 20;

int64_t widest(const std::vector<int64_t>& sizes) {
  return sizes.empty() ? 0 : *std::ranges::max_element(sizes);
}

// The smallest, then eighths of `most`, rounded up to a multiple of `step`.
std::set<int64_t> sizes_up_to(int64_t most, int64_t step) {
  std::set<int64_t> sizes = {std::min(step, most)};
  for (int64_t k = 1; k <= kPoints; ++k) {
    const int64_t size = (most * k + kPoints - 1) / kPoints;
    sizes.insert(std::min(most, (size + step - 1) / step * step));
  }
  return sizes;
}

// A layer of so many heads and neurons with random weights, laid out for inference.
struct TimedLayer {
  Parameters parameters;
  EncoderLayer layer;

  TimedLayer(const ModelConfig& config, int64_t heads, int64_t neurons)
      : layer(Scope(parameters, random_values(Random(1))) / "layer", config.family->layer, config,
              heads, neurons) {
    layer.attention.pack();
    layer.intermediate.pack();
    layer.output.pack();
  }

  void feed_forward(const Tensor& x) const {
    layer.norm(layer.output(layer.intermediate(x, layer.activation)), x);
  }
};

void make_monotone(std::vector<CostTable::Point>& points) {
  for (size_t i = 1; i < points.size(); ++i)
    points[i].milliseconds = std::max(points[i].milliseconds, points[i - 1].milliseconds);
}

double at(const std::vector<CostTable::Point>& points, int64_t size) {
  check(!points.empty(), "cost table: expected points, got none");
  const auto above = std::ranges::lower_bound(points, size, {}, &CostTable::Point::size);
  if (above == points.begin()) return above->milliseconds;
  if (above == points.end()) return points.back().milliseconds;
  const auto& below = *std::prev(above);
  const double share =
      static_cast<double>(size - below.size) / static_cast<double>(above->size - below.size);
  return below.milliseconds + share * (above->milliseconds - below.milliseconds);
}

int64_t rounds_for(double milliseconds_a_round) {
  const auto fit = static_cast<int64_t>(1e3 * kSeconds / std::max(milliseconds_a_round, 1e-3));
  return std::clamp(fit, kFewestRounds, kMostRounds);
}

Json points_to_json(const std::vector<CostTable::Point>& points, const char* what) {
  Json list = Json::make_array();
  for (const CostTable::Point& p : points)
    list.append(Json::make_object({{what, p.size}, {"milliseconds", p.milliseconds}}));
  return list;
}

std::vector<CostTable::Point> points_from(const Json& list, const char* what) {
  std::vector<CostTable::Point> points;
  for (size_t i = 0; i < list.size(); ++i) {
    const Json& point = list.object(i);
    check_keys(point, {what, "milliseconds"});
    points.push_back({point.integer_between(what, 1, 1 << 20), point.real("milliseconds")});
    check(points.back().milliseconds >= 0, "", point.where("milliseconds"),
          ": expected a time, got ", points.back().milliseconds);
    check(i == 0 || points[i - 1].size < points[i].size, "", point.where(what),
          ": expected sizes in ascending order");
  }
  check(!points.empty(), "", list.where(), ": expected points, got none");
  make_monotone(points);
  return points;
}

}  // namespace

void CostTable::check_timed(const ModelConfig& c) {
  check(c.family->body_kind == BodyKind::bert, "cost table: the sublayers of ",
        c.family->model_type,
        " are not timed one by one; expected a target of parameters or "
        "megabytes");
  check(working_place().device == Device::cpu,
        "cost table: times are of the CPU; expected --device cpu");
}

CostTable CostTable::measure(const ModelConfig& c, int64_t batch, int64_t length) {
  check_timed(c);
  check(length <= c.longest(), "cost table: expected a length of at most ", c.longest(), ", got ",
        length);
  CostTable table{.batch = batch,
                  .length = length,
                  .hidden_size = c.hidden_size,
                  .head_size = c.head_size,
                  .activation = name_of(c.hidden_act),
                  .kernels = simd::name_of(simd::level()),
                  .threads = ink::threads(),
                  .attention = {},
                  .ffn = {}};
  const Pause pause;
  const Packed tokens = uniform_batch(batch, length);
  const Tensor x = randn({batch * length, c.hidden_size}, 1, Dtype::f32);
  std::vector<std::unique_ptr<TimedLayer>> layers;
  std::vector<std::function<void(int64_t)>> calls;
  for (const int64_t heads : sizes_up_to(widest(c.heads_per_layer), 1)) {
    table.attention.push_back({.size = heads});
    layers.push_back(std::make_unique<TimedLayer>(c, heads, 1));
    calls.emplace_back([&x, &tokens, layer = layers.back().get()](int64_t) {
      layer->layer.attention(x, tokens.offsets, nullptr);
    });
  }
  for (const int64_t neurons : sizes_up_to(widest(c.ffn_per_layer), kNeuronStep)) {
    table.ffn.push_back({.size = neurons});
    layers.push_back(std::make_unique<TimedLayer>(c, 1, neurons));
    calls.emplace_back([&x, layer = layers.back().get()](int64_t) { layer->feed_forward(x); });
  }
  ModelConfig without_layers = c;
  without_layers.heads_per_layer.clear();
  without_layers.ffn_per_layer.clear();
  const Session embeddings(Model(without_layers, {}, random_values(Random(1))));
  calls.emplace_back([&](int64_t) { embeddings.encode(tokens); });

  double once = 0;
  for (const double ms : median_milliseconds(calls, 1, 1)) once += ms;
  const std::vector<Latency> times = latencies(calls, rounds_for(once), 0);
  size_t next = 0;
  for (std::vector<Point>* points : {&table.attention, &table.ffn}) {
    for (Point& point : *points) point.milliseconds = times[next++].quickest;
    make_monotone(*points);
  }
  table.rest = times[next].quickest;
  return table;
}

double CostTable::of_heads(int64_t heads) const { return at(attention, heads); }
double CostTable::of_neurons(int64_t neurons) const { return at(ffn, neurons); }

bool CostTable::reaches(const ModelConfig& config) const {
  return attention.back().size >= widest(config.heads_per_layer) &&
         ffn.back().size >= widest(config.ffn_per_layer);
}

double CostTable::of_model(const ModelConfig& config) const {
  double sum = rest;
  const int64_t runs = config.shared.groups > 0 ? config.shared.inner : 1;
  for (size_t l = 0; l < config.heads_per_layer.size(); ++l)
    sum += static_cast<double>(runs) *
           (of_heads(config.heads_per_layer[l]) + of_neurons(config.ffn_per_layer[l]));
  return sum;
}

void CostTable::check_fits(const ModelConfig& config, int64_t of_batch, int64_t of_length,
                           const std::string& where) const {
  const auto same = [&](const char* key, const auto& got, const auto& wanted) {
    check(got == wanted, "", where, ": ", key, ": expected ", wanted, ", got ", got,
          "; measure it anew (leave \"table\" out)");
  };
  same("batch", batch, of_batch);
  same("length", length, of_length);
  same("hidden_size", hidden_size, config.hidden_size);
  same("head_size", head_size, config.head_size);
  same("activation", activation, std::string(name_of(config.hidden_act)));
  same("threads", threads, ink::threads());
  same("kernels", kernels, std::string(simd::name_of(simd::level())));
  check(reaches(config), "", where, ": expected times up to ", widest(config.heads_per_layer),
        " heads and ", widest(config.ffn_per_layer), " neurons, got up to ", attention.back().size,
        " and ", ffn.back().size);
}

CostTable CostTable::read(const std::filesystem::path& file) {
  const Json json = parse_json(read_file(file, kLongestFile), file.string());
  check_keys(json, {"batch", "length", "hidden_size", "head_size", "activation", "threads",
                    "kernels", "rest_milliseconds", "attention", "ffn"});
  constexpr int64_t kMost = 1 << 20;
  return {.batch = json.integer_between("batch", 1, kMost),
          .length = json.integer_between("length", 1, kMost),
          .hidden_size = json.integer_between("hidden_size", 1, kMost),
          .head_size = json.integer_between("head_size", 1, kMost),
          .activation = json.string("activation"),
          .kernels = json.string("kernels"),
          .threads = static_cast<int>(json.integer_between("threads", 1, kMost)),
          .rest = json.real("rest_milliseconds"),
          .attention = points_from(json.array("attention"), "heads"),
          .ffn = points_from(json.array("ffn"), "neurons")};
}

Json CostTable::to_json() const {
  return Json::make_object({{"batch", batch},
                            {"length", length},
                            {"hidden_size", hidden_size},
                            {"head_size", head_size},
                            {"activation", activation},
                            {"threads", threads},
                            {"kernels", kernels},
                            {"rest_milliseconds", rest},
                            {"attention", points_to_json(attention, "heads")},
                            {"ffn", points_to_json(ffn, "neurons")}});
}

}  // namespace ink
