// PruningTarget from and to JSON.
#include "compress/pruning_target.h"

#include <array>
#include <cmath>

#include "tensor/error.h"
#include "tensor/keys.h"

namespace ink {
namespace {

constexpr std::array<const char*, 4> kKinds = {"parameters", "megabytes", "latency_ms", "speedup"};
constexpr int64_t kMostSequences = 1 << 16, kLongest = 1 << 20;

}  // namespace

PruningTarget PruningTarget::from_json(const Json& json) {
  check_keys(json,
             {"parameters", "megabytes", "latency_ms", "speedup", "batch", "length", "table"});
  PruningTarget target;
  int kinds = 0;
  for (size_t k = 0; k < kKinds.size(); ++k) {
    if (!json.has(kKinds[k])) continue;
    ++kinds;
    target.kind = static_cast<Kind>(k);
    target.value = json.real(kKinds[k]);
    check(std::isfinite(target.value) && target.value > 0, "", json.where(kKinds[k]),
          ": expected a number above 0, got ", target.value);
  }
  check(kinds == 1, "", json.where(),
        ": expected one of parameters, megabytes, latency_ms and speedup, got ", kinds);
  check(target.kind != Kind::parameters || target.value <= 1 ||
            target.value == std::floor(target.value),
        "", json.where("parameters"),
        ": expected a share of at most 1, or above 1 a whole number of them, got ", target.value);
  check(target.kind != Kind::speedup || target.value > 1, "", json.where("speedup"),
        ": expected a number above 1, got ", target.value);
  for (const char* key : {"batch", "length", "table"})
    check(target.timed() || !json.has(key), "", json.where(key),
          ": is of latency_ms and speedup alone");
  if (json.has("batch")) target.batch = json.integer_between("batch", 1, kMostSequences);
  if (json.has("length")) target.length = json.integer_between("length", 1, kLongest);
  target.table = json.string("table", "");
  return target;
}

Json PruningTarget::to_json() const {
  Json json = Json::make_object({{kKinds[static_cast<size_t>(kind)], value}});
  if (!timed()) return json;
  json.set("batch", batch).set("length", length);
  if (!table.empty()) json.set("table", table.string());
  return json;
}

}  // namespace ink
