// inkstone info MODEL: sizes of its layers, parameters and bytes of its parts, and how fast it is.
#include <algorithm>
#include <cstdio>
#include <functional>
#include <memory>

#include "cli/model_option.h"
#include "cli/model_size.h"
#include "cli/terminal.h"
#include "cli/verbs.h"
#include "nn/session.h"
#include "tasks/latency.h"
#include "tensor/parallel.h"
#include "tensor/simd.h"

namespace ink::cli {
namespace {

struct Options {
  std::string model;
  bool latency = false;
};

Json print_sizes(const Model& model) {
  const ModelConfig& c = model.config;
  std::printf("%s: %s, %ld layers, hidden %ld, vocabulary %ld, %ld positions, %s\n",
              c.architectures.empty() ? "model" : c.architectures.front().c_str(),
              c.family->model_type, c.layers(), c.hidden_size, c.vocab_size, c.longest(),
              name_of(c.hidden_act));
  if (!c.labels.empty()) {
    std::printf("labels:");
    for (const std::string& label : c.labels) std::printf(" %s", label.c_str());
    std::printf("\n");
  }
  std::printf("\n%-14s %6s %6s %14s %9s %7s\n", "part", "heads", "FFN", "parameters", "MB (f32)",
              "share");
  const int64_t total = model.parameters.elements();
  Json parts = Json::make_array();
  size_t layer = 0;
  for (const Part& part : parts_of(*model.config.family, model.parameters)) {
    std::string heads, ffn;
    if (part.name.starts_with("layer ") && layer < c.heads_per_layer.size()) {
      if (c.family->keys.heads) heads = std::to_string(c.heads_per_layer[layer]);
      ffn = std::to_string(c.ffn_per_layer[layer++]);
    }
    std::printf("%-14s %6s %6s %14ld %9.2f %6.1f%%\n", part.name.c_str(), heads.c_str(),
                ffn.c_str(), part.parameters, megabytes(part.parameters),
                100.0 * static_cast<double>(part.parameters) / static_cast<double>(total));
    parts.append(Json::make_object({{"name", part.name}, {"parameters", part.parameters}}));
  }
  std::printf("%-14s %6s %6s %14ld %9.2f\n", "all", "", "", total, megabytes(total));
  return Json::make_object(
      {{"layers", c.layers()},
       {"hidden_size", c.hidden_size},
       {"heads_per_layer", Json::make_array({c.heads_per_layer.begin(), c.heads_per_layer.end()})},
       {"ffn_per_layer", Json::make_array({c.ffn_per_layer.begin(), c.ffn_per_layer.end()})},
       {"parameters", total},
       {"parts", parts}});
}

Json print_latency(const Session& session) {
  constexpr int64_t kRounds = 9;
  std::printf("\nencoding, %d threads, %s kernels, median of %ld\n%-10s %10s %12s\n", threads(),
              simd::name_of(simd::level()), kRounds, "batch", "ms", "tokens/s");
  Json rows = Json::make_array();
  const int64_t longest = session.model().config.longest();
  for (const auto& [sequences, length] :
       {std::pair<int64_t, int64_t>{1, 16}, {1, 128}, {8, 128}, {32, 128}}) {
    const int64_t T = std::min(length, longest);
    const Packed batch = uniform_batch(sequences, T);
    const std::function<void(int64_t)> encode = [&](int64_t) { session.encode(batch); };
    const double ms = median_milliseconds({&encode, 1}, kRounds, 1).front();
    std::printf("%3ld x %-4ld %10.2f %12s\n", sequences, T, ms,
                with_unit(1e3 * static_cast<double>(sequences * T) / ms).c_str());
    rows.append(Json::make_object({{"sequences", sequences}, {"length", T}, {"milliseconds", ms}}));
  }
  return rows;
}

Json run(const Options& o) {
  const Session session(o.model, {.notice = notice});
  Json json = print_sizes(session.model());
  if (o.latency) json.set("latency", print_latency(session));
  return json;
}

}  // namespace

Action declare_info(Command& command) {
  auto o = std::make_shared<Options>();
  command.path("model", o->model, kModelHelp);
  command.flag("--latency", o->latency, "also measure how fast it encodes on this machine");
  command.require("model");
  return with_model(command, o->model, [o] { return run(*o); });
}

}  // namespace ink::cli
