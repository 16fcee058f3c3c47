// Tokenizer ⇄ model folder: vocab.txt and tokenizer_config.json, or tokenizer.json.
#include "tensor/error.h"
#include "tensor/file.h"
#include "tensor/json.h"
#include "text/tokenizer.h"

namespace ink {
namespace {

namespace fs = std::filesystem;
constexpr size_t kMaxFileBytes = size_t{1} << 28;
constexpr std::string_view kClasses[] = {"BertTokenizer",       "BertTokenizerFast",
                                         "ElectraTokenizer",    "ElectraTokenizerFast",
                                         "DistilBertTokenizer", "DistilBertTokenizerFast"};

// Both files hold model_max_length, for which other programs write 10^30.
Json read_json(const fs::path& path) {
  return parse_json(read_file(path, kMaxFileBytes), path.string(), {.long_integers = true});
}

// A special token of tokenizer_config.json: "[MASK]" or {"content": "[MASK]", …}.
std::string special_token(const Json& config, std::string_view key, const std::string& otherwise) {
  const Json* value = config.find(key);
  if (!value || value->is_null()) return otherwise;
  return value->is_object() ? value->string("content") : config.string(key);
}

SpecialTokens special_tokens(const Json& config) {
  const SpecialTokens usual;
  return {.unk = special_token(config, "unk_token", usual.unk),
          .cls = special_token(config, "cls_token", usual.cls),
          .sep = special_token(config, "sep_token", usual.sep),
          .mask = special_token(config, "mask_token", usual.mask),
          .pad = special_token(config, "pad_token", usual.pad)};
}

std::optional<bool> optional_boolean(const Json& object, std::string_view key) {
  const Json* value = object.find(key);
  if (!value || value->is_null()) return std::nullopt;
  return object.boolean(key);
}

void check_class(const Json& config) {
  const std::string name = config.string("tokenizer_class", "BertTokenizer");
  for (const std::string_view known : kClasses)
    if (name == known) return;
  fail("tokenizer: expected a WordPiece tokenizer such as BertTokenizer, got ", name, " in ",
       config.where("tokenizer_class"));
}

// The vocabulary and options inside tokenizer.json, where no vocab.txt is beside it.
Tokenizer from_tokenizer_json(const fs::path& path, SpecialTokens names) {
  const Json file = read_json(path);
  const Json& model = file.object("model");
  check(model.string("type", "") == "WordPiece", "tokenizer: expected a WordPiece model in ",
        path.string(), ", got '", model.string("type", ""), "'");
  const Json& entries = model.object("vocab");
  std::vector<std::string> tokens(entries.size());
  for (const auto& [token, id] : entries.members()) {
    const int64_t i = id.as_integer(token);
    check(i >= 0 && i < static_cast<int64_t>(tokens.size()), "tokenizer: expected ids 0 to ",
          tokens.size() - 1, " without gaps in ", path.string(), ", got ", i, " for '", token, "'");
    std::string& slot = tokens[static_cast<size_t>(i)];
    check(slot.empty(), "tokenizer: '", slot, "' and '", token, "' have the same id ", i, " in ",
          path.string());
    slot = token;
  }
  const Json& normalizer = file.object("normalizer");
  check(normalizer.string("type", "") == "BertNormalizer" && normalizer.boolean("clean_text", true),
        "tokenizer: expected the cleaning normalizer of BERT in ", path.string());
  NormalizeOptions options;
  options.do_lower_case = normalizer.boolean("lowercase", true);
  options.strip_accents = optional_boolean(normalizer, "strip_accents");
  options.tokenize_chinese_chars = normalizer.boolean("handle_chinese_chars", true);
  return Tokenizer(Vocabulary(std::move(tokens), std::move(names), path.string()), options);
}

}  // namespace

Tokenizer Tokenizer::load(const fs::path& folder) {
  const fs::path config_path = folder / "tokenizer_config.json";
  NormalizeOptions options;
  SpecialTokens names;
  if (fs::exists(config_path)) {
    const Json config = read_json(config_path);
    check_class(config);
    names = special_tokens(config);
    options.do_lower_case = config.boolean("do_lower_case", true);
    options.strip_accents = optional_boolean(config, "strip_accents");
    options.tokenize_chinese_chars = config.boolean("tokenize_chinese_chars", true);
  }
  const fs::path vocab = folder / "vocab.txt", complete = folder / "tokenizer.json";
  if (!fs::exists(vocab) && fs::exists(complete)) return from_tokenizer_json(complete, names);
  return Tokenizer(Vocabulary::load(vocab, names), options);
}

void Tokenizer::save(const fs::path& folder) const {
  const SpecialTokens& names = vocabulary_.special_tokens();
  Json config = Json::make_object({{"tokenizer_class", "BertTokenizer"},
                                   {"do_lower_case", options_.do_lower_case},
                                   {"strip_accents", nullptr},
                                   {"tokenize_chinese_chars", options_.tokenize_chinese_chars},
                                   {"unk_token", names.unk},
                                   {"cls_token", names.cls},
                                   {"sep_token", names.sep},
                                   {"mask_token", names.mask},
                                   {"pad_token", names.pad}});
  if (options_.strip_accents) config.set("strip_accents", *options_.strip_accents);
  create_folders(folder);
  vocabulary_.save(folder / "vocab.txt");
  write_file(folder / "tokenizer_config.json", config.to_string(2) + '\n');
}

}  // namespace ink
