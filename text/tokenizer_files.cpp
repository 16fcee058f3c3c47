// Tokenizer ⇄ model folder: tokenizer.json or the older files, with tokenizer_config.json.
#include "tensor/error.h"
#include "tensor/file.h"
#include "text/tokenizer.h"
#include "text/tokenizer_json.h"
#include "text/tokenizer_older_files.h"

namespace ink {
namespace {

namespace fs = std::filesystem;
constexpr size_t kMaxFileBytes = size_t{1} << 28;

// Where a class of BERT's kin is named, its options are those of tokenizer_config.json or its
// defaults, whatever tokenizer.json says; another class takes tokenizer.json as it is. Where none
// is named, the options of tokenizer_config.json that are there win.
void apply_config(std::optional<TokenizerClass> family, const Json& config, TokenizerParts& parts) {
  if (auto* bpe = std::get_if<ByteBpe>(&parts.model); bpe && family == TokenizerClass::roberta)
    bpe->set_options(byte_bpe_options(config));
  const NormalizeOptions* given = parts.normalizer.bert();
  if (!given) return;
  if (family == TokenizerClass::bert) parts.normalizer = Normalizer({bert_options(config)});
  if (family || config.has("tokenizer_class")) return;
  NormalizeOptions options = *given;
  options.do_lower_case = config.boolean("do_lower_case", options.do_lower_case);
  options.tokenize_chinese_chars =
      config.boolean("tokenize_chinese_chars", options.tokenize_chinese_chars);
  if (config.has("strip_accents"))
    options.strip_accents = optional_boolean(config, "strip_accents");
  parts.normalizer = Normalizer({options});
}

bool has_step(const Normalizer& normalizer, auto step) {
  for (const NormalizerStep& one : normalizer.steps())
    if (std::holds_alternative<decltype(step)>(one)) return true;
  return false;
}

// What the classes of other programs build their tokenizer from, whatever tokenizer.json says.
void set_options(const TokenizerParts& parts, Json& config) {
  if (const NormalizeOptions* bert = parts.normalizer.bert()) {
    config.set("do_lower_case", bert->do_lower_case);
    config.set("strip_accents", bert->strip_accents ? Json(*bert->strip_accents) : Json());
    config.set("tokenize_chinese_chars", bert->tokenize_chinese_chars);
  } else if (const auto* bpe = std::get_if<ByteBpe>(&parts.model)) {
    config.set("add_prefix_space", bpe->options().add_prefix_space);
    config.set("trim_offsets", bpe->options().trim_offsets);
  } else if (tokenizer_class_of(parts) != TokenizerClass::xlm_roberta) {
    config.set("do_lower_case", has_step(parts.normalizer, Lowercase{}));
    config.set("keep_accents", !has_step(parts.normalizer, StripAccents{}));
  }
}

void check_any_vocabulary(const fs::path& folder) {
  check(fs::is_directory(folder), "tokenizer: there is no folder ", folder.string());
  for (const char* file : {"vocab.txt", "vocab.json", "sentencepiece.bpe.model", "spiece.model"})
    if (fs::exists(folder / file)) return;
  fail("tokenizer: ", folder.string(),
       " has none; expected tokenizer.json, vocab.txt, vocab.json with merges.txt, "
       "sentencepiece.bpe.model or spiece.model");
}

}  // namespace

Tokenizer Tokenizer::load(const fs::path& folder) {
  Json config = read_json_if_there(folder / "tokenizer_config.json");
  KnownTokens known = read_known_tokens(folder, config);
  const fs::path complete = folder / "tokenizer.json";
  if (!fs::exists(complete)) {
    check_any_vocabulary(folder);
    TokenizerParts parts = read_older_files(folder, config, std::move(known));
    parts.config = std::move(config);
    return Tokenizer(std::move(parts));
  }
  const std::optional<TokenizerClass> family = tokenizer_class_named(folder, config);
  if (family) known.usual = usual_names(*family);
  TokenizerParts parts =
      parse_tokenizer_json(read_regular_file(complete, kMaxFileBytes), complete.string(), known);
  apply_config(family, config, parts);
  parts.config = std::move(config);
  return Tokenizer(std::move(parts));
}

void Tokenizer::save(const fs::path& folder) const {
  Json config = parts_.config.is_null() ? Json::make_object() : parts_.config;
  if (!config.has("tokenizer_class"))
    config.set("tokenizer_class", class_of(tokenizer_class_of(parts_)));
  set_options(parts_, config);
  const SpecialTokens& names = vocabulary().special_tokens();
  for (const auto& [key, name] : {std::pair{"unk_token", &names.unk},
                                  {"cls_token", &names.cls},
                                  {"sep_token", &names.sep},
                                  {"mask_token", &names.mask},
                                  {"pad_token", &names.pad}})
    config.set(key, name->empty() ? Json() : Json(*name));
  create_folders(folder);
  write_older_files(folder, parts_);
  write_file(folder / "tokenizer.json", tokenizer_json(parts_).to_string(2) + '\n');
  write_file(folder / "tokenizer_config.json", config.to_string(2) + '\n');
}

}  // namespace ink
