// Metrics: named values, and their means Σ wᵢ xᵢ / Σ wᵢ.
//
//   Means means;
//   means.add("loss", 2.5, /*weight=*/32);
//   means.add({{"accuracy", 0.5}}, 32);
//   for (const auto& [name, value] : means.values()) …   // in the order they first came
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "tensor/json.h"

namespace ink {

using Metrics = std::vector<std::pair<std::string, double>>;

// JSON knows no NaN and no infinity: null stands for them.
Json finite_or_null(double x);
Json to_json(const Metrics& metrics);      // {"name": value, …}
Metrics metrics_from(const Json& object);  // null is NaN

class Means {
 public:
  void add(const std::string& name, double value, double weight);
  void add(const Metrics& metrics, double weight);
  Metrics values() const;
  void clear() { sums_.clear(); }

  // All that values() follows from, for a checkpoint.
  Json to_json() const;
  void restore(const Json& all);

 private:
  struct Sum {
    std::string name;
    double total = 0, weight = 0;
  };
  std::vector<Sum> sums_;
};

}  // namespace ink
