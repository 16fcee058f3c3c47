// The store of named parameters.
#include "tensor/parameters.h"

#include <limits>
#include <utility>

namespace ink {

void Parameter::give_numbers_away() {
  Strides still;
  for (int axis = 0; axis < value.rank(); ++axis) still.append(0);
  value = view(full({1}, std::numeric_limits<double>::quiet_NaN()), value.shape(), still, 0);
  quantized = true;
}

Parameter& Parameters::add(std::string name, Tensor value) {
  check(static_cast<bool>(value), "parameters: ", name, " has no value");
  check(!by_name_.contains(name), "parameters: the name ", name,
        " is used twice; to tie two, share the Parameter");
  const bool decay = value.rank() > 1;
  Parameter& added = all_.emplace_back(
      Parameter{.name = std::move(name), .value = std::move(value), .decay = decay});
  by_name_.emplace(added.name, &added);
  return added;
}

Parameter* Parameters::find(std::string_view name) {
  const auto at = by_name_.find(name);
  return at == by_name_.end() ? nullptr : at->second;
}
const Parameter* Parameters::find(std::string_view name) const {
  return const_cast<Parameters*>(this)->find(name);
}

Parameter& Parameters::at(std::string_view name) {
  Parameter* found = find(name);
  check(found != nullptr, "parameters: there is none named ", name);
  return *found;
}
const Parameter& Parameters::at(std::string_view name) const {
  return const_cast<Parameters*>(this)->at(name);
}

int64_t Parameters::elements() const {
  int64_t total = 0;
  for (const Parameter& p : all_) total += p.value.size();
  return total;
}

size_t Parameters::bytes() const {
  size_t total = 0;
  for (const Parameter& p : all_) total += p.quantized ? 0 : p.value.bytes();
  return total;
}

void Parameters::expect_numbers(const char* job) const {
  for (const Parameter& p : all_) {
    check(!p.quantized, "", job,
          ": the model was quantised to int8 for inference, and the numbers ", "of ", p.name,
          " are gone; load it anew");
  }
}

void Parameters::own() {
  for (Parameter& p : all_) {
    if (p.quantized) continue;
    if (p.value.storage()->borrowed() || !p.value.is_contiguous()) p.value = clone(p.value);
  }
}

}  // namespace ink
