// load_similar_words: a file of words → the similar words of a tokenizer, in tokens.
//
// The kind of file is told by its content:
//
//   a synonym dictionary in Cilin's format    text/cilin.h
//   word2vec's vectors, text or binary        text/word_vectors.h, then objectives/nearest_words.h
//   a stored table of neighbours              text/word_neighbours.h
//
// Of several files, the neighbours of the first come first; those of later ones fill up to `most`.
//
//   const SimilarWords similar = load_similar_words({"cilin.txt", "neighbours.txt"}, tokenizer);
#pragma once
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "objectives/similar_words.h"
#include "text/tokenizer.h"
#include "text/word_neighbours.h"

namespace ink {

inline constexpr int64_t kSimilarWords = 10;  // of a word, at most

// Raises Error for a file of no known kind, and what its reader raises.
WordNeighbours load_neighbours(const std::filesystem::path& path, int64_t most = kSimilarWords);

// Of each word the first `most` neighbours that have as many tokens as it, as ids; words with a
// piece that the vocabulary lacks are left out. Raises Error when nothing is left.
// `source` names the table in messages.
SimilarWords similar_words(const WordNeighbours& table, const Tokenizer& tokenizer,
                           int64_t most = kSimilarWords, const std::string& source = "the table");

// Both. Raises Error when no file is given.
SimilarWords load_similar_words(const std::vector<std::filesystem::path>& paths,
                                const Tokenizer& tokenizer, int64_t most = kSimilarWords);

}  // namespace ink
