// Splitting examples in two so that no document (Example::group) has a part on both sides.
//
// Paragraphs of one document resemble each other: a random split of paragraphs would measure
// memory, not skill.
#pragma once
#include <utility>

#include "tasks/examples.h"
#include "tensor/philox.h"

namespace ink {

// (rest, part): whole groups, in random order, go to `part` until it holds at least `fraction` of
// all examples. Both sides keep the order of the file and the labels. Raises Error when a side
// would be empty.
std::pair<Examples, Examples> split_by_group(const Examples& examples, double fraction,
                                             const Random& random);

}  // namespace ink
