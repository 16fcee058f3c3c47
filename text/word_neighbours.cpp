// WordNeighbours: for each word the most similar ones, best first.
#include "text/word_neighbours.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>

#include "tensor/error.h"
#include "tensor/file.h"
#include "text/utf8.h"

namespace ink {
namespace {

using Named = WordNeighbours::Named;

// What stands before the next `end` in the text, which then begins behind it.
std::string_view take_until(std::string_view& text, char end) {
  const std::string_view taken = text.substr(0, text.find(end));
  text.remove_prefix(std::min(text.size(), taken.size() + 1));
  return taken;
}

bool is_word(std::string_view text) {
  return !text.empty() && text.find_first_of(" \t\r\n") == std::string_view::npos;
}

float similarity_from(std::string_view digits, const std::string& source, int64_t line) {
  float value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  check(error == std::errc() && end == digits.data() + digits.size() && std::isfinite(value),
        "neighbours: ", source, ":", line,
        ": expected a finite number behind each neighbour, got '", digits, "'");
  check(std::abs(value) <= 1, "neighbours: ", source, ":", line,
        ": expected a similarity from -1 to 1, got '", digits, "'");
  return value;
}

std::vector<Named> parse_neighbours(std::string_view text, std::string_view word,
                                    const std::string& source, int64_t line) {
  std::vector<Named> out;
  while (!text.empty()) {
    const std::string_view neighbour = take_until(text, ' ');
    check(is_word(neighbour) && neighbour != word, "neighbours: ", source, ":", line,
          ": expected another word than '", word, "', got '", neighbour, "'");
    out.push_back({neighbour, similarity_from(take_until(text, ' '), source, line)});
  }
  check(!out.empty(), "neighbours: ", source, ":", line, ": expected neighbours of '", word,
        "', got none");
  return out;
}

std::vector<Named> named(const WordNeighbours& table, std::span<const Neighbour> neighbours) {
  std::vector<Named> out;
  for (const auto& [word, similarity] : neighbours)
    out.push_back({table.words()[word], similarity});
  return out;
}

}  // namespace

WordNeighbours WordNeighbours::load(const std::filesystem::path& path) {
  const auto file = MappedFile::open(path);
  return parse(file->text(), path.string());
}

WordNeighbours WordNeighbours::parse(std::string_view content, const std::string& source) {
  WordNeighbours table;
  for (int64_t number = 1; !content.empty(); ++number) {
    std::string_view line = take_until(content, '\n');
    if (line.ends_with('\r')) line.remove_suffix(1);
    check(first_invalid_utf8(line) == line.size(), "neighbours: ", source, ":", number,
          ": expected valid UTF-8, got another byte at offset ", first_invalid_utf8(line),
          " of the line");
    const size_t tab = line.find('\t');
    check(tab != std::string_view::npos && is_word(line.substr(0, tab)), "neighbours: ", source,
          ":", number, ": expected 'word<TAB>neighbour similarity …', got '",
          replace_invalid_utf8(line.substr(0, 40)), "'");
    const std::string_view word = line.substr(0, tab);
    check(table.of(word).empty(), "neighbours: ", source, ":", number, ": '", word,
          "' has neighbours already; each word may stand once");
    table.add(word, parse_neighbours(line.substr(tab + 1), word, source, number));
  }
  check(table.size() > 0, "neighbours: expected lines of neighbours in ", source, ", got none");
  return table;
}

void WordNeighbours::add(std::string_view word, std::span<const Named> neighbours) {
  if (neighbours.empty()) return;
  const auto number = static_cast<size_t>(words_.add(word));
  if (ranges_.size() <= number) ranges_.resize(number + 1);
  check(ranges_[number].begin == ranges_[number].end, "neighbours: '", word,
        "' has neighbours already");
  check(all_.size() + neighbours.size() <= std::numeric_limits<uint32_t>::max(),
        "neighbours: expected fewer than 2^32 in all, got more");
  const auto begin = static_cast<uint32_t>(all_.size());
  for (const Named& n : neighbours) all_.push_back({words_.add(n.word), n.similarity});
  ranges_[number] = {begin, static_cast<uint32_t>(all_.size())};
  ++size_;
}

std::span<const Neighbour> WordNeighbours::of(std::string_view word) const {
  const auto number = words_.find(word);
  return number ? of(*number) : std::span<const Neighbour>();
}

std::span<const Neighbour> WordNeighbours::of(int32_t word) const {
  if (word < 0 || static_cast<size_t>(word) >= ranges_.size()) return {};
  const Range range = ranges_[static_cast<size_t>(word)];
  return std::span(all_).subspan(range.begin, range.end - range.begin);
}

void WordNeighbours::save(const std::filesystem::path& path) const {
  for (int32_t i = 0; i < words_.size(); ++i)
    check(is_word(words_[i]), "neighbours: expected words without blanks to write ", path.string(),
          ", got '", words_[i], "'");
  write_atomically(path, [&](FileWriter& out) {
    std::string line;
    std::array<char, 32> digits;
    for (int32_t i = 0; i < words_.size(); ++i) {
      if (of(i).empty()) continue;
      line.assign(words_[i]) += '\t';
      for (const auto& [word, similarity] : of(i)) {
        if (line.back() != '\t') line += ' ';
        const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), similarity,
                                       std::chars_format::fixed, 4);
        ((line += words_[word]) += ' ').append(digits.data(), end.ptr);
      }
      out.write(line += '\n');
    }
  });
}

WordNeighbours joined(const WordNeighbours& first, const WordNeighbours& second, int64_t most) {
  WordNeighbours out;
  const auto limit = static_cast<size_t>(most);
  for (int32_t i = 0; i < first.words().size(); ++i) {
    std::vector<Named> all = named(first, first.of(i));
    for (const Named& n : named(second, second.of(first.words()[i])))
      if (std::ranges::find(all, n.word, &Named::word) == all.end()) all.push_back(n);
    out.add(first.words()[i], std::span(all).first(std::min(limit, all.size())));
  }
  for (int32_t i = 0; i < second.words().size(); ++i) {
    if (const auto there = first.words().find(second.words()[i]); there) continue;
    const std::vector<Named> all = named(second, second.of(i));
    out.add(second.words()[i], std::span(all).first(std::min(limit, all.size())));
  }
  return out;
}

bool begins_as_neighbours(std::string_view content) {
  return content.substr(0, content.find('\n')).find('\t') != std::string_view::npos;
}

}  // namespace ink
