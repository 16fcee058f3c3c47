// KnownTokens: what the small files beside a tokenizer say about its special and added tokens.
#include "text/known_tokens.h"

#include <algorithm>
#include <map>

#include "tensor/error.h"
#include "tensor/file.h"
#include "tensor/json_bounded.h"

namespace ink {
namespace {

namespace fs = std::filesystem;
constexpr size_t kMaxFileBytes = size_t{1} << 28;
constexpr int64_t kMostTokens = 1 << 24;
constexpr size_t kMostGaps = 1 << 16;

const Json* not_null(const Json& object, std::string_view key) {
  const Json* value = object.find(key);
  return value && !value->is_null() ? value : nullptr;
}

AddedToken special(const Json& item) {
  AddedToken token = read_added_token(item);
  token.special = true;
  return token;
}

// Those of the first list or object by that name that is not empty.
std::vector<AddedToken> extra_tokens(const Json& first, const Json& second) {
  std::vector<AddedToken> out;
  for (const Json* file : {&first, &second})
    for (const char* key : {"extra_special_tokens", "additional_special_tokens"}) {
      const Json* listed = not_null(*file, key);
      if (!listed) continue;
      if (listed->is_object())
        for (const auto& [name, item] : listed->members()) out.push_back(special(item));
      else
        for (const Json& item : file->array(key).items()) out.push_back(special(item));
      if (!out.empty()) return out;
    }
  return out;
}

Json read_json(const fs::path& path) {
  const std::string text = read_regular_file(path, kMaxFileBytes);
  return parse_bounded_json(text, path.string());
}

int64_t id_of(const std::string& digits, const std::string& place) {
  const bool plain = !digits.empty() && digits.size() < 9 &&
                     digits.find_first_not_of("0123456789") == std::string::npos;
  check(plain, "tokenizer: ", place, ": expected ids as keys, got '", digits, "'");
  return std::stoi(digits);
}

// Those of added_tokens_decoder; without it those of added_tokens.json.
std::vector<AddedToken> added_tokens(const fs::path& folder, const Json* decoder,
                                     const auto& is_special) {
  std::multimap<int64_t, AddedToken> by_id;
  if (decoder) {
    for (const auto& [digits, item] : decoder->members())
      by_id.emplace(id_of(digits, decoder->where()), read_added_token(item));
  } else if (const fs::path path = folder / "added_tokens.json"; fs::exists(path)) {
    const Json listed = read_json(path);
    for (const auto& [token, number] : listed.members()) {
      const int64_t id = number.as_integer(listed.where(token));
      check(id >= 0 && id <= kMostTokens, "", listed.where(token),
            ": expected an integer from 0 to ", kMostTokens, ", got ", id);
      const bool known = is_special(token);
      by_id.emplace(id, AddedToken{.content = token, .normalized = !known, .special = known});
    }
  }
  std::vector<AddedToken> out;
  out.reserve(by_id.size());
  for (auto& [id, token] : by_id) out.push_back(std::move(token));
  return out;
}

}  // namespace

KnownTokens read_known_tokens(const fs::path& folder, const Json& config) {
  const fs::path path = folder / "special_tokens_map.json";
  const Json map = fs::exists(path) ? read_json(path) : Json::make_object();
  const Json* decoder = not_null(config, "added_tokens_decoder");
  const Json& first = decoder ? config : map;
  const Json& second = decoder ? map : config;
  const auto named = [&](const char* key) -> std::optional<AddedToken> {
    for (const Json* file : {&first, &second}) {
      const Json* item = not_null(*file, key);
      if (!item) continue;
      if (!item->is_object()) return AddedToken{.content = file->string(key)};
      return special(*item);
    }
    return std::nullopt;
  };
  KnownTokens known{.bos = named("bos_token"),
                    .eos = named("eos_token"),
                    .unk = named("unk_token"),
                    .sep = named("sep_token"),
                    .pad = named("pad_token"),
                    .cls = named("cls_token"),
                    .mask = named("mask_token"),
                    .extra = extra_tokens(config, map)};
  const auto is_special = [&](const std::string& content) {
    const auto is_it = [&](const auto& token) { return token && token->content == content; };
    return is_it(known.bos) || is_it(known.eos) || is_it(known.unk) || is_it(known.sep) ||
           is_it(known.pad) || is_it(known.cls) || is_it(known.mask) ||
           std::ranges::find(known.extra, content, &AddedToken::content) != known.extra.end();
  };
  known.added = added_tokens(folder, decoder, is_special);
  return known;
}

SpecialTokens KnownTokens::names() const {
  const auto name = [](const auto& token) { return token ? token->content : std::string(); };
  return {name(unk), name(cls), name(sep), name(mask), name(pad)};
}

void KnownTokens::put_to(AddedList& list) const {
  for (const AddedToken& token : added) list.put(token);
  for (const auto* token : {&bos, &eos, &unk, &sep, &pad, &cls, &mask})
    if (*token && !(*token)->content.empty()) list.put_missing(**token);
  for (const AddedToken& token : extra) list.put_missing(token);
}

std::vector<std::string> tokens_by_id(std::vector<std::pair<int32_t, std::string>> numbered,
                                      const std::string& source) {
  std::ranges::stable_sort(numbered, {}, &std::pair<int32_t, std::string>::first);
  const size_t size = numbered.empty() ? 0 : static_cast<size_t>(numbered.back().first) + 1;
  check(size <= numbered.size() + kMostGaps, "tokenizer: expected ids without gaps in ", source,
        ", got ", numbered.size(), " tokens and the id ", size - 1);
  std::vector<std::string> tokens;
  tokens.reserve(size);
  for (auto& [number, token] : numbered) {
    const auto id = static_cast<size_t>(number);
    check(id >= tokens.size(), "tokenizer: '", id < tokens.size() ? tokens[id] : "", "' and '",
          token, "' have the same id ", id, " in ", source);
    tokens.resize(id);
    tokens.push_back(std::move(token));
  }
  return tokens;
}

}  // namespace ink
