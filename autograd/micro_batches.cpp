// Results of micro-batches as JSON, to all processes and back.
#include "autograd/micro_batches.h"

#include <algorithm>
#include <cmath>
#include <string>

namespace ink {
namespace {

std::string text_of(const std::vector<MicroResult>& results) {
  Json all = Json::make_array();
  for (const MicroResult& r : results)
    all.append(Json::make_array({r.number, r.loss, r.weight, r.tokens, to_json(r.metrics)}));
  return all.to_string();
}

void append_from(const std::string& text, std::vector<MicroResult>& results) {
  const Json all = parse_json(text, "a message of another process");
  for (const Json& r : all.items())
    results.push_back(
        {r.integer(0), r.real(1), r.real(2), r.integer(3), metrics_from(r.object(4))});
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
