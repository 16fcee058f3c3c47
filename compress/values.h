// First values of parameters, taken from a store: rebuilding, copying and cutting models by name.
#pragma once
#include "nn/scope.h"
#include "tensor/parameters.h"

namespace ink {

// Hands out the values of `parameters`, sharing their memory. Raises Error for a name or shape that
// is not there. The store must outlive the use.
ValueSource values_of(const Parameters& parameters);

// Hands out copies.
ValueSource copies_of(const Parameters& parameters);

}  // namespace ink
