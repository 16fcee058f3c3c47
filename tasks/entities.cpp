// From tags to entities, and counting those that agree.
#include "tasks/entities.h"

#include <algorithm>

#include "tensor/error.h"
#include "tensor/keys.h"

namespace ink {

BioTags::BioTags(const Labels& labels, const std::string& source) {
  bool found = false;
  for (const std::string& name : labels.names()) {
    const bool begin = name.starts_with("B-"), inside = name.starts_with("I-");
    if ((begin || inside) && name.size() > 2)
      types_.push_back(name.substr(2));
    else if (name != "O")
      fail("", source, ": expected tags O, B-TYPE and I-TYPE, got ", in_quotes(name));
    found = found || name == "O";
  }
  check(found, "", source, ": expected a tag O for what is in no entity, got ", labels.known());
  std::ranges::sort(types_);
  types_.erase(std::unique(types_.begin(), types_.end()), types_.end());
  for (const std::string& name : labels.names()) {
    if (name == "O") {
      outside_ = static_cast<int32_t>(meanings_.size());
      meanings_.push_back({Part::outside, -1});
      continue;
    }
    const auto type = std::ranges::lower_bound(types_, name.substr(2)) - types_.begin();
    meanings_.push_back({name[0] == 'B' ? Part::begin : Part::inside, static_cast<int32_t>(type)});
  }
}

std::vector<Entity> BioTags::entities(std::span<const int32_t> tags) const {
  std::vector<Entity> found;
  bool open = false;
  for (int32_t u = 0; u < std::ssize(tags); ++u) {
    const Meaning m = meanings_.at(static_cast<size_t>(tags[static_cast<size_t>(u)]));
    if (m.part == Part::begin)
      found.push_back({u, u + 1, m.type});
    else if (m.part == Part::inside && open && found.back().type == m.type)
      found.back().end = u + 1;
    open = !found.empty() && found.back().end == u + 1;
  }
  return found;
}

void EntityCounts::add(std::span<const Entity> truth, std::span<const Entity> predicted) {
  for (const Entity& e : truth) ++by_type_[static_cast<size_t>(e.type)].support;
  for (const Entity& e : predicted) {
    ClassMetrics& m = by_type_[static_cast<size_t>(e.type)];
    ++m.predicted;
    m.correct += std::ranges::find(truth, e) != truth.end();
  }
}

ClassMetrics EntityCounts::all() const {
  ClassMetrics sum;
  for (const ClassMetrics& m : by_type_) {
    sum.support += m.support;
    sum.predicted += m.predicted;
    sum.correct += m.correct;
  }
  return sum;
}

}  // namespace ink
