// Results of micro-batches as JSON, to all processes and back.
#include "autograd/micro_batches.h"

#include <algorithm>
#include <cmath>
#include <string>

namespace ink {
namespace {

// Pairs, in which names may come again and keep their order.
Json pairs_of(const Metrics& metrics) {
  Json all = Json::make_array();
  for (const auto& [name, value] : metrics)
    all.append(Json::make_array({name, finite_or_null(value)}));
  return all;
}

std::string text_of(const std::vector<MicroResult>& results) {
  Json all = Json::make_array();
  for (const MicroResult& r : results)
    all.append(Json::make_array(
        {r.number, r.loss, r.weight, r.tokens, to_json(r.metrics), pairs_of(r.measures)}));
  return all.to_string();
}

void append_from(const std::string& text, std::vector<MicroResult>& results) {
  const Json all = parse_json(text, "a message of another process");
  for (const Json& r : all.items()) {
    MicroResult& result = results.emplace_back(
        MicroResult{r.integer(0), r.real(1), r.real(2), r.integer(3), metrics_from(r.object(4))});
    for (const Json& pair : r.array(5).items())
      result.measures.emplace_back(pair.string(0), pair.real(1, std::nan("")));
  }
}

}  // namespace

std::optional<std::vector<MicroResult>> share_results(Communicator& processes,
                                                      const std::vector<MicroResult>& mine,
                                                      bool whole) {
  if (processes.size() == 1) return whole ? std::optional(mine) : std::nullopt;
  std::vector<MicroResult> all;
  for (const std::string& text : processes.gather(whole ? text_of(mine) : std::string())) {
    if (text.empty()) return std::nullopt;
    append_from(text, all);
  }
  std::ranges::sort(all, {}, &MicroResult::number);
  return all;
}

}  // namespace ink
