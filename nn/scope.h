// Scope: a path into a store of parameters, so that names come out right by construction.
//
//   Parameters parameters;
//   const Scope root(parameters, random_values(Random(7)));
//   Linear query(root / "bert" / "encoder" / "layer" / 0 / "attention" / "self" / "query", C, C);
//
// A Scope also knows where first values come from: drawn at random, or read from a file
// (nn/model_folder.h). Modules do not care: they ask for a name, a shape and how the value would
// start in training.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "tensor/parameters.h"
#include "tensor/philox.h"

namespace ink {

// How a parameter starts in training.
struct Initial {
  enum class Kind : uint8_t { normal, zeros, ones };
  Kind kind = Kind::zeros;
  double deviation = 0;
  // N(0, deviation²) cut at two deviations by drawing again (BERT's initializer)
  static Initial normal(double deviation = 0.02) { return {Kind::normal, deviation}; }
  static Initial zeros() { return {}; }
  static Initial ones() { return {Kind::ones, 0}; }
};

// The first value of the parameter of this name.
using ValueSource =
    std::function<Tensor(const std::string& name, const Shape& shape, const Initial& initial)>;

// Values as `initial` says. Each depends on `random` and the parameter's name alone, not on what
// was made before it.
ValueSource random_values(Random random);

class Scope {
 public:
  Scope(Parameters& store, ValueSource values)
      : store_(&store), values_(std::make_shared<const ValueSource>(std::move(values))) {}

  Scope operator/(const std::string& name) const {
    Scope inner = *this;
    inner.path_ = path_.empty() ? name : path_ + '.' + name;
    return inner;
  }
  Scope operator/(int64_t index) const { return *this / std::to_string(index); }

  // Makes the parameter `path.name`; raises Error when it exists already.
  Parameter& param(const std::string& name, const Shape& shape, const Initial& initial) const;
  const std::string& path() const { return path_; }

 private:
  Parameters* store_;
  std::shared_ptr<const ValueSource> values_;
  std::string path_;
};

}  // namespace ink
