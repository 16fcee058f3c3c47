// Cilin: synonyms from a dictionary in the format of Tongyici Cilin.
#include "text/cilin.h"

#include <algorithm>
#include <vector>

#include "tensor/error.h"
#include "tensor/file.h"
#include "text/utf8.h"

namespace ink {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
constexpr size_t kCodeBytes = 8;
constexpr int64_t kMost = 1024;
constexpr std::string_view kCode = "Aa00A00";  // letters and digits of a code, by example

bool is_of_kind(char c, char example) {
  if (example == '0') return c >= '0' && c <= '9';
  return example == 'A' ? c >= 'A' && c <= 'Z' : c >= 'a' && c <= 'z';
}

bool is_code(std::string_view word) {
  if (word.size() != kCodeBytes || word.find_first_of("=#@") != kCodeBytes - 1) return false;
  return std::equal(kCode.begin(), kCode.end(), word.begin(),
                    [](char example, char c) { return is_of_kind(c, example); });
}

// The next run without blanks; empty at the end of the line.
std::string_view take_word(std::string_view& line) {
  line.remove_prefix(std::min(line.size(), line.find_first_not_of(" \t\r")));
  const std::string_view word = line.substr(0, line.find_first_of(" \t\r"));
  line.remove_prefix(word.size());
  return word;
}

// Words, and for each the first `most` others of its groups.
class Synonyms {
 public:
  explicit Synonyms(int64_t most) : most_(static_cast<size_t>(most)) {}

  void add_group(const std::vector<int32_t>& group) {
    counts_.resize(static_cast<size_t>(words.size()));
    others_.resize(counts_.size() * most_);
    for (const int32_t word : group) {
      int32_t* mine = &others_[static_cast<size_t>(word) * most_];
      size_t& count = counts_[static_cast<size_t>(word)];
      for (const int32_t other : group) {
        if (count == most_) break;
        if (other != word && std::find(mine, mine + count, other) == mine + count)
          mine[count++] = other;
      }
    }
  }

  WordNeighbours table() const {
    WordNeighbours out;
    std::vector<WordNeighbours::Named> named;
    for (size_t word = 0; word < counts_.size(); ++word) {
      named.clear();
      for (size_t k = 0; k < counts_[word]; ++k)
        named.push_back({words[others_[word * most_ + k]], 1});
      out.add(words[static_cast<int32_t>(word)], named);
    }
    return out;
  }

  WordList words;

 private:
  size_t most_;
  std::vector<size_t> counts_;   // by word
  std::vector<int32_t> others_;  // most_ places a word
};

void check_encoding(std::string_view content, const std::string& source) {
  const size_t bad = first_invalid_utf8(content);
  if (bad == content.size()) return;
  const std::string_view before = content.substr(0, bad);
  fail("cilin: ", source, ":", std::ranges::count(before, '\n') + 1,
       ": expected UTF-8, got another byte at offset ", bad,
       "; copies of this dictionary are often in GBK: iconv -f GBK -t UTF-8 ", source,
       " > cilin.utf8.txt converts them");
}

}  // namespace

WordNeighbours load_cilin(const std::filesystem::path& path, int64_t most) {
  const auto file = MappedFile::open(path);
  return parse_cilin(file->text(), path.string(), most);
}

WordNeighbours parse_cilin(std::string_view content, const std::string& source, int64_t most) {
  check(most > 0 && most <= kMost, "cilin: expected 1 to ", kMost, " synonyms a word, got ", most);
  check_encoding(content, source);
  if (content.starts_with(kByteOrderMark)) content.remove_prefix(kByteOrderMark.size());
  Synonyms synonyms(most);
  std::vector<int32_t> group;
  for (int64_t number = 1; !content.empty(); ++number) {
    std::string_view line = content.substr(0, content.find('\n'));
    content.remove_prefix(std::min(content.size(), line.size() + 1));
    const std::string_view code = take_word(line);
    if (code.empty()) continue;
    check(is_code(code), "cilin: ", source, ":", number,
          ": expected a code such as Aa01A01=, ending in =, # or @, got '", code.substr(0, 20),
          "'");
    std::string_view word = take_word(line);
    check(!word.empty(), "cilin: ", source, ":", number, ": expected words behind ", code,
          ", got none");
    if (code.back() != '=') continue;
    group.clear();
    for (; !word.empty(); word = take_word(line)) group.push_back(synonyms.words.add(word));
    synonyms.add_group(group);
  }
  WordNeighbours table = synonyms.table();
  check(table.size() > 0, "cilin: expected groups of synonyms (codes ending in =) in ", source,
        ", got none");
  return table;
}

bool begins_as_cilin(std::string_view content) {
  if (content.starts_with(kByteOrderMark)) content.remove_prefix(kByteOrderMark.size());
  return is_code(take_word(content));
}

}  // namespace ink
