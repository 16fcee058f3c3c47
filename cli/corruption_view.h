// What an objective did to one sequence, as JSON or in colour.
#pragma once
#include <string>
#include <vector>

#include "objectives/objective.h"
#include "text/vocabulary.h"

namespace ink::cli {

struct CorruptionView {
  const Instance& instance;
  const Corrupted& corrupted;
  const Objective& objective;
  const Vocabulary& vocabulary;
  // rtd: what the generator put at each selected position; else empty.
  std::vector<int32_t> sampled = {};

  Json to_json() const;
  // One line, colours by escape sequences; `legend` says what they mean.
  std::string in_colour() const;
  static std::string legend(const Objective& objective);

 private:
  // What the model reads: with rtd, the discriminator.
  std::vector<int32_t> inputs() const;
  std::string painted(size_t i, size_t selected, int32_t now) const;
};

}  // namespace ink::cli
