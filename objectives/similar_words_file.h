// Similar words as a text file: lines of a word and similar words, the most similar first.
//
//   预测 预见 猜测
//   predict calculate estimate
//
// Words are separated by blanks or tabs, and become the ids of their tokens.
#pragma once
#include <filesystem>

#include "objectives/similar_words.h"
#include "text/tokenizer.h"

namespace ink {

// Raises Error when the file cannot be read or names no usable pair of words, naming the file.
SimilarWords read_similar_words(const std::filesystem::path& file, const Tokenizer& tokenizer);

}  // namespace ink
