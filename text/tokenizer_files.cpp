// Tokenizer ⇄ model folder: tokenizer.json or the older files, with tokenizer_config.json.
#include "tensor/error.h"
#include "tensor/file.h"
#include "tensor/json.h"
#include "text/tokenizer.h"
#include "text/tokenizer_json.h"
#include "text/tokenizer_older_files.h"

namespace ink {
namespace {

namespace fs = std::filesystem;
constexpr size_t kMaxFileBytes = size_t{1} << 28;

// model_max_length is 10^30 in the files of other programs.
Json read_json_if_there(const fs::path& path) {
  if (!fs::exists(path)) return Json::make_object();
  return parse_json(read_regular_file(path, kMaxFileBytes), path.string(), {.long_integers = true});
}

// A special token: "[MASK]" or {"content": "[MASK]", …}.
std::optional<std::string> special_token(const Json& config, std::string_view key) {
  const Json* value = config.find(key);
  if (!value || value->is_null()) return std::nullopt;
  return value->is_object() ? value->string("content") : config.string(key);
}

KnownNames known_names(const Json& config, const Json& map) {
  const auto name = [&](std::string_view key) {
    const auto found = special_token(config, key);
    return found ? found : special_token(map, key);
  };
  return {name("unk_token"), name("cls_token"), name("sep_token"), name("mask_token"),
          name("pad_token")};
}

// The options of tokenizer_config.json win over those of tokenizer.json.
void apply_config(const Json& config, TokenizerParts& parts) {
  const NormalizeOptions* given = parts.normalizer.bert();
  if (!given) return;
  NormalizeOptions options = *given;
  options.do_lower_case = config.boolean("do_lower_case", options.do_lower_case);
  options.tokenize_chinese_chars =
      config.boolean("tokenize_chinese_chars", options.tokenize_chinese_chars);
  if (const Json* strip = config.find("strip_accents"))
    options.strip_accents =
        strip->is_null() ? std::nullopt : std::optional(config.boolean("strip_accents"));
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

}  // namespace

Tokenizer Tokenizer::load(const fs::path& folder) {
  Json config = read_json_if_there(folder / "tokenizer_config.json");
  const KnownNames names =
      known_names(config, read_json_if_there(folder / "special_tokens_map.json"));
  const fs::path complete = folder / "tokenizer.json";
  if (fs::exists(complete)) {
    TokenizerParts parts =
        parse_tokenizer_json(read_regular_file(complete, kMaxFileBytes), complete.string(), names);
    apply_config(config, parts);
    parts.config = std::move(config);
    return Tokenizer(std::move(parts));
  }
  TokenizerParts parts = read_older_files(folder, config, names);
  parts.config = std::move(config);
  return Tokenizer(std::move(parts));
}

void Tokenizer::save(const fs::path& folder) const {
  Json config = parts_.config.is_null() ? Json::make_object() : parts_.config;
  if (!config.has("tokenizer_class"))
    config.set("tokenizer_class", class_of(tokenizer_class_of(parts_)));
  set_options(parts_, config);
  const SpecialTokens& names = vocabulary().special_tokens();
  config.set("unk_token", names.unk);
  config.set("cls_token", names.cls);
  config.set("sep_token", names.sep);
  config.set("mask_token", names.mask);
  config.set("pad_token", names.pad);
  create_folders(folder);
  write_older_files(folder, parts_);
  write_file(folder / "tokenizer.json", tokenizer_json(parts_).to_string(2) + '\n');
  write_file(folder / "tokenizer_config.json", config.to_string(2) + '\n');
}

}  // namespace ink
