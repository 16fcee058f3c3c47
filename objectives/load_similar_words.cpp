// load_similar_words: a file of words → the similar words of a tokenizer, in tokens.
#include "objectives/load_similar_words.h"

#include <algorithm>

#include "objectives/nearest_words.h"
#include "tensor/error.h"
#include "tensor/file.h"
#include "tensor/parallel.h"
#include "text/cilin.h"
#include "text/word_vectors.h"

namespace ink {
namespace {

// Neighbours looked at for each that is wanted: some have another number of tokens than the word.
constexpr int64_t kCandidates = 10;
constexpr int64_t kMostCandidates = 1024;

// The ids of every word; none for one that the vocabulary cannot spell.
std::vector<std::vector<int32_t>> ids_of(const WordList& words, const Tokenizer& tokenizer) {
  constexpr int64_t kGrain = 256;
  const int32_t unk = tokenizer.vocabulary().unk();
  std::vector<std::vector<int32_t>> out(static_cast<size_t>(words.size()));
  parallel_for(words.size(), kGrain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      std::vector<int32_t> ids = tokenizer.pieces(words[static_cast<int32_t>(i)]).ids;
      if (std::ranges::find(ids, unk) == ids.end()) out[static_cast<size_t>(i)] = std::move(ids);
    }
  });
  return out;
}

}  // namespace

WordNeighbours load_neighbours(const std::filesystem::path& path, int64_t most) {
  const auto file = MappedFile::open(path);
  const std::string_view content = file->text();
  const std::string source = path.string();
  check(content.find_first_not_of(" \t\r\n") != std::string_view::npos,
        "similar words: expected words in ", source, ", got an empty file");
  if (begins_as_cilin(content)) return parse_cilin(content, source, most);
  if (begins_as_vectors(content)) return nearest_words(WordVectors::parse(content, source), most);
  if (begins_as_neighbours(content)) return WordNeighbours::parse(content, source);
  fail("similar words: expected ", source,
       " to begin with 'words width' (word2vec's vectors), a code such as Aa01A01= (Cilin's "
       "synonyms) or 'word<TAB>neighbour similarity' (neighbours), got something else; "
       "inkstone vectors makes the first and the last");
}

SimilarWords similar_words(const WordNeighbours& table, const Tokenizer& tokenizer, int64_t most,
                           const std::string& source) {
  const std::vector<std::vector<int32_t>> ids = ids_of(table.words(), tokenizer);
  SimilarWords out;
  for (int32_t word = 0; word < table.words().size(); ++word) {
    const auto& own = ids[static_cast<size_t>(word)];
    if (own.empty()) continue;
    const std::span<const Neighbour> all = table.of(word);
    const size_t enough = static_cast<size_t>(most) * own.size();
    for (size_t i = 0; i < all.size() && out.of(own).size() < enough; ++i)
      out.add(own, ids[static_cast<size_t>(all[i].word)]);  // drops other numbers of tokens
  }
  check(!out.empty(), "similar words: expected words with neighbours of as many tokens in the ",
        "vocabulary, got none among the ", table.size(), " words of ", source);
  return out;
}

SimilarWords load_similar_words(const std::vector<std::filesystem::path>& paths,
                                const Tokenizer& tokenizer, int64_t most) {
  check(!paths.empty() && most > 0,
        "similar words: expected a file and at least 1 neighbour a word, got ", paths.size(),
        " files and ", most);
  check(most <= kMostCandidates, "similar words: expected at most ", kMostCandidates,
        " neighbours a word, got ", most);
  const int64_t candidates = std::min(kCandidates * most, kMostCandidates);
  WordNeighbours table = load_neighbours(paths[0], candidates);
  for (size_t i = 1; i < paths.size(); ++i)
    table = joined(table, load_neighbours(paths[i], candidates),
                   static_cast<int64_t>(i + 1) * candidates);
  std::string source = paths[0].string();
  for (size_t i = 1; i < paths.size(); ++i) source += ", " + paths[i].string();
  return similar_words(table, tokenizer, most, source);
}

}  // namespace ink
