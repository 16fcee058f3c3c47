// word2vec's files: "V C", then V words with C numbers each, written out or as floats.
#include "text/word_vectors.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstring>
#include <optional>

#include "tensor/byte_reader.h"
#include "tensor/error.h"
#include "tensor/file.h"
#include "text/utf8.h"

namespace ink {
namespace {

constexpr std::string_view kBlanks = " \t\r\n\v\f";
constexpr uint64_t kWidest = 1 << 16;

struct Header {
  uint64_t words, width;
  size_t bytes;  // of the line, its end included
};

// A number at the front of the text, which then begins behind it.
template <class T>
std::optional<T> take_number(std::string_view& text) {
  T value;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc()) return std::nullopt;
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  return value;
}

// What from_chars calls out of range is too near zero or too far from it: a number as others.
std::optional<float> take_float(std::string_view& text) {
  if (const auto value = take_number<float>(text)) return value;
  const auto value = take_number<double>(text);
  return value ? std::optional(static_cast<float>(*value)) : std::nullopt;
}

std::optional<Header> header_of(std::string_view content) {
  const size_t end = content.find('\n');
  if (end == std::string_view::npos) return std::nullopt;
  std::string_view line = content.substr(0, end);
  if (line.ends_with('\r')) line.remove_suffix(1);
  if (line.ends_with(' ')) line.remove_suffix(1);
  const auto words = take_number<uint64_t>(line);
  if (!words || !line.starts_with(' ')) return std::nullopt;
  line.remove_prefix(1);
  const auto width = take_number<uint64_t>(line);
  if (!width || !line.empty()) return std::nullopt;
  return Header{*words, *width, end + 1};
}

Header checked_header(std::string_view content, const std::string& source) {
  const auto header = header_of(content);
  check(header.has_value(), "word vectors: ", source,
        ":1: expected 'words width', two whole numbers, got '",
        replace_invalid_utf8(content.substr(0, std::min<size_t>(content.find('\n'), 40))),
        "'; files without this line (GloVe's) need one");
  check(header->words >= 1 && header->words <= uint64_t{INT32_MAX}, "word vectors: ", source,
        ":1: expected 1 to ", INT32_MAX, " words, got ", header->words);
  check(header->width >= 1 && header->width <= kWidest, "word vectors: ", source,
        ":1: expected vectors of 1 to ", kWidest, " numbers, got ", header->width);
  return *header;
}

// Room for what the header says, once the file is known to be long enough for it.
// `found` says what there is instead.
template <class Found>
WordVectors room_for(const Header& header, size_t content, uint64_t fewest_bytes,
                     const std::string& source, const Found& found) {
  const size_t left = content - header.bytes;
  check(header.words <= left / fewest_bytes, "word vectors: ", source, ": expected ", header.words,
        " words with ", header.width, " numbers each, as the first line says, got ", found(),
        "; it may be truncated");
  const Shape shape{static_cast<int64_t>(header.words), static_cast<int64_t>(header.width)};
  return {.words = {}, .rows = Tensor(shape)};
}

// Takes a word in; `place` says in messages where it stands.
template <class Place>
void add_word(WordList& words, std::string_view word, const Place& place) {
  check(!word.empty(), "word vectors: ", place(), ": expected a word, got none");
  check(first_invalid_utf8(word) == word.size(), "word vectors: ", place(),
        ": expected a word in valid UTF-8, got other bytes in '", replace_invalid_utf8(word), "'");
  const int32_t before = words.size();
  const int32_t number = words.add(word);
  check(words.size() > before, "word vectors: ", place(), ": '", word, "' is already word ",
        number + 1, "; each may stand once");
}

// The line of text at the front of the content, which then begins behind it, without blanks at its
// end.
std::string_view take_line(std::string_view& content) {
  std::string_view line = content.substr(0, content.find('\n'));
  content.remove_prefix(std::min(content.size(), line.size() + 1));
  return line.substr(0, line.find_last_not_of(" \r") + 1);
}

// The last one may lack its end.
int64_t lines_in(std::string_view content) {
  return std::ranges::count(content, '\n') + (content.empty() || content.back() == '\n' ? 0 : 1);
}

// The C numbers behind a word, to `out`.
void read_numbers(std::string_view numbers, uint64_t width, const std::string& source, uint64_t at,
                  float* out) {
  for (uint64_t c = 0; c < width; ++c) {
    std::optional<float> value;
    if (numbers.starts_with(' ')) {
      numbers.remove_prefix(1);
      value = take_float(numbers);
    }
    check(value.has_value(), "word vectors: ", source, ":", at, ": expected ", width,
          " numbers behind the word, got ",
          numbers.empty() ? "only " + std::to_string(c)
                          : "'" + replace_invalid_utf8(numbers.substr(0, 20)) + "' as number " +
                                std::to_string(c + 1));
    check(std::isfinite(*value), "word vectors: ", source, ":", at,
          ": expected finite numbers, got ", *value, " as number ", c + 1);
    out[c] = *value;
  }
  check(numbers.empty(), "word vectors: ", source, ":", at, ": expected ", width,
        " numbers as the first line says, got more: '", replace_invalid_utf8(numbers.substr(0, 20)),
        "'");
}

WordVectors parse_text(std::string_view content, const Header& header, const std::string& source) {
  const auto found = [&] { return std::to_string(lines_in(content) - 1) + " lines behind it"; };
  WordVectors out = room_for(header, content.size(), 1 + 2 * header.width, source, found);
  auto* row = out.rows.data<float>();
  content.remove_prefix(header.bytes);
  for (uint64_t at = 2; at < header.words + 2; ++at, row += header.width) {
    check(!content.empty(), "word vectors: ", source, ": expected ", header.words,
          " words as the first line says, got ", at - 2, "; it may be truncated");
    const std::string_view line = take_line(content), word = line.substr(0, line.find(' '));
    add_word(out.words, word, [&] { return source + ":" + std::to_string(at); });
    read_numbers(line.substr(word.size()), header.width, source, at, row);
  }
  check(content.find_first_not_of(kBlanks) == std::string_view::npos, "word vectors: ", source, ":",
        header.words + 2, ": expected the end behind ", header.words,
        " words, got another line; the first line may be wrong");
  return out;
}

WordVectors parse_binary(std::string_view content, const Header& header,
                         const std::string& source) {
  const uint64_t bytes = header.width * sizeof(float);
  const auto found = [&] {
    return "room for " + std::to_string((content.size() - header.bytes) / (2 + bytes)) +
           " at most behind it";
  };
  WordVectors out = room_for(header, content.size(), 2 + bytes, source, found);
  auto* row = out.rows.data<float>();
  ByteReader in(std::as_bytes(std::span(content)), source);
  in.seek(header.bytes);
  for (uint64_t i = 0; i < header.words; ++i, row += header.width) {
    if (in.left() > 0 && content[in.position()] == '\n') in.take(1);
    const size_t at = in.position(), end = content.find(' ', at);
    const auto place = [&] { return source + ", byte " + std::to_string(at); };
    check(end != std::string_view::npos, "word vectors: ", place(), ": expected word ", i + 1,
          " of ", header.words, " and a blank behind it, got none; it may be truncated");
    add_word(out.words, in.text(end - at), place);
    in.take(1);
    std::memcpy(row, in.take(bytes).data(), bytes);
    for (uint64_t c = 0; c < header.width; ++c)
      check(std::isfinite(row[c]), "word vectors: ", place(), ": expected finite numbers, got ",
            row[c], " as number ", c + 1, " of word ", i + 1);
  }
  if (in.left() > 0 && content[in.position()] == '\n') in.take(1);
  check(in.left() == 0, "word vectors: ", source, ", byte ", in.position(),
        ": expected the end behind ", header.words, " words, got ", in.left(), " bytes more");
  return out;
}

// Text has only what numbers are written with between its first word and the end of that line;
// floats have other bytes.
bool is_text(std::string_view content, const Header& header) {
  content.remove_prefix(header.bytes);
  const std::string_view line = take_line(content);
  const std::string_view numbers = line.substr(std::min(line.size(), line.find(' ')));
  return numbers.find_first_not_of(" +-.0123456789eEnaiftyNAIFTY") == std::string_view::npos;
}

// A word and its numbers as a line of text; each number as the shortest that reads as the same.
void append_line(std::string& out, std::string_view word, const float* row, int64_t width) {
  std::array<char, 32> digits;
  out += word;
  for (int64_t c = 0; c < width; ++c) {
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), row[c]).ptr;
    (out += ' ').append(digits.data(), end);
  }
  out += '\n';
}

void append_binary(std::string& out, std::string_view word, const float* row, int64_t width) {
  (out += word) += ' ';
  out.append(reinterpret_cast<const char*>(row), static_cast<size_t>(width) * sizeof(float));
  out += '\n';
}

}  // namespace

WordVectors WordVectors::load(const std::filesystem::path& path) {
  const auto file = MappedFile::open(path);
  return parse(file->text(), path.string());
}

WordVectors WordVectors::parse(std::string_view content, const std::string& source) {
  const Header header = checked_header(content, source);
  return is_text(content, header) ? parse_text(content, header, source)
                                  : parse_binary(content, header, source);
}

void WordVectors::save(const std::filesystem::path& path, VectorFormat format) const {
  for (int32_t i = 0; i < words.size(); ++i)
    check(!words[i].empty() && words[i].find_first_of(kBlanks) == std::string_view::npos,
          "word vectors: expected words without blanks to write ", path.string(), ", got '",
          words[i], "'");
  const auto* row = rows.data<float>();
  write_atomically(path, [&](FileWriter& out) {
    out.write(std::to_string(words.size()) + ' ' + std::to_string(width()) + '\n');
    std::string line;
    for (int32_t i = 0; i < words.size(); ++i, row += width()) {
      line.clear();
      (format == VectorFormat::text ? append_line : append_binary)(line, words[i], row, width());
      out.write(line);
    }
  });
}

bool begins_as_vectors(std::string_view content) { return header_of(content).has_value(); }

}  // namespace ink
