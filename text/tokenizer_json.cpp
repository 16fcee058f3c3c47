// tokenizer.json ⇄ the parts of a tokenizer.
#include "text/tokenizer_json.h"

#include <algorithm>

#include "tensor/error.h"
#include "text/tokenizer_json_chain.h"

namespace ink {
namespace {

constexpr int64_t kMostTokens = 1 << 24;

std::vector<AddedToken> read_added_tokens(const Json& file) {
  std::vector<AddedToken> out;
  if (!file.has("added_tokens")) return out;
  for (const Json& item : file.array("added_tokens").items())
    out.push_back({.content = item.string("content"),
                   .id = static_cast<int32_t>(item.integer_between("id", 0, kMostTokens)),
                   .single_word = item.boolean("single_word", false),
                   .lstrip = item.boolean("lstrip", false),
                   .rstrip = item.boolean("rstrip", false),
                   .normalized = item.boolean("normalized", false),
                   .special = item.boolean("special", false)});
  return out;
}

// The tokens by id, without gaps: those of the model (an object token → id, or an array of pairs in
// order of ids) and the added ones.
class TokenList {
 public:
  explicit TokenList(const std::string& source) : source_(source) {}

  void put(int64_t id, const std::string& token) {
    check(id >= 0 && id <= kMostTokens, "tokenizer: expected ids from 0 to ", kMostTokens, " in ",
          source_, ", got ", id, " for '", token, "'");
    const auto at = static_cast<size_t>(id);
    waiting_.emplace_back(at, token);
  }

  std::vector<std::string> take() {
    std::vector<std::string> tokens;
    std::stable_sort(waiting_.begin(), waiting_.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
    for (auto& [id, token] : waiting_) {
      if (id < tokens.size()) {
        check(tokens[id] == token, "tokenizer: '", tokens[id], "' and '", token,
              "' have the same id ", id, " in ", source_);
        continue;
      }
      check(id == tokens.size(), "tokenizer: expected ids without gaps in ", source_,
            ", got none of ", tokens.size(), " but ", id, " for '", token, "'");
      tokens.push_back(std::move(token));
    }
    return tokens;
  }

 private:
  const std::string& source_;
  std::vector<std::pair<size_t, std::string>> waiting_;
};

// The one added token with `part` in its name, in any case: [PAD], <pad>.
std::optional<std::string> named_like(const std::vector<AddedToken>& added, std::string_view part) {
  for (const AddedToken& token : added) {
    std::string lower = token.content;
    for (char& c : lower) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
    if (token.special && lower.find(part) != std::string::npos) return token.content;
  }
  return std::nullopt;
}

SpecialTokens special_tokens(const KnownNames& known, const std::optional<std::string>& unknown,
                             const Template& frame, const std::vector<AddedToken>& added,
                             const std::vector<std::string>& tokens, const std::string& source) {
  std::vector<int32_t> framing;
  for (const TemplatePart& part : frame.single)
    if (part.kind == TemplatePart::Kind::token) framing.push_back(part.id);
  // BERT and RoBERTa begin with what they classify by; XLNet ends with it.
  const bool begins = !frame.single.empty() && frame.single[0].kind == TemplatePart::Kind::token;
  const auto framed = [&](bool first) -> std::optional<std::string> {
    if (framing.size() < 2) return std::nullopt;
    return tokens[static_cast<size_t>(first == begins ? framing.front() : framing.back())];
  };
  const auto choose = [&](const char* what, const std::optional<std::string>& named,
                          const std::optional<std::string>& found) {
    check(named || found, "tokenizer: expected a ", what, " in ", source, ", got none; add ", what,
          " to tokenizer_config.json");
    return named ? *named : *found;
  };
  return {.unk = choose("unk_token", known.unk, unknown ? unknown : named_like(added, "unk")),
          .cls = choose("cls_token", known.cls, framed(true)),
          .sep = choose("sep_token", known.sep, framed(false)),
          .mask = choose("mask_token", known.mask, named_like(added, "mask")),
          .pad = choose("pad_token", known.pad, named_like(added, "pad"))};
}

std::vector<ByteBpe::Merge> read_merges(const Json& model) {
  std::vector<ByteBpe::Merge> out;
  for (const Json& item : model.array("merges").items()) {
    if (item.is_array()) {
      out.emplace_back(item.string(0), item.string(1));
      continue;
    }
    const std::string& line = item.as_string(model.where("merges"));
    const size_t space = line.find(' ');
    check(space != std::string::npos, "tokenizer: ", model.where("merges"),
          ": expected two tokens and a space between them, got '", line, "'");
    out.emplace_back(line.substr(0, space), line.substr(space + 1));
  }
  return out;
}

void refuse(const Json& model, const char* key) {
  const Json* value = model.find(key);
  const bool is_off = !value || value->is_null() ||
                      (value->is_string() && value->as_string().empty()) ||
                      (value->type() == Json::Type::boolean && !value->as_boolean());
  check(is_off, "tokenizer: ", model.where(key), ": expected none, as none of BERT's kin has any");
}

WordPiece read_wordpiece(const Json& model, const Vocabulary& vocabulary) {
  const int64_t longest = model.integer("max_input_chars_per_word", 100);
  check(longest > 0, "tokenizer: ", model.where("max_input_chars_per_word"),
        ": expected a number above 0, got ", longest);
  return WordPiece(vocabulary, {.prefix = model.string("continuing_subword_prefix", "##"),
                                .longest_word = static_cast<size_t>(longest)});
}

ByteBpe read_bpe(const Json& file, const Json& model, const Vocabulary& vocabulary) {
  for (const char* key : {"dropout", "continuing_subword_prefix", "end_of_word_suffix",
                          "byte_fallback", "ignore_merges"})
    refuse(model, key);
  return ByteBpe(vocabulary, read_merges(model), read_byte_level(file), model.where("merges"));
}

Unigram read_unigram(const Json& file, const Json& model, const Vocabulary& vocabulary) {
  refuse(model, "byte_fallback");
  std::vector<double> scores;
  for (const Json& item : model.array("vocab").items()) scores.push_back(item.real(1));
  const auto unknown = model.integer_between("unk_id", 0, static_cast<int64_t>(scores.size()) - 1);
  return Unigram(vocabulary, std::move(scores), static_cast<int32_t>(unknown),
                 read_metaspace(file));
}

std::variant<WordPiece, ByteBpe, Unigram> read_model(const Json& file, const Json& model,
                                                     const Vocabulary& vocabulary) {
  const std::string type = model.string("type", "");
  if (type == "WordPiece") {
    check_bert_pre_tokenizer(file);
    return read_wordpiece(model, vocabulary);
  }
  if (type == "BPE") return read_bpe(file, model, vocabulary);
  return read_unigram(file, model, vocabulary);
}

}  // namespace

TokenizerParts parse_tokenizer_json(std::string_view text, const std::string& source,
                                    const KnownNames& names) {
  const Json file = parse_json(text, source, {.long_integers = true});
  const Json& model = file.object("model");
  const std::string type = model.string("type", "");
  check(type == "WordPiece" || type == "BPE" || type == "Unigram",
        "tokenizer: ", model.where("type"), ": expected WordPiece, BPE or Unigram, got '", type,
        "'");
  TokenList list(source);
  std::optional<std::string> unknown;
  if (type == "Unigram") {
    int64_t id = 0;
    for (const Json& item : model.array("vocab").items()) list.put(id++, item.string(0));
    const int64_t unk = model.integer_between("unk_id", 0, id - 1);
    unknown = model.array("vocab")[unk].string(0);
  } else {
    for (const auto& [token, id] : model.object("vocab").members())
      list.put(id.as_integer(token), token);
    if (const Json* name = model.find("unk_token"); name && name->is_string())
      unknown = name->as_string();
  }
  std::vector<AddedToken> added = read_added_tokens(file);
  for (const AddedToken& token : added) list.put(token.id, token.content);
  std::vector<std::string> tokens = list.take();
  Template frame = read_post_processor(file, static_cast<int64_t>(tokens.size()));
  SpecialTokens special = special_tokens(names, unknown, frame, added, tokens, source);
  Vocabulary vocabulary(std::move(tokens), std::move(special), source);
  auto read = read_model(file, model, vocabulary);
  return {std::move(vocabulary), read_normalizer(file), std::move(read), std::move(frame),
          std::move(added)};
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

// Tokens that the model itself knows: for Unigram those with a score, for the others all.
Json write_vocabulary(const Vocabulary& vocabulary) {
  Json::Members out;
  for (int32_t id = 0; id < vocabulary.size(); ++id) out.push_back({vocabulary.token(id), id});
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
                             {"vocab", write_vocabulary(vocabulary)}})};
}

Json byte_level(const ByteBpeOptions& options) {
  return Json::make_object({{"type", "ByteLevel"},
                            {"add_prefix_space", options.add_prefix_space},
                            {"trim_offsets", options.trim_offsets},
                            {"use_regex", true}});
}

WrittenModel write_model(const ByteBpe& model, const Vocabulary& vocabulary) {
  Json merges = Json::make_array();
  for (const auto& [left, right] : model.merges()) merges.append(Json::make_array({left, right}));
  return {byte_level(model.options()), byte_level(model.options()),
          Json::make_object({{"type", "BPE"},
                             {"dropout", nullptr},
                             {"unk_token", nullptr},
                             {"continuing_subword_prefix", ""},
                             {"end_of_word_suffix", ""},
                             {"fuse_unk", false},
                             {"byte_fallback", false},
                             {"ignore_merges", false},
                             {"vocab", write_vocabulary(vocabulary)},
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
