// Values by name from another store.
#include "compress/values.h"

#include "tensor/error.h"

namespace ink {

ValueSource values_of(const Parameters& parameters) {
  parameters.expect_numbers("prune");
  return [&parameters](const std::string& name, const Shape& shape, const Initial&) {
    const Tensor& value = parameters.at(name).value;
    check(value.shape() == shape, "model: expected ", name, " to be ", shape, ", got ",
          value.shape());
    return value;
  };
}

ValueSource copies_of(const Parameters& parameters) {
  return [values = values_of(parameters)](const std::string& name, const Shape& shape,
                                          const Initial& initial) {
    return clone(values(name, shape, initial));
  };
}

}  // namespace ink
