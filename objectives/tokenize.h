// Raw text → tokenized sentences with their words: the first half of every pre-training pipeline.
#pragma once
#include <string_view>

#include "objectives/instance.h"
#include "text/corpus.h"
#include "text/segmenter.h"
#include "text/tokenizer.h"

namespace ink {

// Sentences without tokens are left out. Words are the pieces of one written word and, with a
// segmenter, the characters of one Chinese word; a null segmenter leaves every Chinese character a
// word of its own.
TokenDocument tokenize_document(std::string_view text, const Tokenizer& tokenizer,
                                const Segmenter* segmenter);
TokenDocument tokenize_document(const Document& document, const Tokenizer& tokenizer,
                                const Segmenter* segmenter);
TokenSentence tokenize_sentence(std::string_view text, const Tokenizer& tokenizer,
                                const Segmenter* segmenter);

ObjectiveTokens objective_tokens(const Tokenizer& tokenizer);

}  // namespace ink
