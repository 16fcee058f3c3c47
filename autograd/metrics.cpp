// Weighted means of named values, and how they are written.
#include "autograd/metrics.h"

#include <algorithm>
#include <cmath>

namespace ink {

Json finite_or_null(double x) { return std::isfinite(x) ? Json(x) : Json(nullptr); }

Json to_json(const Metrics& metrics) {
  Json all = Json::make_object();
  for (const auto& [name, value] : metrics) all.set(name, finite_or_null(value));
  return all;
}

Metrics metrics_from(const Json& object) {
  Metrics metrics;
  for (const auto& [name, value] : object.members())
    metrics.emplace_back(name, value.is_null() ? std::nan("") : value.as_real(name));
  return metrics;
}

void Means::add(const std::string& name, double value, double weight) {
  auto at = std::ranges::find(sums_, name, &Sum::name);
  if (at == sums_.end()) at = sums_.insert(at, Sum{name});
  at->total += weight * value;
  at->weight += weight;
}

void Means::add(const Metrics& metrics, double weight) {
  for (const auto& [name, value] : metrics) add(name, value, weight);
}

Metrics Means::values() const {
  Metrics means;
  for (const Sum& s : sums_) means.emplace_back(s.name, s.total / s.weight);
  return means;
}

Json Means::to_json() const {
  Json all = Json::make_array();
  for (const Sum& s : sums_)
    all.append(Json::make_array({s.name, finite_or_null(s.total), s.weight}));
  return all;
}

void Means::restore(const Json& all) {
  sums_.clear();
  for (const Json& s : all.items())
    sums_.push_back({s.string(0), s.real(1, std::nan("")), s.real(2)});
}

}  // namespace ink
