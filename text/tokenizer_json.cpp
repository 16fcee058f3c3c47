// tokenizer.json ⇄ the parts of a tokenizer.
#include "text/tokenizer_json.h"

#include <algorithm>
#include <utility>

#include "tensor/error.h"
#include "text/tokenizer_json_chain.h"

namespace ink {
namespace {

constexpr int64_t kMostTokens = 1 << 24;
constexpr size_t kMostOtherValues = 1 << 16;  // that are no token, merge or added token

// Appends a merge, as merges.txt would have it.
void read_merge(const Json& item, const std::string& source, std::string& lines) {
  std::string line;
  if (item.is_array())
    line.append(item.string(0)).append(1, ' ').append(item.string(1));
  else
    line = item.as_string(source + ": model: merges");
  check(!line.empty() && line.find('\n') == std::string::npos, "tokenizer: ", source,
        ": model: merges: expected two tokens and a space between them, got '", line, "'");
  lines.append(line).append(1, '\n');
}

// The lists of the file, which make up nearly all of it, taken as they are read, so that no more
// than their content is in memory; `rest` is the file without them.
struct Lists {
  std::vector<std::pair<int32_t, std::string>> vocabulary;  // ids and tokens
  std::vector<double> scores;                               // of a Unigram model's, in order
  std::string merges;                                       // lines as in merges.txt
  std::vector<AddedToken> added;
  Json rest;
};

Lists read_lists(std::string_view text, const std::string& source) {
  Lists out;
  const auto visit = [&](size_t path, std::string key, const Json& value) {
    if (path == 1) return read_merge(value, source, out.merges);
    if (path == 2) {
      check(!value.string("content").empty(), "tokenizer: ", value.where("content"),
            ": expected the added token's text, got none");
      return out.added.push_back(read_added_token(value));
    }
    if (value.is_array()) {  // a piece and its score; its place is its id
      out.vocabulary.emplace_back(static_cast<int32_t>(out.scores.size()), value.string(0));
      return out.scores.push_back(value.real(1));
    }
    const int64_t id = value.as_integer(source + ": model: vocab: " + key);
    check(id >= 0 && id <= kMostTokens, "tokenizer: expected ids from 0 to ", kMostTokens, " in ",
          source, ", got ", id, " for '", key, "'");
    out.vocabulary.emplace_back(static_cast<int32_t>(id), std::move(key));
  };
  out.rest = parse_json(text, source, {.values = kMostOtherValues, .long_integers = true},
                        {"model.vocab", "model.merges", "added_tokens"}, visit);
  return out;
}

// The one added token with `part` in its name, in any case: [PAD], <pad>.
std::optional<std::string> named_like(const std::vector<AddedToken>& added, std::string_view part) {
  for (const AddedToken& token : added) {
    std::string lower = token.content;
    for (char& c : lower) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
    if (token.special && lower.find(part) != std::string::npos) return token.content;
  }
  return std::nullopt;
}

// Those known by name, else what the file uses as such, else what they are usually called.
KnownTokens find_special(KnownTokens known, const std::optional<std::string>& unknown,
                         const Template& frame, const std::vector<AddedToken>& added,
                         const Vocabulary& vocabulary, const std::string& source) {
  std::vector<int32_t> framing;
  for (const TemplatePart& part : frame.single)
    if (part.kind == TemplatePart::Kind::token) framing.push_back(part.id);
  // BERT and RoBERTa begin with what they classify by; XLNet ends with it.
  const bool begins = !frame.single.empty() && frame.single[0].kind == TemplatePart::Kind::token;
  const auto framed = [&](bool first) -> std::optional<std::string> {
    if (framing.size() < 2) return std::nullopt;
    return std::string(vocabulary.token(first == begins ? framing.front() : framing.back()));
  };
  const auto choose = [&](std::optional<AddedToken>& token, const std::optional<std::string>& found,
                          std::string SpecialTokens::*usual) {
    if (token) return;
    if (found)
      token = AddedToken{.content = *found};
    else if (known.usual)
      token = AddedToken{.content = (*known.usual).*usual};
  };
  choose(known.unk, unknown ? unknown : named_like(added, "unk"), &SpecialTokens::unk);
  choose(known.cls, framed(true), &SpecialTokens::cls);
  choose(known.sep, framed(false), &SpecialTokens::sep);
  choose(known.mask, named_like(added, "mask"), &SpecialTokens::mask);
  choose(known.pad, named_like(added, "pad"), &SpecialTokens::pad);
  for (const auto& [what, token] :
       {std::pair{"unk_token", &known.unk}, {"cls_token", &known.cls}, {"sep_token", &known.sep}})
    check(token->has_value(), "tokenizer: expected a ", what, " in ", source, ", got none; add ",
          what, " to tokenizer_config.json");
  return known;
}

void refuse(const Json& model, const char* key) {
  const Json* value = model.find(key);
  const bool is_off = !value || value->is_null() ||
                      (value->is_string() && value->as_string().empty()) ||
                      (value->type() == Json::Type::boolean && !value->as_boolean());
  check(is_off, "tokenizer: ", model.where(key), ": expected none, as none of BERT's kin has any");
}

WordPiece read_wordpiece(const Json& model, const Vocabulary& vocabulary, int32_t own) {
  const int64_t longest = model.integer("max_input_chars_per_word", 100);
  check(longest > 0, "tokenizer: ", model.where("max_input_chars_per_word"),
        ": expected a number above 0, got ", longest);
  return WordPiece(vocabulary, own,
                   {.prefix = model.string("continuing_subword_prefix", "##"),
                    .longest_word = static_cast<size_t>(longest)});
}

ByteBpe read_bpe(const Json& model, Lists& lists, const Vocabulary& vocabulary) {
  for (const char* key : {"dropout", "continuing_subword_prefix", "end_of_word_suffix",
                          "byte_fallback", "ignore_merges"})
    refuse(model, key);
  return ByteBpe(vocabulary, lists.merges, read_byte_level(lists.rest), model.where("merges"));
}

Unigram read_unigram(const Json& model, Lists& lists, const Vocabulary& vocabulary) {
  refuse(model, "byte_fallback");
  const auto unknown = static_cast<int32_t>(model.integer("unk_id"));
  return Unigram(vocabulary, std::move(lists.scores), unknown, read_metaspace(lists.rest));
}

std::variant<WordPiece, ByteBpe, Unigram> read_model(const Json& model, Lists& lists,
                                                     const Vocabulary& vocabulary, int32_t own) {
  const std::string type = model.string("type", "");
  if (type == "WordPiece") {
    check_bert_pre_tokenizer(lists.rest);
    return read_wordpiece(model, vocabulary, own);
  }
  if (type == "BPE") return read_bpe(model, lists, vocabulary);
  return read_unigram(model, lists, vocabulary);
}

// The name of the unknown token, where the model has one.
std::optional<std::string> unknown_name(const Json& model, const Lists& lists) {
  if (model.string("type") == "Unigram") {
    check(lists.scores.size() == lists.vocabulary.size(), "tokenizer: ", model.where("vocab"),
          ": expected pairs of a piece and its score");
    const auto last = static_cast<int64_t>(lists.scores.size()) - 1;
    return lists.vocabulary[static_cast<size_t>(model.integer_between("unk_id", 0, last))].second;
  }
  check(lists.scores.empty(), "tokenizer: ", model.where("vocab"), ": expected ids by token");
  const Json* name = model.find("unk_token");
  return name && name->is_string() ? std::optional(name->as_string()) : std::nullopt;
}

}  // namespace

TokenizerParts parse_tokenizer_json(std::string_view text, const std::string& source,
                                    const KnownTokens& known) {
  Lists lists = read_lists(text, source);
  const Json& model = lists.rest.object("model");
  const std::string type = model.string("type", "");
  check(type == "WordPiece" || type == "BPE" || type == "Unigram",
        "tokenizer: ", model.where("type"), ": expected WordPiece, BPE or Unigram, got '", type,
        "'");
  const std::optional<std::string> unknown = unknown_name(model, lists);
  Vocabulary vocabulary(tokens_by_id(std::exchange(lists.vocabulary, {}), source),
                        SpecialTokens::none(), source);
  const int32_t own = vocabulary.size();
  AddedList list(vocabulary);
  for (const AddedToken& token : lists.added) list.put(token);
  vocabulary.append(list.take_new(), SpecialTokens::none(), source);
  Template frame = read_post_processor(lists.rest, vocabulary.size());
  const KnownTokens special = find_special(known, unknown, frame, lists.added, vocabulary, source);
  (known.usual ? special : known).put_to(list);
  vocabulary.append(list.take_new(), special.names(), source);
  auto read = read_model(model, lists, vocabulary, own);
  return {std::move(vocabulary), read_normalizer(lists.rest), std::move(read), std::move(frame),
          std::move(list).sorted()};
}

// ── writing ─────────────────────────────────────────────────────────────────────────────────────

namespace {

Json write_added_tokens(const std::vector<AddedToken>& added) {
  Json out = Json::make_array();
  for (const AddedToken& t : added)
    out.append(Json::make_object({{"id", t.id},
                                  {"content", t.content},
                                  {"single_word", t.single_word},
                                  {"lstrip", t.lstrip},
                                  {"rstrip", t.rstrip},
                                  {"normalized", t.normalized},
                                  {"special", t.special}}));
  return out;
}

// The first `own` tokens, which the model itself knows; of equal ones the last.
Json write_vocabulary(const Vocabulary& vocabulary, int32_t own) {
  Json::Members out;
  for (int32_t id = 0; id < own; ++id)
    if (vocabulary.find(vocabulary.token(id)) == id)
      out.push_back({std::string(vocabulary.token(id)), id});
  return Json::make_object(std::move(out));
}

struct WrittenModel {
  Json pre_tokenizer, decoder, model;
};

WrittenModel write_model(const WordPiece& model, const Vocabulary& vocabulary) {
  const std::string& prefix = model.options().prefix;
  return {Json::make_object({{"type", "BertPreTokenizer"}}),
          Json::make_object({{"type", "WordPiece"}, {"prefix", prefix}, {"cleanup", true}}),
          Json::make_object({{"type", "WordPiece"},
                             {"unk_token", vocabulary.special_tokens().unk},
                             {"continuing_subword_prefix", prefix},
                             {"max_input_chars_per_word", model.options().longest_word},
                             {"vocab", write_vocabulary(vocabulary, model.own())}})};
}

Json byte_level(const ByteBpeOptions& options) {
  return Json::make_object({{"type", "ByteLevel"},
                            {"add_prefix_space", options.add_prefix_space},
                            {"trim_offsets", options.trim_offsets},
                            {"use_regex", true}});
}

WrittenModel write_model(const ByteBpe& model, const Vocabulary& vocabulary) {
  Json merges = Json::make_array();
  for (const auto& [left, right] : model.merges())
    merges.append(
        std::string(vocabulary.token(left)).append(1, ' ').append(vocabulary.token(right)));
  return {byte_level(model.options()), byte_level(model.options()),
          Json::make_object({{"type", "BPE"},
                             {"dropout", nullptr},
                             {"unk_token", nullptr},
                             {"continuing_subword_prefix", ""},
                             {"end_of_word_suffix", ""},
                             {"fuse_unk", false},
                             {"byte_fallback", false},
                             {"ignore_merges", false},
                             {"vocab", write_vocabulary(vocabulary, vocabulary.size())},
                             {"merges", std::move(merges)}})};
}

WrittenModel write_model(const Unigram& model, const Vocabulary& vocabulary) {
  const UnigramOptions& options = model.options();
  constexpr const char* kSchemes[] = {"always", "first", "never"};  // by PrefixSpace
  const Json metaspace =
      Json::make_object({{"type", "Metaspace"},
                         {"replacement", "▁"},
                         {"prepend_scheme", kSchemes[static_cast<size_t>(options.prefix_space)]},
                         {"split", options.split_words}});
  Json pre_tokenizer = metaspace;
  if (options.split_whitespace)
    pre_tokenizer = Json::make_object(
        {{"type", "Sequence"},
         {"pretokenizers",
          Json::make_array({Json::make_object({{"type", "WhitespaceSplit"}}), metaspace})}});
  Json pieces = Json::make_array();
  for (size_t id = 0; id < model.scores().size(); ++id)
    pieces.append(
        Json::make_array({vocabulary.token(static_cast<int32_t>(id)), model.scores()[id]}));
  return {std::move(pre_tokenizer), metaspace,
          Json::make_object({{"type", "Unigram"},
                             {"unk_id", model.unknown()},
                             {"vocab", std::move(pieces)},
                             {"byte_fallback", false}})};
}

}  // namespace

Json tokenizer_json(const TokenizerParts& parts) {
  auto [pre_tokenizer, decoder, model] =
      std::visit([&](const auto& one) { return write_model(one, parts.vocabulary); }, parts.model);
  Json post_processor = write_post_processor(parts.frame, parts.vocabulary);
  if (const auto* bpe = std::get_if<ByteBpe>(&parts.model); bpe && bpe->options().trim_offsets)
    post_processor = Json::make_object(
        {{"type", "Sequence"},
         {"processors",
          Json::make_array({byte_level(bpe->options()), std::move(post_processor)})}});
  return Json::make_object({{"version", "1.0"},
                            {"truncation", nullptr},
                            {"padding", nullptr},
                            {"added_tokens", write_added_tokens(parts.added)},
                            {"normalizer", write_normalizer(parts.normalizer)},
                            {"pre_tokenizer", std::move(pre_tokenizer)},
                            {"post_processor", std::move(post_processor)},
                            {"decoder", std::move(decoder)},
                            {"model", std::move(model)}});
}

}  // namespace ink
