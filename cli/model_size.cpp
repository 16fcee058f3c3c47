// Parameters summed by the part that their names say.
#include "cli/model_size.h"

#include <algorithm>

namespace ink::cli {
namespace {

// The part that a parameter belongs to, from its name.
std::string part_of(const Family& family, const std::string& name) {
  const std::string prefix = std::string(family.prefix) + '.',
                    layers = family.layers + std::string(".");
  std::string rest = name.starts_with(prefix) ? name.substr(prefix.size()) : name;
  if (rest.starts_with(layers)) {
    rest = rest.substr(layers.size());
    return "layer " + rest.substr(0, rest.find('.'));
  }
  return rest.substr(0, rest.find('.'));
}

}  // namespace

std::vector<Part> parts_of(const Family& family, const Parameters& parameters) {
  std::vector<Part> parts;
  for (const Parameter& p : parameters) {
    const std::string name = part_of(family, p.name);
    auto part = std::ranges::find(parts, name, &Part::name);
    if (part == parts.end()) part = parts.insert(parts.end(), {name});
    part->parameters += p.value.size();
  }
  return parts;
}

}  // namespace ink::cli
