// The files of tokenizers from before tokenizer.json ⇄ the parts of a tokenizer.
#include "text/tokenizer_older_files.h"

#include <algorithm>
#include <iterator>
#include <unordered_map>

#include "tensor/error.h"
#include "tensor/file.h"
#include "text/sentencepiece_file.h"

namespace ink {
namespace {

namespace fs = std::filesystem;
constexpr size_t kMaxFileBytes = size_t{1} << 28;
constexpr int64_t kMostTokens = 1 << 24;

struct Known {
  std::string_view class_name, model_type;
  TokenizerClass family;
};
constexpr Known kKnown[] = {
    {"BertTokenizer", "bert", TokenizerClass::bert},
    {"ElectraTokenizer", "electra", TokenizerClass::bert},
    {"DistilBertTokenizer", "distilbert", TokenizerClass::bert},
    {"MobileBertTokenizer", "mobilebert", TokenizerClass::bert},
    {"RobertaTokenizer", "roberta", TokenizerClass::roberta},
    {"XLMRobertaTokenizer", "xlm-roberta", TokenizerClass::xlm_roberta},
    {"AlbertTokenizer", "albert", TokenizerClass::albert},
    {"XLNetTokenizer", "xlnet", TokenizerClass::xlnet},
};

SpecialTokens usual_names(TokenizerClass family) {
  switch (family) {
    case TokenizerClass::bert: return {};
    case TokenizerClass::albert: return {"<unk>", "[CLS]", "[SEP]", "[MASK]", "<pad>"};
    case TokenizerClass::xlnet: return {"<unk>", "<cls>", "<sep>", "<mask>", "<pad>"};
    default: return {"<unk>", "<s>", "</s>", "<mask>", "<pad>"};
  }
}

SpecialTokens names_of(TokenizerClass family, const KnownNames& known) {
  const SpecialTokens usual = usual_names(family);
  return {known.unk.value_or(usual.unk), known.cls.value_or(usual.cls),
          known.sep.value_or(usual.sep), known.mask.value_or(usual.mask),
          known.pad.value_or(usual.pad)};
}

// In the order in which missing ones are appended.
std::array<std::string, 5> in_order(const SpecialTokens& n) {
  return {n.cls, n.sep, n.unk, n.pad, n.mask};
}

AddedToken from_decoder(const Json& item, int32_t id) {
  return {.content = item.string("content"),
          .id = id,
          .single_word = item.boolean("single_word", false),
          .lstrip = item.boolean("lstrip", false),
          .rstrip = item.boolean("rstrip", false),
          .normalized = item.boolean("normalized", false),
          .special = item.boolean("special", false)};
}

// The id that is a value of JSON at `place`.
int32_t id_from(const Json& id, int64_t highest, const std::string& place) {
  const int64_t value = id.is_number() ? id.as_integer(place) : -1;
  check(value >= 0 && value <= highest, "", place, ": expected an integer from 0 to ", highest,
        ", got ", id.to_string());
  return static_cast<int32_t>(value);
}

int32_t id_of(const std::string& digits, const std::string& place) {
  const bool plain = !digits.empty() && digits.size() < 9 &&
                     digits.find_first_not_of("0123456789") == std::string::npos;
  check(plain, "tokenizer: ", place, ": expected ids as keys, got '", digits, "'");
  return std::stoi(digits);
}

// The tokens that were added to a model's vocabulary, each content once.
class AddedList {
 public:
  // The special tokens: where `find` knows them in the vocabulary, else from id `next` on.
  template <class F>
  AddedList(const SpecialTokens& names, const F& find, int32_t next) {
    for (const std::string& name : in_order(names)) {
      if (has(name)) continue;
      const std::optional<int32_t> id = find(name);
      put({.content = name, .id = id ? *id : next++});
    }
  }

  bool has(const std::string& content) const { return places_.contains(content); }
  void put(AddedToken token) {  // in the place of an earlier one
    const auto [at, is_new] = places_.try_emplace(token.content, tokens_.size());
    if (is_new)
      tokens_.push_back(std::move(token));
    else
      tokens_[at->second] = std::move(token);
  }
  std::vector<AddedToken> sorted() && {  // by id
    std::ranges::sort(tokens_, {}, &AddedToken::id);
    return std::move(tokens_);
  }

 private:
  std::vector<AddedToken> tokens_;
  std::unordered_map<std::string, size_t> places_;  // by content
};

// Puts to them what the folder's files list.
void read_added(const fs::path& folder, const Json& config, AddedList& added) {
  if (const Json* decoder = config.find("added_tokens_decoder"); decoder && decoder->is_object())
    for (const auto& [digits, item] : decoder->members())
      added.put(from_decoder(item, id_of(digits, decoder->where())));
  const fs::path path = folder / "added_tokens.json";
  if (!fs::exists(path)) return;
  const Json listed = parse_json(read_regular_file(path, kMaxFileBytes), path.string());
  for (const auto& [token, id] : listed.members()) {
    if (added.has(token)) continue;
    added.put({.content = token,
               .id = id_from(id, kMostTokens, listed.where(token)),
               .normalized = true,
               .special = false});
  }
}

// The added tokens that a vocabulary of `size` tokens lacks, which have to follow its own; `at`
// gives the vocabulary's.
template <class F>
std::vector<std::string> missing(const std::vector<AddedToken>& added, size_t size, const F& at,
                                 const std::string& source) {
  std::vector<std::string> out;
  for (const AddedToken& token : added) {
    const auto id = static_cast<size_t>(token.id);
    const size_t next = size + out.size();
    const bool is_known = id < size && at(id) == token.content;
    const bool is_twice = id >= size && id < next && out[id - size] == token.content;
    check(is_known || is_twice || id == next, "tokenizer: ", source, ": expected added token '",
          token.content, "' to have the next id, ", next,
          ", or to stand in the vocabulary, got id ", token.id);
    if (id == next) out.push_back(token.content);
  }
  return out;
}

// The same for a list of tokens, which it completes.
void append_missing(std::vector<std::string>& tokens, const std::vector<AddedToken>& added,
                    const std::string& source) {
  const auto at = [&](size_t id) -> const std::string& { return tokens[id]; };
  std::ranges::move(missing(added, tokens.size(), at, source), std::back_inserter(tokens));
}

AddedList special_added(const std::vector<std::string>& tokens, const SpecialTokens& names) {
  const auto find = [&](const std::string& name) -> std::optional<int32_t> {
    const auto at = std::ranges::find(tokens, name);
    if (at == tokens.end()) return std::nullopt;
    return static_cast<int32_t>(at - tokens.begin());
  };
  return {names, find, static_cast<int32_t>(tokens.size())};
}

std::optional<bool> optional_boolean(const Json& object, std::string_view key) {
  const Json* value = object.find(key);
  if (!value || value->is_null()) return std::nullopt;
  return object.boolean(key);
}

TokenizerParts read_bert(const fs::path& folder, const Json& config, const KnownNames& known) {
  const fs::path path = folder / "vocab.txt";
  const SpecialTokens names = names_of(TokenizerClass::bert, known);
  Vocabulary vocabulary =
      Vocabulary::parse(read_regular_file(path, kMaxFileBytes), path.string(), names);
  AddedList list(
      names, [&](const auto& name) { return vocabulary.find(name); }, vocabulary.size());
  read_added(folder, config, list);
  std::vector<AddedToken> added = std::move(list).sorted();
  const auto at = [&](size_t id) { return vocabulary.token(static_cast<int32_t>(id)); };
  const auto size = static_cast<size_t>(vocabulary.size());
  vocabulary.append(missing(added, size, at, folder.string()), path.string());
  const NormalizeOptions options{
      .do_lower_case = config.boolean("do_lower_case", true),
      .strip_accents = optional_boolean(config, "strip_accents"),
      .tokenize_chinese_chars = config.boolean("tokenize_chinese_chars", true)};
  WordPiece model(vocabulary);
  Template frame = Template::bert(vocabulary);
  return {std::move(vocabulary), Normalizer({options}), std::move(model), std::move(frame),
          std::move(added)};
}

// The tokens of vocab.json, by id.
std::vector<std::string> read_vocab_json(const fs::path& path) {
  std::vector<std::pair<int32_t, std::string>> members;
  for_each_member(read_regular_file(path, kMaxFileBytes), path.string(), {},
                  [&](auto token, const Json& id) {
                    const int32_t number = id_from(id, kMostTokens, path.string() + ": " + token);
                    members.emplace_back(number, std::move(token));
                  });
  std::vector<std::string> tokens(members.size());
  for (auto& [id, token] : members) {
    const auto at = static_cast<size_t>(id);
    check(at < tokens.size(), "tokenizer: ", path.string(), ": ", token,
          ": expected an id below the number of tokens, ", tokens.size(), ", got ", id);
    check(tokens[at].empty(), "tokenizer: '", tokens[at], "' and '", token, "' have the same id ",
          at, " in ", path.string());
    tokens[at] = std::move(token);
  }
  return tokens;
}

TokenizerParts read_roberta(const fs::path& folder, const Json& config, const KnownNames& known) {
  const fs::path path = folder / "vocab.json";
  std::vector<std::string> tokens = read_vocab_json(path);
  const SpecialTokens names = names_of(TokenizerClass::roberta, known);
  AddedList list = special_added(tokens, names);
  read_added(folder, config, list);
  std::vector<AddedToken> added = std::move(list).sorted();
  append_missing(tokens, added, folder.string());
  Vocabulary vocabulary(std::exchange(tokens, {}), names, path.string());
  const fs::path merges = folder / "merges.txt";
  ByteBpe model(vocabulary, read_regular_file(merges, kMaxFileBytes),
                {.add_prefix_space = config.boolean("add_prefix_space", false),
                 .trim_offsets = config.boolean("trim_offsets", true)},
                merges.string());
  Template frame = Template::roberta(vocabulary);
  return {std::move(vocabulary), Normalizer(), std::move(model), std::move(frame),
          std::move(added)};
}

// fairseq's own four come first; the pieces follow from the fourth on, and <mask> is last.
void shift_by_fairseq(std::vector<SentencePieceFile::Piece>& pieces, const SpecialTokens& names) {
  using Type = SentencePieceFile::Type;
  pieces.erase(pieces.begin(), pieces.begin() + std::min<ptrdiff_t>(3, std::ssize(pieces)));
  pieces.insert(pieces.begin(), {{names.cls, 0, Type::control},
                                 {names.pad, 0, Type::control},
                                 {names.sep, 0, Type::control},
                                 {names.unk, 0, Type::unknown}});
  pieces.push_back({names.mask, 0, Type::control});
}

Normalizer sentencepiece_normalizer(TokenizerClass family, const Json& config, std::string charsmap,
                                    const std::string& source) {
  std::vector<NormalizerStep> steps;
  if (family != TokenizerClass::xlm_roberta) {
    steps = {Replace{U"``", U"\""}, Replace{U"''", U"\""}};
    if (family == TokenizerClass::xlnet || !config.boolean("keep_accents", false)) {
      steps.emplace_back(Decompose{.compatible = true});
      steps.emplace_back(StripAccents{});
    }
    if (config.boolean("do_lower_case", family == TokenizerClass::albert))
      steps.emplace_back(Lowercase{});
  }
  if (!charsmap.empty())
    steps.emplace_back(std::make_shared<const Charsmap>(std::move(charsmap), source));
  return Normalizer(std::move(steps));
}

const char* sentencepiece_name(TokenizerClass family) {
  return family == TokenizerClass::xlm_roberta ? "sentencepiece.bpe.model" : "spiece.model";
}

TokenizerParts read_sentencepiece(const fs::path& folder, TokenizerClass family, const Json& config,
                                  const KnownNames& known) {
  using Type = SentencePieceFile::Type;
  const fs::path path = folder / sentencepiece_name(family);
  const SpecialTokens names = names_of(family, known);
  SentencePieceFile file =
      parse_sentencepiece(read_regular_file(path, kMaxFileBytes), path.string());
  if (family == TokenizerClass::xlm_roberta) shift_by_fairseq(file.pieces, names);
  std::vector<std::string> tokens;
  std::vector<double> scores;
  for (const auto& [text, score, type] : file.pieces) {
    tokens.push_back(text);
    scores.push_back(score);
  }
  AddedList list = special_added(tokens, names);
  for (size_t id = 0; id < file.pieces.size(); ++id) {
    const auto& [text, score, type] = file.pieces[id];
    if ((type == Type::control || type == Type::user_defined) && !list.has(text))
      list.put({.content = text, .id = static_cast<int32_t>(id), .special = type == Type::control});
  }
  file.pieces = {};
  read_added(folder, config, list);
  std::vector<AddedToken> added = std::move(list).sorted();
  append_missing(tokens, added, folder.string());
  Vocabulary vocabulary(std::exchange(tokens, {}), names, path.string());
  Unigram model(vocabulary, std::move(scores), vocabulary.unk());
  Template frame = family == TokenizerClass::xlm_roberta ? Template::roberta(vocabulary)
                   : family == TokenizerClass::xlnet     ? Template::xlnet(vocabulary)
                                                         : Template::bert(vocabulary);
  Normalizer normalizer =
      sentencepiece_normalizer(family, config, std::move(file.charsmap), path.string());
  return {std::move(vocabulary), std::move(normalizer), std::move(model), std::move(frame),
          std::move(added)};
}

}  // namespace

TokenizerClass tokenizer_class_of(const fs::path& folder, const Json& config) {
  std::string name = config.string("tokenizer_class", "");
  if (name.ends_with("Fast")) name.resize(name.size() - 4);
  if (!name.empty()) {
    for (const Known& known : kKnown)
      if (name == known.class_name) return known.family;
    fail("tokenizer: expected the tokenizer of one of BERT's kin, such as BertTokenizer, got ",
         name, " in ", config.where("tokenizer_class"));
  }
  if (const fs::path path = folder / "config.json"; fs::exists(path)) {
    const Json model =
        parse_json(read_regular_file(path, kMaxFileBytes), path.string(), {.long_integers = true});
    for (const Known& known : kKnown)
      if (model.string("model_type", "") == known.model_type) return known.family;
  }
  if (fs::exists(folder / "vocab.txt")) return TokenizerClass::bert;
  if (fs::exists(folder / "vocab.json")) return TokenizerClass::roberta;
  if (fs::exists(folder / "sentencepiece.bpe.model")) return TokenizerClass::xlm_roberta;
  check(!fs::exists(folder / "spiece.model"), "tokenizer: expected ",
        (folder / "tokenizer_config.json").string(),
        " to name a tokenizer_class beside spiece.model: AlbertTokenizer or XLNetTokenizer");
  return TokenizerClass::bert;
}

TokenizerClass tokenizer_class_of(const TokenizerParts& parts) {
  if (std::holds_alternative<WordPiece>(parts.model)) return TokenizerClass::bert;
  if (std::holds_alternative<ByteBpe>(parts.model)) return TokenizerClass::roberta;
  const auto& single = parts.frame.single;
  if (!single.empty() && single[0].kind == TemplatePart::Kind::first) return TokenizerClass::xlnet;
  const auto in_second = [](const TemplatePart& p) { return p.segment == 1; };
  const auto& pair = parts.frame.pair;
  return std::any_of(pair.begin(), pair.end(), in_second) ? TokenizerClass::albert
                                                          : TokenizerClass::xlm_roberta;
}

const char* class_of(TokenizerClass family) {
  for (const Known& known : kKnown)
    if (known.family == family) return known.class_name.data();
  return "";
}

TokenizerParts read_older_files(const fs::path& folder, const Json& config,
                                const KnownNames& names) {
  const TokenizerClass family = tokenizer_class_of(folder, config);
  // Chinese ALBERTs come with BERT's vocabulary, and name BERT's class or none.
  if (family == TokenizerClass::bert ||
      (fs::exists(folder / "vocab.txt") && family == TokenizerClass::albert))
    return read_bert(folder, config, names);
  if (family == TokenizerClass::roberta) return read_roberta(folder, config, names);
  return read_sentencepiece(folder, family, config, names);
}

// ── writing ─────────────────────────────────────────────────────────────────────────────────────

namespace {

void write_bpe(const fs::path& folder, const ByteBpe& model, const Vocabulary& vocabulary) {
  Json::Members tokens;
  for (int32_t id = 0; id < vocabulary.size(); ++id)
    tokens.push_back({std::string(vocabulary.token(id)), id});
  write_file(folder / "vocab.json", Json::make_object(std::move(tokens)).to_string() + '\n');
  std::string lines = "#version: 0.2\n";
  for (const auto& [left, right] : model.merges()) {
    lines.append(vocabulary.token(left)).append(1, ' ');
    lines.append(vocabulary.token(right)).append(1, '\n');
  }
  write_file(folder / "merges.txt", lines);
}

void write_unigram(const fs::path& folder, const Unigram& model, const TokenizerParts& parts) {
  using Type = SentencePieceFile::Type;
  SentencePieceFile file;
  for (const NormalizerStep& step : parts.normalizer.steps())
    if (const auto* map = std::get_if<std::shared_ptr<const Charsmap>>(&step))
      file.charsmap = (*map)->bytes();
  const TokenizerClass family = tokenizer_class_of(parts);
  for (size_t id = 0; id < model.scores().size(); ++id) {
    const std::string text(parts.vocabulary.token(static_cast<int32_t>(id)));
    Type type = Type::normal;
    for (const AddedToken& token : parts.added)
      if (token.id == static_cast<int32_t>(id))
        type = token.special ? Type::control : Type::user_defined;
    if (static_cast<int32_t>(id) == model.unknown()) type = Type::unknown;
    file.pieces.push_back({text, static_cast<float>(model.scores()[id]), type});
  }
  if (family == TokenizerClass::xlm_roberta) {
    const Vocabulary& v = parts.vocabulary;
    const auto last = static_cast<int32_t>(file.pieces.size()) - 1;
    // Only ids laid out as fairseq does it can be written so.
    if (v.cls() != 0 || v.pad() != 1 || v.sep() != 2 || v.unk() != 3 || v.mask() != last) return;
    file.pieces.pop_back();
    file.pieces.erase(file.pieces.begin(), file.pieces.begin() + 4);
    file.pieces.insert(file.pieces.begin(), {{v.special_tokens().unk, 0, Type::unknown},
                                             {v.special_tokens().cls, 0, Type::control},
                                             {v.special_tokens().sep, 0, Type::control}});
  }
  write_file(folder / sentencepiece_name(family), write_sentencepiece(file));
}

}  // namespace

void write_older_files(const fs::path& folder, const TokenizerParts& parts) {
  if (std::holds_alternative<WordPiece>(parts.model))
    parts.vocabulary.save(folder / "vocab.txt");
  else if (const auto* bpe = std::get_if<ByteBpe>(&parts.model))
    write_bpe(folder, *bpe, parts.vocabulary);
  else
    write_unigram(folder, std::get<Unigram>(parts.model), parts);
}

}  // namespace ink
