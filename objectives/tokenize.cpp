// Sentence → words (code points) and pieces → one "continues" bit per token.
#include "objectives/tokenize.h"

#include <utility>

#include "text/encoding.h"
#include "text/sentences.h"
#include "text/utf8.h"

namespace ink {

TokenSentence tokenize_sentence(std::string_view text, const Tokenizer& tokenizer,
                                const Segmenter* segmenter) {
  Encoding pieces = tokenizer.pieces(text);
  std::vector<Span> words;
  if (segmenter) words = segmenter->cut(decode_utf8(text));
  TokenSentence sentence{pieces.ids, {}};
  sentence.continues.assign(sentence.ids.size(), 0);
  for (const Span& word : whole_words(pieces, words)) {
    for (int32_t i = word.begin + 1; i < word.end; ++i) {
      sentence.continues[static_cast<size_t>(i)] = 1;
    }
  }
  return sentence;
}

namespace {

void append_sentences(std::string_view text, const Tokenizer& tokenizer, const Segmenter* segmenter,
                      TokenDocument& to) {
  for (const Span& s : split_sentences(text)) {
    const std::string_view part =
        text.substr(static_cast<size_t>(s.begin), static_cast<size_t>(s.size()));
    TokenSentence sentence = tokenize_sentence(part, tokenizer, segmenter);
    if (!sentence.ids.empty()) to.push_back(std::move(sentence));
  }
}

}  // namespace

TokenDocument tokenize_document(std::string_view text, const Tokenizer& tokenizer,
                                const Segmenter* segmenter) {
  TokenDocument sentences;
  append_sentences(text, tokenizer, segmenter, sentences);
  return sentences;
}

TokenDocument tokenize_document(const Document& document, const Tokenizer& tokenizer,
                                const Segmenter* segmenter) {
  TokenDocument sentences;
  for (const std::string& line : document.lines) {
    append_sentences(line, tokenizer, segmenter, sentences);
  }
  return sentences;
}

ObjectiveTokens objective_tokens(const Tokenizer& tokenizer) {
  const Vocabulary& vocabulary = tokenizer.vocabulary();
  const std::vector<TemplatePart>& frame = tokenizer.parts().frame.single;
  return {.cls = vocabulary.cls(),
          .sep = vocabulary.sep(),
          .mask = vocabulary.mask(),
          .vocabulary_size = vocabulary.size(),
          .cls_last = !frame.empty() && frame.back().id == vocabulary.cls() &&
                      frame.back().kind == TemplatePart::Kind::token};
}

}  // namespace ink
