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

constexpr size_t kMaxFileBytes = size_t{1} << 28;
constexpr int32_t kFree = -1;
constexpr size_t kRoomForSpecial = 8;  // tokens that a file may lack and that are appended

}  // namespace

Vocabulary Vocabulary::load(const std::filesystem::path& vocab_txt, SpecialTokens names) {
  return parse(read_regular_file(vocab_txt, kMaxFileBytes), vocab_txt.string(), std::move(names));
}

Vocabulary Vocabulary::parse(std::string_view text, const std::string& source,
                             SpecialTokens names) {
  Vocabulary vocabulary;
  vocabulary.text_.reserve(text.size() + kRoomForSpecial * 16);
  vocabulary.ends_.reserve(static_cast<size_t>(std::ranges::count(text, '\n')) + kRoomForSpecial);
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    vocabulary.append(line);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  vocabulary.number(std::move(names), source);
  return vocabulary;
}

Vocabulary::Vocabulary(const std::vector<std::string>& tokens, SpecialTokens names,
                       const std::string& source) {
  ends_.reserve(tokens.size());
  for (const std::string& token : tokens) append(token);
  number(std::move(names), source);
}

void Vocabulary::append(std::string_view token) {
  constexpr size_t kLongest = std::numeric_limits<uint32_t>::max();
  check(token.size() <= kLongest - text_.size(),
        "vocabulary: expected fewer than 2^32 bytes of tokens, got more");
  text_ += token;
  ends_.push_back(static_cast<uint32_t>(text_.size()));
}

void Vocabulary::append(const std::vector<std::string>& tokens, SpecialTokens names,
                        const std::string& source) {
  for (const std::string& token : tokens) append(token);
  number(std::move(names), source);
}

void Vocabulary::number(SpecialTokens names, const std::string& source) {
  names_ = std::move(names);
  check(!ends_.empty(), "vocabulary: expected at least the special tokens in ", source,
        ", got no tokens");
  check(ends_.size() < size_t{std::numeric_limits<int32_t>::max()}, "vocabulary: ", source, " has ",
        ends_.size(), " tokens, expected fewer than 2^31");
  index_.assign(std::bit_ceil(2 * (written() + 1)), kFree);  // all empty ones share a place
  for (size_t i = 0; i < ends_.size(); ++i) {
    check(first_invalid_utf8(at(i)) == at(i).size(), "vocabulary: ", source, ":", i + 1,
          ": expected valid UTF-8, got other bytes");
    index_[slot(at(i))] = static_cast<int32_t>(i);
  }
  const std::string* special[] = {&names_.unk, &names_.cls, &names_.sep, &names_.mask, &names_.pad};
  for (size_t i = 0; i < special_ids_.size(); ++i) {
    special_ids_[i] = kFree;
    if (special[i]->empty()) continue;
    const auto found = find(*special[i]);
    check(found.has_value(), "vocabulary: expected the special token ", *special[i], " in ", source,
          ", got none among ", size(), " tokens; add a line with it");
    special_ids_[i] = *found;
  }
}

std::string_view Vocabulary::at(size_t id) const {
  const size_t begin = id == 0 ? 0 : ends_[id - 1];
  return std::string_view(text_).substr(begin, ends_[id] - begin);
}

size_t Vocabulary::written() const {
  size_t count = 0;
  for (size_t id = 0; id < ends_.size(); ++id) count += !at(id).empty();
  return count;
}

size_t Vocabulary::characters() const {
  return static_cast<size_t>(
      std::ranges::count_if(text_, [](char byte) { return (byte & 0xC0) != 0x80; }));
}

std::string_view Vocabulary::token(int32_t id) const {
  check(id >= 0 && id < size(), "vocabulary: expected an id in [0, ", size(), "), got ", id);
  return at(static_cast<size_t>(id));
}

std::vector<std::string> Vocabulary::tokens() const {
  std::vector<std::string> all;
  all.reserve(ends_.size());
  for (size_t id = 0; id < ends_.size(); ++id) all.emplace_back(at(id));
  return all;
}

std::optional<int32_t> Vocabulary::find(std::string_view token) const {
  const int32_t id = index_[slot(token)];
  return id == kFree ? std::nullopt : std::optional(id);
}

// Where the token's id is, or the free place for it.
size_t Vocabulary::slot(std::string_view token) const {
  size_t i = std::hash<std::string_view>{}(token) & (index_.size() - 1);
  while (index_[i] != kFree && at(static_cast<size_t>(index_[i])) != token)
    i = (i + 1) & (index_.size() - 1);
  return i;
}

int32_t Vocabulary::special(size_t which, const char* what) const {
  check(special_ids_[which] != kFree, "vocabulary: expected a ", what, " token among ", size(),
        ", got none; name it in tokenizer_config.json");
  return special_ids_[which];
}

bool Vocabulary::is_special(int32_t id) const {
  return std::find(special_ids_.begin(), special_ids_.end(), id) != special_ids_.end();
}

void Vocabulary::save(const std::filesystem::path& vocab_txt) const {
  std::string lines;
  for (size_t id = 0; id < ends_.size(); ++id) {
    check(at(id).find('\n') == std::string_view::npos && !at(id).ends_with('\r'),
          "vocabulary: expected tokens without line breaks to write ", vocab_txt.string(),
          ", got one as token ", id);
    (lines += at(id)) += '\n';
  }
  write_file(vocab_txt, lines);
}

}  // namespace ink
