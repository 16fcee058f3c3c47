// JSON of others, read within bounds of memory.
//
// A value takes 56 bytes and more, so `[0,0,…]` would take 28 times its text, and while it grows
// three times that. Here the values and what is needed to read them take at most 4 times the text
// and 8 MiB: with the text and a copy of the values that is less than 8 times the file and 16 MiB.
// Text that asks for more raises Error; otherwise these functions are those of tensor/json.h.
#pragma once
#include "tensor/json.h"

namespace ink {

struct BoundedJsonOptions {
  bool long_integers = false;  // as in JsonLimits
};

Json parse_bounded_json(std::string_view text, const std::string& source,
                        const BoundedJsonOptions& options = {});
// The bound holds for each member.
void for_each_bounded_member(std::string_view text, const std::string& source,
                             const std::function<void(std::string key, Json value)>& visit);

}  // namespace ink
