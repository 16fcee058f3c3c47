// Whole groups to one side or the other.
#include "tasks/split.h"

#include <map>
#include <string>
#include <vector>

#include "tensor/error.h"

namespace ink {

std::pair<Examples, Examples> split_by_group(const Examples& examples, double fraction,
                                             const Random& random) {
  check(fraction > 0 && fraction < 1, "split: expected a fraction between 0 and 1, got ", fraction);
  std::map<std::string, std::vector<size_t>> by_name;
  std::vector<std::vector<size_t>> groups;
  for (size_t i = 0; i < examples.size(); ++i) {
    const std::string& group = examples.items[i].group;
    if (group.empty())
      groups.push_back({i});
    else
      by_name[group].push_back(i);
  }
  for (auto& [name, members] : by_name) groups.push_back(std::move(members));
  Draws(random).shuffle(groups);

  const double wanted = fraction * static_cast<double>(examples.size());
  std::vector<bool> chosen(examples.size());
  size_t count = 0;
  for (size_t g = 0; g < groups.size() && static_cast<double>(count) < wanted; ++g) {
    for (const size_t i : groups[g]) chosen[i] = true;
    count += groups[g].size();
  }
  check(count > 0 && count < examples.size(), "", examples.source,
        ": expected at least two groups to split, got ", examples.size(), " examples in ",
        groups.size());

  Examples rest{{}, examples.labels, examples.source}, part = rest;
  for (size_t i = 0; i < examples.size(); ++i)
    (chosen[i] ? part : rest).items.push_back(examples.items[i]);
  return {std::move(rest), std::move(part)};
}

}  // namespace ink
