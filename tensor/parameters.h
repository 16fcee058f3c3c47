// Parameters: the named tensors of a model, in one ordered store.
//
// Modules hold a Parameter& for each of theirs; two modules tie their weights by holding the same
// one. Addresses stay valid for the life of the store, also when the store itself is moved. Order
// is the order of add(), so that everything computed from all parameters (norms, checkpoints,
// optimizer state) has one order too.
#pragma once
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "tensor/tensor.h"

namespace ink {

struct Parameter {
  // As in Hugging Face's files: "bert.encoder.layer.0.attention.self.query.weight".
  std::string name;
  Tensor value;
  bool trainable = true;  // whether a tape watches it and an optimizer updates it
  bool decay = true;      // whether weight decay applies: matrices yes, biases and layer norms no
  // What the learning rate of every step is multiplied by, from 0 on; and the weight decay, where
  // it is not the optimizer's. (The parameter groups of other programs.)
  double rate = 1;
  std::optional<double> weight_decay = {};
  // Its numbers were given away: a layer keeps them in 8 bits, for inference (nn/layers.h).
  bool quantized = false;

  // `value` keeps its shape, and every element of it is one and the same NaN.
  void give_numbers_away();

  // With an optimizer of this weight decay.
  double decay_with(double optimizers) const {
    return decay ? weight_decay.value_or(optimizers) : 0;
  }
};

class Parameters {
 public:
  Parameters() = default;
  Parameters(Parameters&&) = default;
  Parameters& operator=(Parameters&&) = default;
  Parameters(const Parameters&) = delete;
  Parameters& operator=(const Parameters&) = delete;

  // Raises Error when the name is taken. Vectors and scalars are not decayed.
  Parameter& add(std::string name, Tensor value);

  Parameter* find(std::string_view name);  // null when absent
  const Parameter* find(std::string_view name) const;
  Parameter& at(std::string_view name);  // raises Error when absent
  const Parameter& at(std::string_view name) const;

  auto begin() { return all_.begin(); }
  auto end() { return all_.end(); }
  auto begin() const { return all_.begin(); }
  auto end() const { return all_.end(); }
  size_t size() const { return all_.size(); }
  int64_t elements() const;  // numbers in all parameters; a tied one counts once
  size_t bytes() const;      // of all numbers that were not given away
  // Raises Error, beginning with `job`, where some were.
  void expect_numbers(const char* job) const;

  // Gives parameters that still read a mapped file memory of their own, so that they
  // can be trained.
  void own();

 private:
  std::deque<Parameter> all_;
  std::unordered_map<std::string_view, Parameter*> by_name_;  // views of the names in all_
};

}  // namespace ink
