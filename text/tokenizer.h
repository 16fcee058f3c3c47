// Tokenizer: text ⇄ ids for every family of BERT's kin, equal to the fast tokenizers.
//
// Added tokens written in the text ("[MASK]", exactly so) stay whole; what lies between them is
// normalized (text/normalizer.h) and cut by the family's model:
//
//   BERT, ELECTRA, DistilBERT, MobileBERT   WordPiece        text/wordpiece.h
//   RoBERTa                                 byte-level BPE   text/byte_bpe.h
//   XLM-R, ALBERT, XLNet                    Unigram          text/unigram.h
//
// One or two texts are then framed as the family does it (text/template.h).
//
//   const Tokenizer tokenizer = Tokenizer::load("model");
//   const Encoding e = tokenizer.encode("今天天气很好。", {.max_length = 128});
//   tokenizer.decode(e.ids);  // "今 天 天 气 很 好 。"
//
// A Tokenizer is immutable; any number of threads may use it. Text that is not UTF-8 raises Error
// with the offset; replace_invalid_utf8 repairs it beforehand.
#pragma once
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "tensor/json.h"
#include "text/added_tokens.h"
#include "text/byte_bpe.h"
#include "text/encoding.h"
#include "text/normalizer.h"
#include "text/template.h"
#include "text/unigram.h"
#include "text/vocabulary.h"
#include "text/wordpiece.h"

namespace ink {

struct EncodeOptions {
  int64_t max_length = 0;  // tokens including the added ones; 0: unlimited
  Truncation truncation = Truncation::longest_first;
  int64_t stride = 0;  // encode_windows: how many tokens of the window before each repeats
};

// What a tokenizer consists of.
struct TokenizerParts {
  Vocabulary vocabulary;
  Normalizer normalizer;
  std::variant<WordPiece, ByteBpe, Unigram> model;
  Template frame;
  std::vector<AddedToken> added;
  Json config = {};  // tokenizer_config.json, kept for save(); null: none
};

class Tokenizer {
 public:
  // BERT's: WordPiece, with the special tokens of the vocabulary.
  explicit Tokenizer(Vocabulary vocabulary, NormalizeOptions options = {});
  explicit Tokenizer(TokenizerParts parts);
  // The same tokens in XLNet's frame, A <sep> <cls>, whatever the vocabulary: a tokenizer.json of
  // no class, as no class of other programs joins the two.
  Tokenizer with_class_last() const;
  // From a model folder: tokenizer.json, or the older files vocab.txt, vocab.json with merges.txt,
  // sentencepiece.bpe.model, spiece.model; with tokenizer_config.json where there is one, whose
  // options win. Raises Error for tokenizers of another kind.
  static Tokenizer load(const std::filesystem::path& folder);
  // tokenizer.json, tokenizer_config.json and the family's older files.
  void save(const std::filesystem::path& folder) const;

  // The text framed, or the pair.
  Encoding encode(std::string_view text, const EncodeOptions& options = {}) const;
  Encoding encode(std::string_view first, std::string_view second,
                  const EncodeOptions& options = {}) const;
  // The same, but what is too long for max_length comes as several sequences: windows over the text
  // that is to be shortened, each `stride` tokens into the one before it. With longest_first every
  // window of the one is paired with every window of the other. The first is what encode() gives.
  // Raises Error when a window would hold no more than `stride` tokens.
  std::vector<Encoding> encode_windows(std::string_view text, const EncodeOptions& options) const;
  std::vector<Encoding> encode_windows(std::string_view first, std::string_view second,
                                       const EncodeOptions& options) const;
  // The tokens of the text alone, and the join of one or two of them (null: only one), for callers
  // that compose sequences themselves.
  Encoding pieces(std::string_view text) const;
  Encoding join(const Encoding& first, const Encoding* second,
                const EncodeOptions& options = {}) const;
  // encode() of each text, in parallel.
  std::vector<Encoding> encode_all(std::span<const std::string> texts,
                                   const EncodeOptions& options = {}) const;

  // WordPiece: tokens joined by spaces, pieces glued to their word, no space before . , ! ?
  // The others: the text as it was, but for normalization.
  std::string decode(std::span<const int32_t> ids, bool skip_special = true) const;

  const Vocabulary& vocabulary() const { return parts_.vocabulary; }
  const TokenizerParts& parts() const { return parts_; }
  // BERT's options of normalization; those that change nothing for other families.
  NormalizeOptions options() const;

 private:
  struct Whole {  // a text and its tokens, before trim()
    Decoded text;
    Encoding tokens;
  };
  Whole whole(std::string_view text) const;
  void trim(const Decoded& text, Encoding& tokens) const;
  void cut(const Decoded& text, size_t begin, size_t end, TokenSink& out) const;
  std::vector<Encoding> windows(const Whole& all, int64_t kept, int64_t stride) const;
  std::vector<Encoding> windows(std::string_view first, const std::string_view* second,
                                const EncodeOptions& options) const;
  Lengths fit(Lengths lengths, bool is_pair, const EncodeOptions& options) const;

  TokenizerParts parts_;
  AddedTokens added_;
};

}  // namespace ink
