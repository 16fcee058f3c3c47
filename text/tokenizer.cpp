// Tokenizer: text ⇄ ids for every family of BERT's kin, equal to the fast tokenizers.
#include "text/tokenizer.h"

#include <algorithm>

#include "tensor/error.h"
#include "tensor/parallel.h"
#include "text/added_list.h"

namespace ink {
namespace {

constexpr int64_t kLinesPerTask = 64;

std::vector<AddedToken> special_tokens_of(const Vocabulary& v) {
  const SpecialTokens& names = v.special_tokens();
  AddedList list(v);
  for (const auto* name : {&names.unk, &names.cls, &names.sep, &names.mask, &names.pad})
    if (!name->empty()) list.put_missing({.content = *name});
  return std::move(list).sorted();
}

TokenizerParts bert_parts(Vocabulary vocabulary, NormalizeOptions options) {
  WordPiece model(vocabulary, vocabulary.size());
  Template frame = Template::bert(vocabulary);
  std::vector<AddedToken> added = special_tokens_of(vocabulary);
  return {std::move(vocabulary), Normalizer({options}), std::move(model), std::move(frame),
          std::move(added)};
}

Encoding slice(const Encoding& from, int64_t begin, int64_t end) {
  const auto part = [&](const auto& v) {
    return std::remove_cvref_t<decltype(v)>(v.begin() + begin, v.begin() + end);
  };
  return {part(from.ids),   part(from.segments), part(from.texts),
          part(from.words), part(from.offsets),  part(from.bytes)};
}

}  // namespace

Tokenizer::Tokenizer(Vocabulary vocabulary, NormalizeOptions options)
    : Tokenizer(bert_parts(std::move(vocabulary), options)) {}

Tokenizer::Tokenizer(TokenizerParts parts)
    : parts_(std::move(parts)), added_(parts_.added, parts_.normalizer) {
  for (const AddedToken& token : parts_.added)
    check(parts_.vocabulary.find(token.content) == token.id, "tokenizer: expected added token '",
          token.content, "' in the vocabulary under its id ", token.id);
}

NormalizeOptions Tokenizer::options() const {
  if (const NormalizeOptions* options = parts_.normalizer.bert()) return *options;
  return {.do_lower_case = false, .tokenize_chinese_chars = false};
}

// ── one text ────────────────────────────────────────────────────────────────────────────────────

// Cuts characters [begin, end), which hold no added token that is looked for in plain text.
void Tokenizer::cut(const Decoded& text, size_t begin, size_t end, TokenSink& out) const {
  if (begin >= end) return;
  const auto cut_plain = [&](const Normalized& part) {
    std::visit([&](const auto& model) { model.cut(part, out); }, parts_.model);
  };
  Normalized all = parts_.normalizer(std::u32string_view(text.text).substr(begin, end - begin));
  for (int32_t& source : all.source) source += static_cast<int32_t>(begin);
  const std::vector<AddedTokens::Match> matches = added_.find(all.text, true);
  if (matches.empty()) return cut_plain(all);
  size_t at = 0;
  const auto cut_until = [&](size_t to) {
    if (at >= to) return;
    const auto from = all.source.begin();
    cut_plain({all.text.substr(at, to - at),
               {from + static_cast<ptrdiff_t>(at), from + static_cast<ptrdiff_t>(to)}});
  };
  for (const auto& [id, first, last] : matches) {
    cut_until(first);
    out.begin_word();
    out.add(id, all.source[first], all.source[last - 1] + 1);
    at = last;
  }
  cut_until(all.text.size());
}

Tokenizer::Whole Tokenizer::whole(std::string_view text) const {
  Whole out{decode_utf8_with_offsets(text), {}};
  TokenSink sink(out.text, out.tokens);
  size_t at = 0;
  for (const auto& [id, begin, end] : added_.find(out.text.text, false)) {
    cut(out.text, at, begin, sink);
    sink.begin_word();
    sink.add(id, static_cast<int32_t>(begin), static_cast<int32_t>(end));
    at = end;
  }
  cut(out.text, at, out.text.text.size(), sink);
  return out;
}

void Tokenizer::trim(const Decoded& text, Encoding& tokens) const {
  const auto* model = std::get_if<ByteBpe>(&parts_.model);
  if (model && model->options().trim_offsets) model->trim(text, added_, tokens);
}

Encoding Tokenizer::pieces(std::string_view text) const {
  Whole all = whole(text);
  trim(all.text, all.tokens);
  return std::move(all.tokens);
}

// ── sequences ───────────────────────────────────────────────────────────────────────────────────

Encoding Tokenizer::encode(std::string_view text, const EncodeOptions& options) const {
  return join(pieces(text), nullptr, options);
}

Encoding Tokenizer::encode(std::string_view first, std::string_view second,
                           const EncodeOptions& options) const {
  const Encoding b = pieces(second);
  return join(pieces(first), &b, options);
}

Tokenizer Tokenizer::with_class_last() const {
  TokenizerParts parts = parts_;
  parts.frame = Template::xlnet(parts.vocabulary);
  if (parts.config.is_null()) parts.config = Json::make_object();
  parts.config.set("tokenizer_class", "PreTrainedTokenizerFast");
  return Tokenizer(std::move(parts));
}

Lengths Tokenizer::fit(Lengths lengths, bool is_pair, const EncodeOptions& options) const {
  const int64_t added = Template::added(is_pair ? parts_.frame.pair : parts_.frame.single);
  check(options.max_length == 0 || options.max_length >= added,
        "tokenizer: expected max_length to be 0 or at least ", added,
        " for the tokens that are added, got ", options.max_length);
  if (options.max_length == 0) return lengths;
  return truncated(lengths, options.max_length - added,
                   is_pair ? options.truncation : Truncation::first);
}

Encoding Tokenizer::join(const Encoding& first, const Encoding* second,
                         const EncodeOptions& options) const {
  const Lengths n = fit({first.size(), second ? second->size() : 0}, second != nullptr, options);
  return parts_.frame.join(first, n.first, second, n.second);
}

// A text in windows of `kept` tokens.
std::vector<Encoding> Tokenizer::windows(const Whole& all, int64_t kept, int64_t stride) const {
  std::vector<Encoding> out;
  for (int64_t begin = 0;; begin += kept - stride) {
    const int64_t end = std::min(begin + kept, all.tokens.size());
    // Trimmed one by one, as the first token of each window counts as the first of the text.
    out.push_back(slice(all.tokens, begin, end));
    trim(all.text, out.back());
    if (end == all.tokens.size()) return out;
    check(stride >= 0 && stride < kept, "tokenizer: expected a stride of 0 to less than the ", kept,
          " tokens of the text that a window has room for, got ", stride);
  }
}

std::vector<Encoding> Tokenizer::windows(std::string_view first, const std::string_view* second,
                                         const EncodeOptions& options) const {
  const Whole one = whole(first), two = second ? whole(*second) : Whole{};
  const Lengths n = fit({one.tokens.size(), two.tokens.size()}, second != nullptr, options);
  const std::vector<Encoding> a = windows(one, n.first, options.stride),
                              b = windows(two, n.second, options.stride);
  std::vector<Encoding> out;
  const auto add = [&](const Encoding& left, const Encoding& right) {
    out.push_back(parts_.frame.join(left, left.size(), second ? &right : nullptr, right.size()));
  };
  // The order of the reference: the first of both, the later ones of the first text with all of the
  // second, then the first with the later ones of the second.
  add(a[0], b[0]);
  for (size_t i = 1; i < a.size(); ++i)
    for (const Encoding& right : b) add(a[i], right);
  for (size_t j = 1; j < b.size(); ++j) add(a[0], b[j]);
  return out;
}

std::vector<Encoding> Tokenizer::encode_windows(std::string_view text,
                                                const EncodeOptions& options) const {
  return windows(text, nullptr, options);
}

std::vector<Encoding> Tokenizer::encode_windows(std::string_view first, std::string_view second,
                                                const EncodeOptions& options) const {
  return windows(first, &second, options);
}

std::vector<Encoding> Tokenizer::encode_all(std::span<const std::string> texts,
                                            const EncodeOptions& options) const {
  std::vector<Encoding> out(texts.size());
  parallel_for(static_cast<int64_t>(texts.size()), kLinesPerTask, [&](int64_t begin, int64_t end) {
    for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(end); ++i)
      out[i] = encode(texts[i], options);
  });
  return out;
}

// ── back to text ────────────────────────────────────────────────────────────────────────────────

namespace {

std::string join_words(std::span<const std::string_view> tokens, std::string_view prefix) {
  std::string out;
  for (size_t i = 0; i < tokens.size(); ++i) {
    const std::string_view token = tokens[i];
    const bool glued = token.starts_with(prefix) && i > 0;
    const bool closes = token == "." || token == "," || token == "!" || token == "?";
    if (i > 0 && !glued && !closes) out += ' ';
    out += glued ? token.substr(prefix.size()) : token;
  }
  return out;
}

std::string join_marked(std::span<const std::string_view> tokens, bool drop_first_space) {
  constexpr std::string_view kSpaceMark = "▁";
  std::string out;
  for (size_t i = 0; i < tokens.size(); ++i) {
    std::string_view rest = tokens[i];
    while (!rest.empty()) {
      const size_t mark = rest.find(kSpaceMark);
      out += rest.substr(0, mark);
      if (mark == std::string_view::npos) break;
      if (i > 0 || !drop_first_space) out += ' ';
      rest.remove_prefix(mark + kSpaceMark.size());
    }
  }
  return out;
}

std::string join_bytes(std::span<const std::string_view> tokens) {
  std::string bytes;
  for (const std::string_view token : tokens) bytes += ByteBpe::bytes_of(token);
  return replace_invalid_utf8(bytes);
}

}  // namespace

std::string Tokenizer::decode(std::span<const int32_t> ids, bool skip_special) const {
  std::vector<std::string_view> tokens;
  for (const int32_t id : ids) {
    const std::string_view token = vocabulary().token(id);
    const AddedToken* added = added_.find_id(id);
    if (!skip_special || !added || !added->special) tokens.push_back(token);
  }
  if (const auto* wordpiece = std::get_if<WordPiece>(&parts_.model))
    return join_words(tokens, wordpiece->options().prefix);
  if (const auto* unigram = std::get_if<Unigram>(&parts_.model))
    return join_marked(tokens, unigram->options().prefix_space != PrefixSpace::never);
  return join_bytes(tokens);
}

}  // namespace ink
