// The files of tokenizers from before tokenizer.json ⇄ the parts of a tokenizer.
#include "text/tokenizer_older_files.h"

#include <algorithm>

#include "tensor/error.h"
#include "tensor/file.h"
#include "tensor/json_bounded.h"
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

// Completes what is known by the family's usual names, and so in the order in which missing tokens
// are appended.
KnownTokens with_usual_names(KnownTokens known, TokenizerClass family) {
  const SpecialTokens usual = usual_names(family);
  const auto complete = [](std::optional<AddedToken>& token, const std::string& name) {
    if (!token) token = AddedToken{.content = name};
  };
  complete(known.unk, usual.unk);
  complete(known.cls, usual.cls);
  complete(known.sep, usual.sep);
  complete(known.mask, usual.mask);
  complete(known.pad, usual.pad);
  if (family == TokenizerClass::bert || family == TokenizerClass::xlnet) return known;
  if (!known.bos) known.bos = known.cls;  // the others begin and end a text with these
  if (!known.eos) known.eos = known.sep;
  return known;
}

// The id that is a value of JSON at `place`.
int32_t id_from(const Json& id, int64_t highest, const std::string& place) {
  const int64_t value = id.is_number() ? id.as_integer(place) : -1;
  check(value >= 0 && value <= highest, "", place, ": expected an integer from 0 to ", highest,
        ", got ", id.to_string());
  return static_cast<int32_t>(value);
}

TokenizerParts read_bert(const fs::path& folder, const Json& config, const KnownTokens& known) {
  const fs::path path = folder / "vocab.txt";
  Vocabulary vocabulary = Vocabulary::load(path, SpecialTokens::none());
  const int32_t own = vocabulary.size();
  AddedList added(vocabulary);
  known.put_to(added);
  vocabulary.append(added.take_new(), known.names(), path.string());
  WordPiece model(vocabulary, own);
  Template frame = Template::bert(vocabulary);
  return {std::move(vocabulary), Normalizer({bert_options(config)}), std::move(model),
          std::move(frame), std::move(added).sorted()};
}

// The tokens of vocab.json, by id.
std::vector<std::string> read_vocab_json(const fs::path& path) {
  std::vector<std::pair<int32_t, std::string>> members;
  const std::string text = read_regular_file(path, kMaxFileBytes);
  for_each_bounded_member(text, path.string(), [&](auto token, const Json& id) {
    const int32_t number = id_from(id, kMostTokens, path.string() + ": " + token);
    members.emplace_back(number, std::move(token));
  });
  return tokens_by_id(std::move(members), path.string());
}

TokenizerParts read_roberta(const fs::path& folder, const Json& config, const KnownTokens& known) {
  const fs::path path = folder / "vocab.json";
  Vocabulary vocabulary(read_vocab_json(path), SpecialTokens::none(), path.string());
  AddedList added(vocabulary);
  known.put_to(added);
  vocabulary.append(added.take_new(), known.names(), path.string());
  const fs::path merges = folder / "merges.txt";
  ByteBpe model(vocabulary, read_regular_file(merges, kMaxFileBytes), byte_bpe_options(config),
                merges.string());
  Template frame = Template::roberta(vocabulary);
  return {std::move(vocabulary), Normalizer(), std::move(model), std::move(frame),
          std::move(added).sorted()};
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
                                  const KnownTokens& known) {
  using Type = SentencePieceFile::Type;
  const fs::path path = folder / sentencepiece_name(family);
  SentencePieceFile file =
      parse_sentencepiece(read_regular_file(path, kMaxFileBytes), path.string());
  if (family == TokenizerClass::xlm_roberta) shift_by_fairseq(file.pieces, known.names());
  std::vector<std::string> tokens;
  std::vector<double> scores;
  for (const auto& [text, score, type] : file.pieces) {
    tokens.push_back(text);
    scores.push_back(score);
  }
  Vocabulary vocabulary(std::exchange(tokens, {}), SpecialTokens::none(), path.string());
  AddedList added(vocabulary);
  for (const auto& [text, score, type] : file.pieces)
    if (type == Type::control || type == Type::user_defined)
      added.put_missing({.content = text, .special = type == Type::control});
  file.pieces = {};
  known.put_to(added);
  vocabulary.append(added.take_new(), known.names(), path.string());
  Unigram model(vocabulary, std::move(scores), vocabulary.unk());
  Template frame = family == TokenizerClass::xlm_roberta ? Template::roberta(vocabulary)
                   : family == TokenizerClass::xlnet     ? Template::xlnet(vocabulary)
                                                         : Template::bert(vocabulary);
  Normalizer normalizer =
      sentencepiece_normalizer(family, config, std::move(file.charsmap), path.string());
  return {std::move(vocabulary), std::move(normalizer), std::move(model), std::move(frame),
          std::move(added).sorted()};
}

}  // namespace

SpecialTokens usual_names(TokenizerClass family) {
  switch (family) {
    case TokenizerClass::bert: return {};
    case TokenizerClass::albert: return {"<unk>", "[CLS]", "[SEP]", "[MASK]", "<pad>"};
    case TokenizerClass::xlnet: return {"<unk>", "<cls>", "<sep>", "<mask>", "<pad>"};
    default: return {"<unk>", "<s>", "</s>", "<mask>", "<pad>"};
  }
}

NormalizeOptions bert_options(const Json& config) {
  return {.do_lower_case = config.boolean("do_lower_case", true),
          .strip_accents = optional_boolean(config, "strip_accents"),
          .tokenize_chinese_chars = config.boolean("tokenize_chinese_chars", true)};
}

ByteBpeOptions byte_bpe_options(const Json& config) {
  return {.add_prefix_space = config.boolean("add_prefix_space", false),
          .trim_offsets = config.boolean("trim_offsets", true)};
}

// model_max_length is 10^30 in the files of other programs.
Json read_json_if_there(const fs::path& path) {
  if (!fs::exists(path)) return Json::make_object();
  const std::string text = read_regular_file(path, kMaxFileBytes);
  return parse_bounded_json(text, path.string(), {.long_integers = true});
}

std::optional<TokenizerClass> tokenizer_class_named(const fs::path& folder, const Json& config) {
  std::string name = config.string("tokenizer_class", "");
  if (name.ends_with("Fast")) name.resize(name.size() - 4);
  const std::string type =
      name.empty() ? read_json_if_there(folder / "config.json").string("model_type", "") : "";
  for (const Known& known : kKnown)
    if (name.empty() ? type == known.model_type : name == known.class_name) return known.family;
  return std::nullopt;
}

TokenizerClass tokenizer_class_of(const fs::path& folder, const Json& config) {
  if (const std::optional<TokenizerClass> named = tokenizer_class_named(folder, config))
    return *named;
  check(config.string("tokenizer_class", "").empty(),
        "tokenizer: expected the tokenizer of one of BERT's kin, such as BertTokenizer, got ",
        config.string("tokenizer_class", ""), " in ", config.where("tokenizer_class"));
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

TokenizerParts read_older_files(const fs::path& folder, const Json& config, KnownTokens known) {
  TokenizerClass family = tokenizer_class_of(folder, config);
  // Chinese ALBERTs come with BERT's vocabulary, and name BERT's class or none.
  if (fs::exists(folder / "vocab.txt") && family == TokenizerClass::albert)
    family = TokenizerClass::bert;
  known = with_usual_names(std::move(known), family);
  if (family == TokenizerClass::bert) return read_bert(folder, config, known);
  if (family == TokenizerClass::roberta) return read_roberta(folder, config, known);
  return read_sentencepiece(folder, family, config, known);
}

// ── writing ─────────────────────────────────────────────────────────────────────────────────────

namespace {

void write_bpe(const fs::path& folder, const ByteBpe& model, const Vocabulary& vocabulary) {
  Json::Members tokens;
  for (int32_t id = 0; id < vocabulary.size(); ++id)
    if (vocabulary.find(vocabulary.token(id)) == id)
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
    if (v.special_tokens().mask.empty() || v.special_tokens().pad.empty()) return;
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
