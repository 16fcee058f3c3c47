// Vocabulary: the tokens of a model, numbered from 0 by their line in vocab.txt.
#include "text/vocabulary.h"

#include <algorithm>
#include <bit>
#include <limits>

#include "tensor/error.h"
#include "tensor/file.h"
#include "text/utf8.h"

namespace ink {
namespace {

constexpr size_t kMaxFileBytes = size_t{1} << 30;
constexpr int32_t kFree = -1;

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> lines;
  lines.reserve(static_cast<size_t>(std::count(text.begin(), text.end(), '\n')) + 1);
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    lines.emplace_back(line);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

}  // namespace

Vocabulary Vocabulary::load(const std::filesystem::path& vocab_txt, SpecialTokens names) {
  return parse(read_file(vocab_txt, kMaxFileBytes), vocab_txt.string(), std::move(names));
}

Vocabulary Vocabulary::parse(std::string_view text, const std::string& source,
                             SpecialTokens names) {
  std::vector<std::string> tokens = lines_of(text);
  for (size_t i = 0; i < tokens.size(); ++i)
    check(!tokens[i].empty(), "vocabulary: ", source, ":", i + 1,
          ": expected a token, got an empty line");
  return Vocabulary(std::move(tokens), std::move(names), source);
}

Vocabulary::Vocabulary(std::vector<std::string> tokens, SpecialTokens names,
                       const std::string& source)
    : tokens_(std::move(tokens)), names_(std::move(names)) {
  check(!tokens_.empty(), "vocabulary: expected at least the special tokens in ", source,
        ", got no tokens");
  check(tokens_.size() < size_t{std::numeric_limits<int32_t>::max()}, "vocabulary: ", source,
        " has ", tokens_.size(), " tokens, expected fewer than 2^31");
  index_.assign(std::bit_ceil(2 * tokens_.size()), kFree);
  for (size_t i = 0; i < tokens_.size(); ++i) {
    const std::string& token = tokens_[i];
    check(first_invalid_utf8(token) == token.size(), "vocabulary: ", source, ":", i + 1,
          ": expected valid UTF-8, got other bytes");
    int32_t& id = index_[slot(token)];
    check(id == kFree, "vocabulary: ", source, ":", i + 1, ": '", token, "' is already on line ",
          id + 1, "; each token may stand once");
    id = static_cast<int32_t>(i);
  }
  const std::string* special[] = {&names_.unk, &names_.cls, &names_.sep, &names_.mask, &names_.pad};
  for (size_t i = 0; i < special_ids_.size(); ++i) {
    const auto found = find(*special[i]);
    check(found.has_value(), "vocabulary: expected the special token ", *special[i], " in ", source,
          ", got none among ", tokens_.size(), " tokens; add a line with it");
    special_ids_[i] = *found;
  }
}

const std::string& Vocabulary::token(int32_t id) const {
  check(id >= 0 && id < size(), "vocabulary: expected an id in [0, ", size(), "), got ", id);
  return tokens_[static_cast<size_t>(id)];
}

std::optional<int32_t> Vocabulary::find(std::string_view token) const {
  const int32_t id = index_[slot(token)];
  return id == kFree ? std::nullopt : std::optional(id);
}

// Where the token's id is, or the free place for it.
size_t Vocabulary::slot(std::string_view token) const {
  size_t i = std::hash<std::string_view>{}(token) & (index_.size() - 1);
  while (index_[i] != kFree && tokens_[static_cast<size_t>(index_[i])] != token)
    i = (i + 1) & (index_.size() - 1);
  return i;
}

bool Vocabulary::is_special(int32_t id) const {
  return std::find(special_ids_.begin(), special_ids_.end(), id) != special_ids_.end();
}

void Vocabulary::save(const std::filesystem::path& vocab_txt) const {
  std::string text;
  for (const std::string& token : tokens_) {
    check(token.find('\n') == std::string::npos,
          "vocabulary: expected tokens without line breaks to write ", vocab_txt.string(),
          ", got one");
    text += token + '\n';
  }
  write_file(vocab_txt, text);
}

}  // namespace ink
