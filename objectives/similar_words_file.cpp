// Lines → words → ids.
#include "objectives/similar_words_file.h"

#include <algorithm>
#include <sstream>
#include <string>

#include "tensor/error.h"
#include "tensor/file.h"

namespace ink {

SimilarWords read_similar_words(const std::filesystem::path& file, const Tokenizer& tokenizer) {
  constexpr int64_t kMostBytes = int64_t{1} << 32;
  std::istringstream lines(read_file(file, kMostBytes));
  SimilarWords similar;
  const int32_t unknown = tokenizer.vocabulary().unk();
  const auto ids_of = [&](const std::string& word) { return tokenizer.pieces(word).ids; };
  const auto usable = [&](const std::vector<int32_t>& ids) {
    return !ids.empty() && !std::ranges::count(ids, unknown);
  };
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string word;
    if (!(words >> word)) continue;
    const std::vector<int32_t> ids = ids_of(word);
    if (!usable(ids)) continue;
    for (std::string other; words >> other;)
      if (const std::vector<int32_t> neighbour = ids_of(other); usable(neighbour))
        similar.add(ids, neighbour);
  }
  check(!similar.empty(), "similar words: ", file.string(),
        ": expected lines of a word and similar words of as many tokens, found none");
  return similar;
}

}  // namespace ink
