// Whole groups to one side or the other.
#include "tasks/split.h"

#include <map>
#include <string>
#include <vector>

#include "tensor/error.h"

namespace ink {

std::vector<bool> choose_groups(const std::vector<std::string>& groups, double fraction,
                                const Random& random, const std::string& source) {
  check(fraction > 0 && fraction < 1, "split: expected a fraction between 0 and 1, got ", fraction);
  std::map<std::string, std::vector<size_t>> by_name;
  std::vector<std::vector<size_t>> members;
  for (size_t i = 0; i < groups.size(); ++i) {
    if (groups[i].empty())
      members.push_back({i});
    else
      by_name[groups[i]].push_back(i);
  }
  for (auto& [name, those] : by_name) members.push_back(std::move(those));
  Draws(random).shuffle(members);

  const double wanted = fraction * static_cast<double>(groups.size());
  std::vector<bool> chosen(groups.size());
  size_t count = 0;
  for (size_t g = 0; g < members.size() && static_cast<double>(count) < wanted; ++g) {
    for (const size_t i : members[g]) chosen[i] = true;
    count += members[g].size();
  }
  check(count > 0 && count < groups.size(), "", source,
        ": expected at least two groups to split, got ", groups.size(), " examples in ",
        members.size());
  return chosen;
}

std::pair<Examples, Examples> split_by_group(const Examples& examples, double fraction,
                                             const Random& random) {
  std::vector<std::string> groups;
  for (const Example& e : examples.items) groups.push_back(e.group);
  const std::vector<bool> chosen = choose_groups(groups, fraction, random, examples.source);
  Examples rest{{}, examples.labels, examples.source}, part = rest;
  for (size_t i = 0; i < examples.size(); ++i)
    (chosen[i] ? part : rest).items.push_back(examples.items[i]);
  return {std::move(rest), std::move(part)};
}

}  // namespace ink
