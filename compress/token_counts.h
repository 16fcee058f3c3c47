// How often a tokenizer's tokens occur: counted in texts, or read from a file.
//
//   const TokenCounts counts = count_tokens(tokenizer, Corpus::open({"texts"}));
//   counts.of[id]
//
// Texts are read a block at a time and cut in parallel, line by line, without the tokens of the
// frame. Memory: some blocks of text and a number for each token.
#pragma once
#include <cstdint>
#include <filesystem>
#include <vector>

#include "text/corpus.h"
#include "text/reduced_tokenizer.h"
#include "text/tokenizer.h"

namespace ink {

struct TokenCounts {
  std::vector<int64_t> of;  // by id
  int64_t lines = 0;

  int64_t total() const;     // of all occurrences
  int64_t distinct() const;  // tokens that occur
};

TokenCounts count_tokens(const Tokenizer& tokenizer, const Corpus& corpus);

// What a file says about tokens, a line each: all lines alike are tokens, ids (numbers, as
// TextPruner reads such a file), or a token or id with its count behind a tab. A vocabulary of
// numbers alone cannot be told from ids. Raises Error naming the line for an unknown token, an id
// that no token has, and for a file without a line.
struct TokenFile {
  std::vector<int32_t> listed;  // tokens without a count: to be kept
  TokenCounts counts;
};
TokenFile read_token_file(const std::filesystem::path& path, const Vocabulary& vocabulary);

// The token's id; raises Error, beginning with `place`, that names the nearest known token.
int32_t known_token(const Vocabulary& vocabulary, const std::string& token,
                    const std::string& place);

// What a smaller tokenizer makes of a text beside the one that it was cut from.
struct TextComparison {
  int64_t lines = 0;
  int64_t lines_cut_otherwise = 0;  // their ids are not the same tokens
  int64_t tokens_before = 0, tokens_after = 0;
  int64_t unknown_before = 0, unknown_after = 0;
};
TextComparison compare_on(const Corpus& corpus, const Tokenizer& before, const Tokenizer& after,
                          const KeptTokens& kept);

}  // namespace ink
