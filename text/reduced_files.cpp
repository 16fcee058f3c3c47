// The files of a tokenizer with fewer tokens, each as it was but for what is cut out of it.
#include <algorithm>
#include <string_view>

#include "tensor/error.h"
#include "tensor/file.h"
#include "text/reduced_tokenizer.h"
#include "text/sentencepiece_file.h"

namespace ink {
namespace {

namespace fs = std::filesystem;
constexpr size_t kMaxFileBytes = size_t{1} << 28;
constexpr size_t kMostOtherValues = 1 << 16;  // as when it is read (text/tokenizer_json.cpp)

struct Reduction {
  const Vocabulary& vocabulary;
  const KeptTokens& kept;

  std::optional<int32_t> new_id(std::string_view token) const {
    const std::optional<int32_t> id = vocabulary.find(token);
    return id ? kept.new_id(*id) : std::nullopt;
  }
  // Of a token that stays, as all that the small files name do. Raises Error for another.
  int32_t id_of(const std::string& token, const std::string& place) const {
    const std::optional<int32_t> id = new_id(token);
    check(id.has_value(), "tokenizer: ", place, ": expected a token that stays, got '", token, "'");
    return *id;
  }
};

// ── tokenizer.json ──────────────────────────────────────────────────────────────────────────────

// "left right", or the pair of both.
bool stays(const Json& merge, const Reduction& r) {
  std::string left, right;
  if (merge.is_array()) {
    left = merge.string(0);
    right = merge.string(1);
  } else {
    const std::string& line = merge.as_string();
    const size_t space = line.find(' ');
    left = line.substr(0, space);
    right = line.substr(std::min(space, line.size() - 1) + 1);
  }
  return r.new_id(left) && r.new_id(right) && r.new_id(left + right);
}

// Ids of one link of the post-processor.
Json reduced_link(Json link, const Reduction& r) {
  if (const Json* special = link.find("special_tokens")) {
    Json tokens = Json::make_object();
    for (const auto& [name, item] : special->members()) {
      Json changed = item;
      Json ids = Json::make_array();
      for (const Json& id : item.array("ids").items()) {
        const std::optional<int32_t> now = r.kept.new_id(id.as_integer(item.where("ids")));
        check(now.has_value(), "tokenizer: ", item.where("ids"), ": no token has the id ",
              id.to_string());
        ids.append(*now);
      }
      changed.set("ids", std::move(ids));
      tokens.set(name, std::move(changed));
    }
    link.set("special_tokens", std::move(tokens));
  }
  for (const char* key : {"sep", "cls"}) {
    const Json* named = link.find(key);
    if (!named || !named->is_array()) continue;
    const std::string token = named->string(0);
    link.set(key, Json::make_array({token, r.id_of(token, link.where(key))}));
  }
  if (const Json* all = link.find("processors")) {
    Json links = Json::make_array();
    for (const Json& inner : all->items()) links.append(reduced_link(inner, r));
    link.set("processors", std::move(links));
  }
  return link;
}

Json reduced_added_tokens(const Json& list, const Reduction& r) {
  Json out = Json::make_array();
  for (const Json& item : list.items()) {
    Json changed = item;
    changed.set("id", r.id_of(item.string("content"), item.where("content")));
    out.append(std::move(changed));
  }
  return out;
}

std::string reduced_tokenizer_json(std::string_view text, const std::string& source,
                                   const Reduction& r) {
  Json merges = Json::make_array(), added = Json::make_array();
  Json::Items pieces;     // of Unigram
  Json::Members numbers;  // of the others
  int64_t piece = 0;
  const auto visit = [&](size_t path, std::string key, Json value) {
    if (path == 1) {
      if (stays(value, r)) merges.append(std::move(value));
    } else if (path == 2) {
      added.append(std::move(value));
    } else if (value.is_array()) {
      if (r.kept.has(piece++)) pieces.push_back(std::move(value));
    } else if (const auto id = r.kept.new_id(value.as_integer(source + ": model: vocab"))) {
      numbers.push_back({std::move(key), *id});
    }
  };
  Json file = parse_json(text, source, {.values = kMostOtherValues, .long_integers = true},
                         {"model.vocab", "model.merges", "added_tokens"}, visit);
  Json model = file.object("model");
  if (model.has("unk_id")) model.set("unk_id", r.kept.new_id(model.integer("unk_id")).value_or(0));
  model.set("vocab", piece > 0 ? Json::make_array(std::move(pieces))
                               : Json::make_object(std::move(numbers)));
  if (model.has("merges")) model.set("merges", std::move(merges));
  file.set("model", std::move(model));
  file.set("added_tokens", reduced_added_tokens(added, r));
  if (const Json* link = file.find("post_processor"); link && link->is_object())
    file.set("post_processor", reduced_link(*link, r));
  if (const Json* padding = file.find("padding"); padding && padding->has("pad_token")) {
    Json changed = *padding;
    changed.set("pad_id", r.id_of(padding->string("pad_token"), padding->where("pad_token")));
    file.set("padding", std::move(changed));
  }
  return file.to_string(2) + '\n';
}

// ── the others ──────────────────────────────────────────────────────────────────────────────────

// added_tokens.json: token → id.
std::string reduced_ids(const Json& file, const Reduction& r) {
  Json out = Json::make_object();
  for (const auto& [token, id] : file.members()) out.set(token, r.id_of(token, file.where()));
  return out.to_string(2) + '\n';
}

// added_tokens_decoder: id → token.
std::string reduced_config(Json config, const Reduction& r) {
  if (const Json* decoder = config.find("added_tokens_decoder"); decoder && decoder->is_object()) {
    Json out = Json::make_object();
    for (const auto& [id, item] : decoder->members()) {
      const std::string& token = item.is_object() ? item.string("content") : item.as_string();
      out.set(std::to_string(r.id_of(token, decoder->where())), item);
    }
    config.set("added_tokens_decoder", std::move(out));
  }
  return config.to_string(2) + '\n';
}

// vocab.txt. Of equal lines the last one counts, and it alone may stay.
std::string reduced_lines(std::string_view text, const Reduction& r) {
  std::string out;
  for (int32_t number = 0; !text.empty(); ++number) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    const std::string_view token = line.ends_with('\r') ? line.substr(0, line.size() - 1) : line;
    const std::optional<int32_t> id = r.vocabulary.find(token);
    const bool repeated =
        number < r.vocabulary.size() && r.vocabulary.token(number) == token && id != number;
    if (id && r.kept.has(*id) && !repeated) out.append(line).append(1, '\n');
  }
  return out;
}

std::string reduced_vocab_json(std::string_view text, const std::string& source,
                               const Reduction& r) {
  Json::Members out;
  for_each_member(text, source, {}, [&](std::string token, const Json&) {
    if (const auto id = r.new_id(token)) out.push_back({std::move(token), *id});
  });
  return Json::make_object(std::move(out)).to_string() + '\n';
}

std::string reduced_merges(std::string_view text, const Reduction& r) {
  std::string out;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    const bool is_rule = !line.empty() && !line.starts_with("#version");
    const std::string_view rule = line.ends_with('\r') ? line.substr(0, line.size() - 1) : line;
    if (!is_rule || stays(Json(rule), r)) out.append(line).append(1, '\n');
  }
  return out;
}

// Pieces are found by their text, which no two of a file share, and so need no ids.
std::string reduced_sentencepiece(std::string_view bytes, const std::string& source,
                                  const Reduction& r) {
  using Type = SentencePieceFile::Type;
  return with_pieces(bytes, source, [&](const SentencePieceFile::Piece& piece) {
    return (piece.type != Type::normal && piece.type != Type::unused) ||
           r.new_id(piece.text).has_value();
  });
}

void check_read_alike(const fs::path& folder, const TokenizerParts& expected) {
  const Tokenizer found = Tokenizer::load(folder);
  check(found.vocabulary() == expected.vocabulary && found.parts().frame == expected.frame &&
            found.parts().added == expected.added,
        "tokenizer: ", folder.string(), " does not read as the tokenizer that was written there; ",
        "its files did not agree with each other before");
}

}  // namespace

void write_reduced_files(const fs::path& from, const fs::path& to, const TokenizerParts& parts,
                         const KeptTokens& kept) {
  const TokenizerParts expected = reduced(parts, kept);
  const Reduction r{parts.vocabulary, kept};
  create_folders(to);
  const auto rewrite = [&](const char* name, const auto& f) {
    const fs::path path = from / name;
    if (fs::exists(path))
      write_file(to / name, f(read_regular_file(path, kMaxFileBytes), path.string()));
  };
  const auto parsed = [](const std::string& text, const std::string& source) {
    return parse_json(text, source, {.long_integers = true});
  };
  rewrite("tokenizer.json", [&](const std::string& text, const std::string& source) {
    return reduced_tokenizer_json(text, source, r);
  });
  rewrite("tokenizer_config.json", [&](const std::string& text, const std::string& source) {
    return reduced_config(parsed(text, source), r);
  });
  rewrite("added_tokens.json", [&](const std::string& text, const std::string& source) {
    return reduced_ids(parsed(text, source), r);
  });
  rewrite("special_tokens_map.json",
          [](const std::string& text, const std::string&) { return text; });
  rewrite("vocab.txt",
          [&](const std::string& text, const std::string&) { return reduced_lines(text, r); });
  rewrite("vocab.json", [&](const std::string& text, const std::string& source) {
    return reduced_vocab_json(text, source, r);
  });
  rewrite("merges.txt",
          [&](const std::string& text, const std::string&) { return reduced_merges(text, r); });
  for (const char* name : {"spiece.model", "sentencepiece.bpe.model"})
    rewrite(name, [&](const std::string& text, const std::string& source) {
      return reduced_sentencepiece(text, source, r);
    });
  check_read_alike(to, expected);
}

}  // namespace ink
