// Viterbi training of word frequencies.
#include "text/dictionary.h"

#include <algorithm>
#include <map>
#include <string>
#include <string_view>

#include "tensor/error.h"
#include "tensor/file.h"
#include "text/corpus.h"
#include "text/segmenter.h"
#include "text/utf8.h"

namespace ink {
namespace {

using Counts = std::map<std::string, int64_t, std::less<>>;

// The ideographs of two blocks, CJK Unified Ideographs and Extension A.
bool is_bmp_han(char32_t c) { return (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3400 && c <= 0x4DBF); }

// Calls f(line) for each line of a mapped file.
template <class F>
void for_each_line(const std::filesystem::path& path, F&& f) {
  const auto file = MappedFile::open(path);
  std::string_view rest = file->text();
  const size_t bad = first_invalid_utf8(rest);
  check(bad == rest.size(), "", path.string(), ": expected UTF-8, found an invalid byte at offset ",
        bad);
  while (!rest.empty()) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    f(line);
  }
}

Counts read_lists(const std::vector<std::filesystem::path>& lists) {
  Counts words;
  for (const auto& path : lists) {
    for_each_line(path, [&](std::string_view line) {
      const std::string_view word = line.substr(0, line.find_first_of("/\t \r"));
      const std::u32string characters = decode_utf8(word);
      if (characters.size() > 1 && std::ranges::all_of(characters, is_bmp_han))
        words.emplace(word, 1);
    });
  }
  check(!words.empty(),
        "dictionary: expected at least one word of two or more Han characters in the lists");
  return words;
}

void write(const Counts& words, const std::filesystem::path& out) {
  std::string text;
  for (const auto& [word, count] : words) text += word + ' ' + std::to_string(count) + '\n';
  write_file(out, text);
}

}  // namespace

DictionaryReport build_dictionary(const std::vector<std::filesystem::path>& lists,
                                  const std::vector<std::filesystem::path>& texts,
                                  const std::filesystem::path& out, int rounds) {
  Counts words = read_lists(lists);
  const std::vector<std::filesystem::path> files = text_files(texts);
  for (const auto& path : files)  // each round writes `out`, which bad text should leave as it is
    for_each_line(path, [](std::string_view) {});
  DictionaryReport report{.words = static_cast<int64_t>(words.size())};
  for (int round = 0; round < rounds; ++round) {
    write(words, out);
    const Segmenter segmenter = Segmenter::load({.dictionary = out});
    for (auto& [word, count] : words) count = 1;
    report.counted = 0;
    for (const auto& path : files) {
      for_each_line(path, [&](std::string_view line) {
        for (const std::string& word : segmenter.words(line, false)) {
          ++report.counted;
          const auto found = words.find(word);
          if (found != words.end()) {
            ++found->second;
          } else if (const auto character = decode_utf8(word);
                     character.size() == 1 && is_bmp_han(character[0])) {
            words.emplace(word, 2);
          }
        }
      });
    }
  }
  write(words, out);
  report.found = std::ranges::count_if(words, [](const auto& w) { return w.second > 1; });
  return report;
}

}  // namespace ink
