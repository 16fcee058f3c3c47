// Lists of names and numbers, read strictly.
#include "tasks/label_field.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include "tensor/error.h"
#include "tensor/json.h"
#include "tensor/keys.h"

namespace ink {
namespace {

constexpr std::string_view kBlanks = " \t";

std::string_view trimmed(std::string_view text) {
  const size_t begin = text.find_first_not_of(kBlanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1);
}

std::vector<std::string> names_in_list(std::string_view list, const std::string& where) {
  std::vector<std::string> names;
  const Json json = parse_json(list, where);
  for (const Json& name : json.items()) {
    check(name.is_string() || name.type() == Json::Type::integer, "", where,
          ": expected a list of names as labels, got ", in_quotes(list));
    names.push_back(name.is_string() ? name.as_string() : name.to_string());
  }
  return names;
}

// A quote at one edge alone is surely of a name with a comma in it.
bool is_torn(const std::string& name) {
  return name == "\"" || name.starts_with('"') != name.ends_with('"');
}

std::vector<std::string> names_between_commas(std::string_view text, const std::string& where) {
  std::vector<std::string> names;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(',', begin), text.size());
    names.emplace_back(trimmed(text.substr(begin, end - begin)));
    check(!is_torn(names.back()), "", where, ": the label ", in_quotes(names.back()),
          " has a quote at one end alone; write names with commas as a JSON list, [\"x,y\"]");
    begin = end + 1;
  }
  return names;
}

}  // namespace

std::vector<std::string> label_names(std::string_view field, const std::string& where) {
  field = trimmed(field);
  if (field.empty()) return {};
  std::vector<std::string> names =
      field.starts_with('[') ? names_in_list(field, where) : names_between_commas(field, where);
  for (auto name = names.begin(); name != names.end(); ++name) {
    check(!name->empty(), "", where, ": expected names between commas, got an empty one in ",
          in_quotes(field));
    check(std::find(names.begin(), name, *name) == name, "", where, ": the label ",
          in_quotes(*name), " is there twice");
  }
  return names;
}

float label_number(std::string_view field, const std::string& where) {
  const std::string_view text = trimmed(field);
  double number = 0;  // of which a float may be left 0, but not infinite
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  check(error == std::errc() && end == text.data() + text.size() &&
            std::abs(number) <= std::numeric_limits<float>::max(),
        "", where, ": expected a number as label, such as 3.8, got ", in_quotes(field));
  return static_cast<float>(number);
}

}  // namespace ink
