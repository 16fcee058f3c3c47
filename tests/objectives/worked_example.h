// Worked examples of the papers: sequences of words, and looking for the seed that gives the
// result.
#pragma once
#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "objectives/corruption.h"

namespace ink {

// Numbers every different token as it is met, from 10 on.
class Names {
 public:
  static constexpr ObjectiveTokens kTokens{.cls = 0, .sep = 1, .mask = 2, .vocabulary_size = 20000};

  int32_t id(const std::string& token) {
    if (token == "[CLS]") return kTokens.cls;
    if (token == "[SEP]") return kTokens.sep;
    if (token == "[MASK]") return kTokens.mask;
    return ids_.emplace(token, static_cast<int32_t>(10 + ids_.size())).first->second;
  }
  std::vector<int32_t> ids(const std::vector<std::string>& tokens) {
    std::vector<int32_t> out;
    for (const std::string& token : tokens) out.push_back(id(token));
    return out;
  }
  // One sentence; each word is its tokens.
  TokenSentence sentence(const std::vector<std::vector<std::string>>& words) {
    TokenSentence out;
    for (const auto& word : words) {
      for (size_t i = 0; i < word.size(); ++i) {
        out.ids.push_back(id(word[i]));
        out.continues.push_back(i > 0);
      }
    }
    return out;
  }
  Instance instance(const std::vector<std::vector<std::string>>& words) {
    return make_instance(Segment(sentence(words)), nullptr, kTokens);
  }

 private:
  std::map<std::string, int32_t> ids_;
};

// What the first seed gives whose result has these inputs (with [CLS] and [SEP]); empty when none
// of `seeds` has.
inline std::optional<Corrupted> find_result(const Corruption& corrupt, const Instance& instance,
                                            const std::vector<int32_t>& inputs, uint64_t seeds) {
  for (uint64_t seed = 0; seed < seeds; ++seed) {
    Draws draws{Random(seed)};
    Corrupted c = corrupt(instance, draws);
    if (c.inputs == inputs) return c;
  }
  return std::nullopt;
}

}  // namespace ink
