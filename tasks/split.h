// Splitting examples in two so that no document (Example::group) has a part on both sides.
//
// Paragraphs of one document resemble each other: a random split of paragraphs would measure
// memory, not skill.
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "tasks/examples.h"
#include "tensor/philox.h"

namespace ink {

// Which of `groups.size()` examples go to the part: whole groups of equal names (an example without
// a name is a group of its own), in random order, until they hold at least `fraction` of all.
// Raises Error, beginning with `source`, when a side would be empty.
std::vector<bool> choose_groups(const std::vector<std::string>& groups, double fraction,
                                const Random& random, const std::string& source);

// (rest, part), the part by choose_groups. Both sides keep the order of the file and the labels.
std::pair<Examples, Examples> split_by_group(const Examples& examples, double fraction,
                                             const Random& random);

}  // namespace ink
