// Segmenter: Chinese text → words, equal to jieba's default mode on the same dictionary.
#include "text/segmenter.h"

#include <charconv>
#include <cmath>
#include <cstdlib>
#include <limits>

#include "tensor/error.h"
#include "tensor/file.h"
#include "tensor/fingerprint.h"

namespace ink {
namespace {

namespace fs = std::filesystem;
constexpr size_t kMaxFileBytes = size_t{1} << 30;
constexpr const char* kUsualDictionary = "/usr/lib/python3/dist-packages/jieba/dict.txt";

bool is_digit(char32_t c) { return c >= '0' && c <= '9'; }
bool is_letter_or_digit(char32_t c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
// What jieba's regular expression takes for Han, [\u4E00-\u9FD5]: what its model knows.
bool is_jieba_han(char32_t c) { return c >= WordHmm::kFirst && c <= WordHmm::kLast; }
// Characters that words are made of; everything else stands alone.
bool is_block(char32_t c) {
  constexpr std::u32string_view marks = U"+#&._%-";
  return is_jieba_han(c) || is_letter_or_digit(c) || marks.find(c) != std::u32string_view::npos;
}

// First position from `at` on where `is` holds no more, or `end`.
template <class Is>
int32_t skip(std::u32string_view text, int32_t at, int32_t end, const Is& is) {
  while (at < end && is(text[static_cast<size_t>(at)])) ++at;
  return at;
}

std::u32string_view part(std::u32string_view text, Span s) {
  return text.substr(static_cast<size_t>(s.begin), static_cast<size_t>(s.size()));
}

// End of a number or Latin word that starts at `at`: letters and digits, ".digits", "%", or `at`.
int32_t end_of_latin(std::u32string_view text, int32_t at, int32_t end) {
  const int32_t letters = skip(text, at, end, is_letter_or_digit);
  if (letters == at) return at;
  int32_t last = letters;
  if (last < end && text[static_cast<size_t>(last)] == '.') {
    const int32_t digits = skip(text, last + 1, end, is_digit);
    if (digits > last + 1) last = digits;
  }
  if (last < end && text[static_cast<size_t>(last)] == '%') ++last;
  return last;
}

std::string_view strip(std::string_view line) {
  constexpr std::string_view blanks = " \t\r\n\v\f";
  const size_t first = line.find_first_not_of(blanks);
  if (first == std::string_view::npos) return {};
  return line.substr(first, line.find_last_not_of(blanks) + 1 - first);
}

}  // namespace

fs::path dictionary_at(const fs::path& named) {
  if (!named.empty()) return named;
  if (const char* variable = std::getenv("INK_DICTIONARY"); variable && *variable) return variable;
  check(fs::exists(kUsualDictionary), "segmenter: expected a word dictionary at ", kUsualDictionary,
        ", got no such file; install the package python3-jieba, or name a file with INK_DICTIONARY "
        "or --dictionary");
  return kUsualDictionary;
}

Segmenter Segmenter::load(const SegmenterFiles& files) {
  const fs::path dictionary = dictionary_at(files.dictionary);
  Segmenter segmenter;
  const std::string words = read_file(dictionary, kMaxFileBytes);
  segmenter.read_dictionary(words, dictionary.string());
  const fs::path beside = dictionary.parent_path() / "finalseg";
  if (!files.hmm.empty())
    segmenter.hmm_ = WordHmm::load(files.hmm);
  else if (fs::is_directory(beside))
    segmenter.hmm_ = WordHmm::load(beside);
  Digest digest;
  digest.add(words);
  if (segmenter.hmm_) digest.add(segmenter.hmm_->digest());
  segmenter.digest_ = digest.to_string();
  return segmenter;
}

void Segmenter::read_dictionary(std::string_view text, const std::string& source) {
  std::vector<double> frequency;
  double total = 0;
  size_t number = 0;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = strip(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    ++number;
    const size_t space = std::min(line.find(' '), line.size());
    const std::string_view word = line.substr(0, space);
    const std::string_view rest = line.substr(std::min(space + 1, line.size()));
    uint64_t count = 0;
    const auto [last, error] = std::from_chars(rest.data(), rest.data() + rest.size(), count);
    const bool ends = last == rest.data() + rest.size() || *last == ' ';
    check(!word.empty() && error == std::errc() && ends && count < (uint64_t{1} << 40),
          "segmenter: ", source, ":", number, ": expected 'word frequency [part of speech]', got '",
          replace_invalid_utf8(line.substr(0, 80)), "'");
    check(first_invalid_utf8(word) == word.size(), "segmenter: ", source, ":", number,
          ": expected valid UTF-8");
    total += static_cast<double>(count);
    // A later line replaces an earlier one; frequency 0 takes the word out.
    if (count > 0) frequency.push_back(static_cast<double>(count));
    trie_.insert(decode_utf8(word),
                 count > 0 ? static_cast<int32_t>(frequency.size()) - 1 : Trie::no_value);
  }
  check(total > 0, "segmenter: expected words in ", source, ", got none");
  log_one_ = 0.0 - std::log(total);
  log_frequency_.reserve(frequency.size());
  for (const double f : frequency) log_frequency_.push_back(std::log(f) - std::log(total));
}

std::vector<Span> Segmenter::cut(std::u32string_view text, bool use_hmm) const {
  check(text.size() < size_t{std::numeric_limits<int32_t>::max()},
        "segmenter: expected fewer than 2^31 characters, got ", text.size(), "; split the text");
  std::vector<Span> out;
  const auto n = static_cast<int32_t>(text.size());
  for (int32_t at = 0; at < n;) {
    const int32_t end = skip(text, at, n, is_block);
    if (end > at) {
      cut_block(text, {at, end}, use_hmm && has_hmm(), out);
      at = end;
    } else {
      const bool line_end = text.substr(static_cast<size_t>(at), 2) == U"\r\n";
      const int32_t size = line_end ? 2 : 1;
      out.push_back({at, at + size});
      at += size;
    }
  }
  return out;
}

void Segmenter::cut_block(std::u32string_view text, Span block, bool use_hmm,
                          std::vector<Span>& out) const {
  const std::vector<int32_t> path = best_path(part(text, block));
  const auto word_end = [&](int32_t at) {
    return block.begin + path[static_cast<size_t>(at - block.begin)];
  };
  for (int32_t at = block.begin; at < block.end;) {
    const int32_t end = word_end(at);
    const char32_t first = text[static_cast<size_t>(at)];
    if (end - at > 1 || (!use_hmm && !is_letter_or_digit(first))) {
      out.push_back({at, end});
      at = end;
      continue;
    }
    // A run of single characters: unknown words or, without the model, letters and digits.
    int32_t run = end;
    while (run < block.end && word_end(run) == run + 1 &&
           (use_hmm || is_letter_or_digit(text[static_cast<size_t>(run)])))
      ++run;
    if (use_hmm)
      cut_unknown(text, {at, run}, out);
    else
      out.push_back({at, run});
    at = run;
  }
}

// Where the word that starts at each character ends, on the most probable path. Summed from the
// end, and the longer word wins a tie: the reference's order of operations, so its results.
std::vector<int32_t> Segmenter::best_path(std::u32string_view block) const {
  const size_t n = block.size();
  std::vector<double> score(n + 1);
  std::vector<int32_t> end(n);
  for (size_t k = n; k-- > 0;) {
    bool found = false;
    Trie::Node node = Trie::root;
    for (size_t i = k; i < n; ++i) {
      const auto [next, word] = trie_.step(node, block[i]);
      if (next == Trie::nowhere) break;
      node = next;
      if (word == Trie::no_value) continue;
      const double candidate = log_frequency_[static_cast<size_t>(word)] + score[i + 1];
      if (found && candidate < score[k]) continue;
      score[k] = candidate;
      end[k] = static_cast<int32_t>(i) + 1;
      found = true;
    }
    if (found) continue;
    score[k] = log_one_ + score[k + 1];
    end[k] = static_cast<int32_t>(k) + 1;
  }
  return end;
}

// A run of characters that the dictionary does not join.
void Segmenter::cut_unknown(std::u32string_view text, Span run, std::vector<Span>& out) const {
  // A dictionary word that lost to its characters stays in characters.
  if (run.size() == 1 || trie_.find(part(text, run)).value != Trie::no_value) {
    for (int32_t i = run.begin; i < run.end; ++i) out.push_back({i, i + 1});
    return;
  }
  for (int32_t at = run.begin; at < run.end;) {
    const int32_t han = skip(text, at, run.end, is_jieba_han);
    if (han > at) {
      hmm_->cut(part(text, {at, han}), at, out);
      at = han;
      continue;
    }
    int32_t end = end_of_latin(text, at, run.end);
    if (end == at)
      end = skip(text, at, run.end,
                 [](char32_t c) { return !is_jieba_han(c) && !is_letter_or_digit(c); });
    out.push_back({at, end});
    at = end;
  }
}

std::vector<std::string> Segmenter::words(std::string_view text, bool use_hmm) const {
  const Decoded decoded = decode_utf8_with_offsets(text);
  std::vector<std::string> out;
  for (const Span& word : cut(decoded.text, use_hmm)) {
    const auto begin = static_cast<size_t>(decoded.bytes[static_cast<size_t>(word.begin)]);
    const auto end = static_cast<size_t>(decoded.bytes[static_cast<size_t>(word.end)]);
    out.emplace_back(text.substr(begin, end - begin));
  }
  return out;
}

}  // namespace ink
