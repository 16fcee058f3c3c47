// Where the outputs of a distillation's teachers lie on disk, and what they are made of.
#pragma once
#include <string>
#include <vector>

#include "compress/distill_setup.h"
#include "compress/teacher.h"

namespace ink {

// Of the weights of each teacher.
std::vector<std::string> digests_of(const DistillSetup& setup, const Heads& heads);

// That of one teacher, whose weights have this digest: of several each has a folder of its own in
// that of the cache. Without a folder there is none.
CacheOnDisk cache_of(const DistillOptions& options, const DistillSetup& setup, size_t teacher,
                     const std::string& weights);

}  // namespace ink
