// What the label field of an example holds, and how it is read: a name, several names, or a number.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ink {

enum class LabelKind : uint8_t {
  one,      // the name of a class
  several,  // names, none to all of them, as below
  number
};

// The names of a field: "a, b" between commas, blanks around them left out, or a JSON list
// ["a", "b"], which names with commas in them need. An empty field or list has none. Raises Error
// "where: …" for an empty name, one that is there twice, and a list of anything else.
std::vector<std::string> label_names(std::string_view field, const std::string& where);

// The number that a field is, decimal and nothing else. Raises Error "where: …" for another text,
// and for NaN and what f32 does not hold.
float label_number(std::string_view field, const std::string& where);

}  // namespace ink
